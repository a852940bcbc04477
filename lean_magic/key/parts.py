"""Pieces of what a cell depends on, and what they are called."""

from __future__ import annotations

import inspect
import tokenize
import types
from typing import Any, NamedTuple

from lean_magic.values import Ref
from lean_magic.values.fingerprint import leaf
from lean_magic.values.origin import is_a

__all__ = ["UNBOUND", "Part", "in_order", "label_of", "source_of"]

UNBOUND = leaf("unbound", b"").hex()
_TEXT = 4000  # characters of a source that are kept for reasons


class Part(NamedTuple):
    """One piece of what a cell depends on: its digest, and words for it.

    Those of a function or class are its source, which is looked for only when somebody asks: no hit does.
    """

    digest: str
    told: str = ""
    code: Any = None

    @property
    def text(self) -> str:
        """Give the words."""
        return (source_of(self.code) if self.code is not None else "") or self.told


def label_of(ref: Ref) -> str:
    """Name the part that a name of code is."""
    return ref.name if ref.space == "__main__" else f"{ref.space}.{ref.name}"


def in_order(ref: Ref) -> tuple[str, str, tuple[str, ...]]:
    """Give what names are ordered by."""
    return ref.space, ref.name, ref.attrs


def source_of(value: Any) -> str:
    """Give the text of a function or class of the user's, for reasons that show the changed line."""
    if not is_a(value, types.FunctionType) and not (is_a(value, type) and value.__module__ == "__main__"):
        return ""
    try:
        return inspect.getsource(value)[:_TEXT]
    except (
        OSError,
        TypeError,
        IndexError,
        SyntaxError,
        tokenize.TokenError,
    ):  # its file holds other lines by now
        return ""
