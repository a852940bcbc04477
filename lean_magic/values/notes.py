"""Remarks on values that come back a little other than they went, such as on another device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["note", "noting"]

_taken: list[list[str]] = []


def note(text: str) -> None:
    """Make a remark, once however often it is made."""
    for notes in _taken:
        if text not in notes:
            notes.append(text)


@contextlib.contextmanager
def noting() -> Iterator[list[str]]:
    """Collect the remarks made inside."""
    notes: list[str] = []
    _taken.append(notes)
    try:
        yield notes
    finally:
        _taken.pop()
