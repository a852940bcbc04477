"""Pieces of what a cell depends on, and what they are called."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import tokenize
import types
from typing import Any, NamedTuple

from lean_magic.values import Ref
from lean_magic.values.fingerprint import leaf
from lean_magic.values.origin import is_a, is_own

__all__ = ["TEXT", "UNBOUND", "Part", "in_order", "label_of", "part_of", "source_of"]

UNBOUND = leaf("unbound", b"").hex()
TEXT = 4000  # characters of a source that are kept for reasons


class Part(NamedTuple):
    """One piece of what a cell depends on: its digest, and words for it.

    Those of a function or class are its source, and an object has that of its class below its own words;
    it is looked for only when somebody asks: no hit does.
    """

    digest: str
    told: str = ""
    code: Any = None
    is_object: bool = False

    @property
    def text(self) -> str:
        """Give the words."""
        source = source_of(self.code) if self.code is not None else ""
        return f"{self.told}\n{source}" if source and self.is_object else source or self.told


def part_of(digest: str, told: str, value: Any) -> Part:
    """Make the part of a value."""
    if is_a(value, (types.FunctionType, type)):
        return Part(digest, told, value)
    return Part(digest, told, type(value), is_object=True) if is_own(type(value)) else Part(digest, told)


def label_of(ref: Ref) -> str:
    """Name the part that a name of code is."""
    return ref.name if ref.space == "__main__" else f"{ref.space}.{ref.name}"


def in_order(ref: Ref) -> tuple[str, str, tuple[str, ...]]:
    """Give what names are ordered by."""
    return ref.space, ref.name, ref.attrs


def source_of(value: Any) -> str:
    """Give the text of a function or class of the user's, for reasons that show the changed line."""
    is_class = is_a(value, type) and is_own(value)
    if not is_a(value, types.FunctionType) and not is_class:
        return ""
    try:
        return (_class_source(value) if is_class else inspect.getsource(value))[:TEXT]
    # Its file may hold other lines by now.
    except (OSError, TypeError, IndexError, SyntaxError, tokenize.TokenError):
        return ""


def _class_source(cls: type) -> str:
    """Give the text of a class, found by a function in it: Python itself looks for it in files alone."""
    for function in filter(None, map(_function_of, vars(cls).values())):
        lines = linecache.getlines(function.__code__.co_filename)
        for name, start, end in _classes("".join(lines)):
            if name == cls.__name__ and start <= function.__code__.co_firstlineno <= end:
                return "".join(lines[start - 1 : end])
    return ""


def _function_of(member: Any) -> types.FunctionType | None:
    if isinstance(member, (staticmethod, classmethod)):
        member = member.__func__
    elif isinstance(member, property):
        member = member.fget
    return member if is_a(member, types.FunctionType) else None


@functools.lru_cache(maxsize=32)
def _classes(text: str) -> list[tuple[str, int, int]]:
    """List the classes in a text with their first and last lines."""
    nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))
    return [(node.name, node.lineno, node.end_lineno or node.lineno) for node in nodes]
