"""Modules and classes that code sets attributes on, found from what its text says."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lean_magic.values.origin import is_own, origin

__all__ = ["SETTERS", "home_of", "is_patch", "owners"]

# What code says that sets attributes by computed names, or on what only running can tell.
SETTERS = frozenset({"setattr", "delattr", "__dict__", "vars", "patch", "monkeypatch"})


def owners(sets: Iterable[tuple[str, ...]], namespace: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Resolve assignments, (name, attribute, …, attribute set), to the modules and classes they are made on."""
    for name, *chain, attribute in sorted(sets):
        owner = namespace.get(name)
        for step in chain:
            owner = getattr(owner, step, None) if isinstance(owner, (types.ModuleType, type)) else None
        if isinstance(owner, (types.ModuleType, type)):
            yield owner, attribute


def home_of(owner: Any) -> str:
    """Name the module that a module or class is, or lies in."""
    return owner.__name__ if isinstance(owner, types.ModuleType) else str(owner.__module__)


def is_patch(owner: Any, value: Any) -> bool:
    """Whether a member of a module or class is code that somebody of the user's side put there."""
    # Not `isinstance`, which asks the object for its class: some warn whoever asks them anything.
    while issubclass(type(value), (functools.partial, types.MethodType, staticmethod, classmethod)):
        value = value.func if issubclass(type(value), functools.partial) else value.__func__
    code = value if issubclass(type(value), (types.FunctionType, type)) else type(value)
    if not is_own(code):
        return False
    return origin(home_of(owner)).package != origin(str(code.__module__)).package
