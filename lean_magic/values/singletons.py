"""Objects that a library keeps one of, such as `dataclasses.MISSING`: known by name, as code compares them by `is`.

And those that are as good as one: all have the `__dict__` that their class keeps, as the states of accelerate do.
"""

from __future__ import annotations

import copyreg
import importlib
import sys
import types
from typing import Any

from lean_magic.values.origin import is_own, module_of, origin

__all__ = ["kept_of", "may_share_kept_dict", "place_of", "reduced_singleton", "reduced_with_kept_dict"]

# Class → how many globals its modules had, and those that are instances, by id: (instance, module, name).
_held: dict[type, tuple[int, dict[int, tuple[Any, str, str]]]] = {}


def kept_of(cls: type) -> dict[int, tuple[Any, str, str]]:
    """Give the instances of a class that its module holds, or a package around it, by id: (instance, module, name).

    A bare `object()` is looked for in the modules of all libraries.
    """
    if is_own(cls):
        return {}
    modules = list(sys.modules) if cls is object else _around(module_of(cls))
    size = len(modules) if cls is object else sum(len(_space(module)) for module in modules)
    known = _held.get(cls)
    if known is None or known[0] != size:
        known = _held[cls] = size, _look(cls, modules)
    return known[1]


def place_of(value: Any) -> tuple[str, str] | None:
    """Give (module, name) of such an object; None for anything else."""
    found = kept_of(type(value)).get(id(value))
    return found[1:] if found is not None and _space(found[1]).get(found[2]) is value else None


def _look(cls: type, modules: list[str]) -> dict[int, tuple[Any, str, str]]:
    return {
        id(value): (value, module, name)
        for module in sorted(modules, reverse=True)  # the first of several stays
        if not origin(module).own
        for name, value in list(_space(module).items())
        if type(value) is cls
    }


def _around(module: str) -> list[str]:
    steps = module.split(".")
    return [".".join(steps[:end]) for end in range(1, len(steps) + 1)]


def _space(module: str) -> dict[str, Any]:
    return getattr(sys.modules.get(module), "__dict__", {})


def reduced_singleton(value: Any) -> Any:
    """Give the reduced form of such an object, unless its class says how it is stored; NotImplemented for others."""
    cls: Any = type(value)
    by_default = cls.__reduce_ex__ is object.__reduce_ex__ and cls.__reduce__ is object.__reduce__
    if not by_default or cls in copyreg.dispatch_table:
        return NotImplemented
    place = place_of(value)
    return NotImplemented if place is None else (_by_name, place)


def may_share_kept_dict(cls: type) -> bool:
    """Whether a class of a library keeps a dict, and gives its instances theirs by its own code."""
    held = [member for one in cls.__mro__ if not is_own(one) for member in vars(one).values()]
    codes = (member.__code__ for member in held if isinstance(member, types.FunctionType))
    return any(type(one) is dict for one in held) and any("__dict__" in code.co_names for code in codes)


def reduced_with_kept_dict(value: Any) -> Any:
    """Give the reduced form of an object whose `__dict__` its class keeps; NotImplemented for others."""
    if not type(value).__dictoffset__:
        return NotImplemented
    own = object.__getattribute__(value, "__dict__")
    kept = ((base, name) for base in type(value).__mro__ for name, held in vars(base).items() if held is own)
    place = next(kept, None)
    return NotImplemented if place is None else (_with_kept_dict, (type(value), *place))


def _with_kept_dict(cls: Any, base: type, name: str) -> Any:
    made = object.__new__(cls)
    object.__setattr__(made, "__dict__", vars(base)[name])
    return made


def _by_name(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)
