"""Who wants to know how many bytes have been digested, while large values are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["on_bytes", "seen"]

_listeners: list[list[Any]] = []


@contextlib.contextmanager
def on_bytes(show: Callable[[int, int | None], None]) -> Iterator[None]:
    """Tell `show` how many bytes have been digested, while large values are."""
    _listeners.append([show, 0])
    try:
        yield
    finally:
        _listeners.pop()


def seen(count: int) -> None:
    """Tell those who listen of `count` more bytes."""
    for listener in _listeners:
        listener[1] += count
        listener[0](listener[1], None)
