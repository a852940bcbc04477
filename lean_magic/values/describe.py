"""A few words about a value, for status lines and reasons; never more than one short line."""

from __future__ import annotations

import types
from typing import Any

from lean_magic.values.origin import is_a, module_of

__all__ = ["describe"]

_LENGTH = 60
_SIMPLE = (bool, int, float, complex, str, bytes, type(None))


def describe(value: Any) -> str:
    """Say what `value` is in at most 60 characters; never runs code of the user's classes."""
    if type(value) in _SIMPLE:
        return _short(repr(value if not isinstance(value, (str, bytes)) else value[: _LENGTH * 2]))
    if type(value) in (list, tuple, dict, set, frozenset):
        return _container(value)
    if is_a(value, types.FunctionType):
        return f"{value.__name__}()"
    if is_a(value, type):
        return f"class {value.__name__}"
    return _short(_array(value) or type(value).__qualname__)


def _short(text: str) -> str:
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"


def _container(value: Any) -> str:
    if len(value) <= 8 and all(type(item) in _SIMPLE for item in value):
        values = value.values() if isinstance(value, dict) else ()
        text = repr(value) if all(type(item) in _SIMPLE for item in values) else ""
        if 0 < len(text) <= _LENGTH:
            return text
    return f"{type(value).__name__} of {len(value)}"


def _array(value: Any) -> str:
    """Shape and dtype of anything array-like from the known libraries, else ""."""
    package = module_of(type(value)).partition(".")[0]
    if package not in {"numpy", "torch", "pandas", "polars"}:
        return ""
    try:
        shape = getattr(value, "shape", None)
    except RuntimeError:  # a nested tensor, or one that waits for its first input
        return ""
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape):
        return ""
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    return f"{dtype} {type(value).__name__} {'×'.join(map(str, shape)) or 'scalar'}".strip()
