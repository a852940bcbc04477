"""The members of a class as its body made them, where cloudpickle writes them otherwise."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from typing import Any

from lean_magic.values.origin import is_own

__all__ = ["in_order", "without_hook"]

_NOWHERE = object()


def in_order(rest: list[Any], cls: type) -> list[Any]:
    """Keep the members of a class in the order of its body, which cloudpickle sorts.

    Those that are the very object that a base has too, which cloudpickle leaves out, are its own as well,
    and so are those that were set where a slot was.
    """
    (members, slots), *more = rest
    members = {**_inherited(cls), **_in_slots(cls), **members}
    ordered = {name: members[name] for name in cls.__dict__ if name in members and name != "__slotnames__"}
    return [(ordered, slots), *more]


def _inherited(cls: type) -> dict[str, Any]:
    bases = [vars(base) for base in cls.__mro__[1:]]
    own = ((name, value) for name, value in vars(cls).items() if name not in _MADE)
    return {name: value for name, value in own if any(base.get(name, _NOWHERE) is value for base in bases)}


def _in_slots(cls: type) -> dict[str, Any]:
    said = vars(cls).get("__slots__", ())
    names = {said} if isinstance(said, str) else set(said)
    return {
        name: value
        for name, value in vars(cls).items()
        if name in names - _MADE and not isinstance(value, types.MemberDescriptorType)
    }


_MADE = {"__dict__", "__weakref__", "__module__", "__slots__", "_abc_impl"}  # by the making of a class


@contextlib.contextmanager
def without_hook(bases: tuple[type, ...]) -> Iterator[None]:
    """Make a class inside without what the user's `__init_subclass__` does."""
    met = (one for base in bases for one in getattr(base, "__mro__", ()) if "__init_subclass__" in vars(one))
    first = next(met, None)
    if first is None or not is_own(first):
        yield
        return
    hook = vars(first)["__init_subclass__"]
    type.__setattr__(first, "__init_subclass__", classmethod(_no_hook))
    try:
        yield
    finally:
        type.__setattr__(first, "__init_subclass__", hook)


def _no_hook(cls: type, /, **options: Any) -> None:
    """Stand in for a hook."""
