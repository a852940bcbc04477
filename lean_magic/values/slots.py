"""The slots of objects: which a class has, and what they hold."""

from __future__ import annotations

import copyreg
import types
from typing import Any

__all__ = ["HEAP", "is_slot", "slot_names", "slots_of"]

HEAP = 1 << 9  # Py_TPFLAGSHEAPTYPE: made by a `class` statement, or by a C module with room of its own


def slot_names(cls: type) -> list[str]:
    """Name the slots of a class and its bases as pickle does, which keeps the list in the class."""
    names: list[str] = copyreg._slotnames(cls)  # type: ignore[attr-defined]  # noqa: SLF001
    return names


def is_slot(cls: type, name: str) -> bool:
    """Whether the slot is there still: a class may have got a property in its place."""
    held = (vars(base)[name] for base in cls.__mro__ if name in vars(base))
    return isinstance(next(held, None), types.MemberDescriptorType)


def slots_of(value: Any) -> dict[str, Any]:
    """Give what the slots of an object hold."""
    if not type(value).__flags__ & HEAP:
        return {}
    return {
        name: object.__getattribute__(value, name)
        for name in slot_names(type(value))
        if is_slot(type(value), name) and _is_filled(value, name)
    }


def _is_filled(value: Any, name: str) -> bool:
    try:
        object.__getattribute__(value, name)
    except AttributeError:
        return False
    return True
