"""Enums that libraries make in C++ by pybind11: members are attributes of their class, one object each.

https://pybind11.readthedocs.io/en/stable/classes.html#enumerations-and-internal-types
"""

from __future__ import annotations

from typing import Any

from lean_magic.values.fingerprint import Walk, combine, leaf

__all__ = ["enum_member", "is_built", "is_enum", "reduced_member"]


def is_built(cls: type) -> bool:
    """Whether a class was made by pybind11, or from one that was."""
    meta: type = type(cls)
    return any(one.__module__ == _HOME for one in meta.__mro__)


def is_enum(cls: type) -> bool:
    """Whether a class made by pybind11 is an enum."""
    return is_built(cls) and isinstance(getattr(cls, "__members__", None), dict) and hasattr(cls, "__index__")


_HOME = "pybind11_builtins"


def enum_member(walk: Walk, value: Any) -> bytes:
    """Digest a member by its class and its number."""
    return combine("built enum", walk.digest(type(value)), leaf("", b"%d" % int(value)))


def reduced_member(value: Any) -> Any:
    """Give the reduced form of a member: code compares it by `is`. NotImplemented for a number without a name."""
    name = getattr(value, "name", None)
    is_kept = isinstance(name, str) and getattr(type(value), name, None) is value
    return (getattr, (type(value), name)) if is_kept else NotImplemented
