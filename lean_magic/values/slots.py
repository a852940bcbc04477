"""The slots of objects: which a class has, and what they hold."""

from __future__ import annotations

import copyreg
import threading
import types
from typing import Any

from lean_magic.values.origin import is_own

__all__ = ["HEAP", "forget_names", "is_slot", "note_names", "slot_names", "slots_of"]

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


class _Asked:
    """Stands in for what pickle asks for the slots of a class, and notes in which it keeps them only from then on."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.classes: list[type] = []
        self.ask: Any = None

    def __call__(self, cls: type) -> Any:
        if "__slotnames__" not in cls.__dict__:
            self.classes.append(cls)
        return self.ask(cls)


_asked = _Asked()


def note_names() -> None:
    """Begin to look at objects, in which pickle leaves traces on their classes."""
    with _asked.lock:
        _asked.depth += 1
        if _asked.depth == 1:
            _asked.ask, copyreg._slotnames = copyreg._slotnames, _asked  # type: ignore[attr-defined]  # noqa: SLF001


def forget_names() -> None:
    """Take these off the classes of the user's, who may list what those hold."""
    with _asked.lock:
        _asked.depth -= 1
        if _asked.depth:
            return
        copyreg._slotnames = _asked.ask  # type: ignore[attr-defined]  # noqa: SLF001
        classes, _asked.classes = _asked.classes, []
    for cls in classes:
        if "__slotnames__" in cls.__dict__ and is_own(cls):
            type.__delattr__(cls, "__slotnames__")
