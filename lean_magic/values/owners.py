"""What code sets attributes on, as its text says: modules, classes, functions, and objects that libraries keep."""

from __future__ import annotations

import builtins
import contextlib
import functools
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lean_magic.values.origin import is_a, is_own, module_of, origin
from lean_magic.values.singletons import place_of

__all__ = [
    "CHANGERS", "HANDED_TO", "SETTERS", "Owner", "containers", "held", "held_by_classes", "home_of", "is_no_builtin",
    "is_patch", "items_of", "keeps_items", "owner_at", "owner_of", "owners",
]  # fmt: skip

# What code says that sets attributes by computed names, or on what only running can tell.
SETTERS = frozenset({"setattr", "delattr", "__dict__", "vars", "patch", "monkeypatch"})
# And what sets attributes on what it is handed alone.
HANDED_TO = SETTERS | {"__setattr__", "__delattr__"}
# Methods by which code changes a list, dict or set.
CHANGERS = frozenset({
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault",
    "sort", "update",
})  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Owner:
    """Something that attributes are set on and that can be found again: `path` leads to it from a module."""

    module: str
    path: str
    value: Any = field(compare=False)

    @property
    def label(self) -> str:
        """Spell it as code would."""
        return ".".join(filter(None, (self.module, self.path)))


def owner_of(value: Any) -> Owner | None:
    """Say where a module is found, a class, or an object that a library keeps one of; None for anything else."""
    if is_a(value, types.ModuleType):
        return Owner(value.__name__, "", value)
    if is_a(value, type):
        return Owner(str(value.__module__), value.__qualname__, value)
    place = None if type(value).__module__ == "builtins" else place_of(value)
    return Owner(*place, value) if place is not None else None


def owners(sets: Iterable[tuple[str, ...]], namespace: Mapping[str, Any]) -> Iterator[tuple[Owner, str]]:
    """Resolve assignments, (name, attribute, …, attribute set), to what they are made on.

    That is a module, a class, or an object that a library keeps, such as `networkx.config`.
    """
    for name, *chain, attribute in sorted(sets):
        is_module = name.startswith("import ")
        first = sys.modules.get(name.removeprefix("import ")) if is_module else namespace.get(name)
        owner = owner_at(first, chain)
        if owner is not None and (attribute != "*" or isinstance(owner.value, (types.ModuleType, type))):
            yield owner, attribute


def containers(
    loads: Mapping[str, Iterable[tuple[str, ...]]], namespace: Mapping[str, Any], *, more: bool
) -> Iterator[Owner]:
    """Find the lists, dicts and sets that code names in libraries, Python's own among them: `nltk.data.path`.

    `more` tells to find what is changed as they are, too: `plotly.io.templates`.
    """
    for name, chains in loads.items():
        for owner in {owner for chain in chains for owner in _along(namespace.get(name), chain)}:
            # What is asked for by `__dict__` grows as libraries load more of themselves.
            is_open = type(owner.value) in _OPEN and not owner.path.endswith("__dict__")
            is_plain = is_open and not origin(owner.module).own and owner.module not in _WATCHED
            if is_plain or (more and keeps_items(owner)):
                yield owner


def held_by_classes(classes: Iterable[type]) -> dict[int, tuple[str, str]]:
    """Give the ids of the lists, dicts and sets that classes of libraries hold, with (module, path)."""
    libraries = {base for cls in classes for base in cls.__mro__ if not is_own(base)}
    return {
        id(value): (module_of(base), f"{base.__name__}.{name}")
        for base in libraries
        if getattr(sys.modules.get(module_of(base)), base.__name__, None) is base
        for name, value in vars(base).items()
        if type(value) in _OPEN and getattr(base, name, None) is value
    }


def keeps_items(owner: Owner) -> bool:
    """Whether a library keeps an object of a class of its own there that is changed as a dict is."""
    cls = type(owner.value)
    is_known = cls in _OPEN or owner.module == "IPython" or owner.path == "rcParams"
    return hasattr(cls, "__setitem__") and not is_known and origin(owner.module).installed


def items_of(value: Any) -> list[Any]:
    """Give the items of a list, dict or set, or of all those that an object holds."""
    own = list(dict.items(value)) if isinstance(value, dict) else []
    own += value if type(value) in (list, set) else []
    inner = [one for one in getattr(value, "__dict__", {}).values() if type(one) in _OPEN]
    return [*own, *(item for one in inner for item in items_of(one))]


def owner_at(value: Any, chain: Sequence[str]) -> Owner | None:
    """Give what a chain of attributes leads to from a module or class; None where it cannot be found again."""
    return next(iter([*_along(value, chain)][len(chain) :]), None)


def _along(value: Any, chain: Iterable[str]) -> Iterator[Owner]:
    """Give what a chain of attributes leads to, one step after the other, as far as it can be found again."""
    owner = owner_of(value)
    for name in chain:
        if owner is None:
            return
        yield owner
        owner = _inside(owner, name)
    if owner is not None:
        yield owner


def _inside(owner: Owner, name: str) -> Owner | None:
    if isinstance(owner.value, (types.ModuleType, type)):
        value = getattr(owner.value, name, None)
        if isinstance(value, (types.ModuleType, type)):
            return owner_of(value)
    elif isinstance(owner.value, types.FunctionType):
        value = getattr(owner.value, name, None)  # its defaults, say
    else:
        value = _held_by(owner.value, name)
    if value is None or isinstance(value, _CALLED) or origin(owner.module).own:
        return None
    return Owner(owner.module, ".".join(filter(None, (owner.path, name))), value)


def _held_by(value: Any, name: str) -> Any:
    """Give what an object holds in its dict or in a slot; to ask for more might run anything."""
    own = getattr(value, "__dict__", {})
    if name in own:
        return own[name]
    member = next((vars(base)[name] for base in type(value).__mro__ if name in vars(base)), None)
    return getattr(value, name, None) if is_a(member, types.MemberDescriptorType) else None


_OPEN = (list, dict, set)
# What is changed in them is put back, or is no setting.
_WATCHED = frozenset({"builtins", "linecache", "sys", "warnings"})
_CALLED = (types.BuiltinFunctionType, types.MethodType)


def held(owner: Any, name: str, default: Any) -> Any:
    """Give what a module, a class or an object holds under a name itself, or computes as torch's switches do."""
    own = getattr(owner, "__dict__", {})
    if name in own or isinstance(owner, type):
        return own.get(name, default)
    cls: Any = type(owner)
    is_plain = issubclass(cls, types.ModuleType) and cls.__setattr__ is types.ModuleType.__setattr__
    if is_plain and not hasattr(cls, name):
        return (
            default  # it would look for it elsewhere, and load that; torch's settings keep theirs elsewhere
        )
    with contextlib.suppress(AttributeError, RuntimeError, TypeError, ValueError):
        return getattr(owner, name)
    return default


def home_of(value: Any) -> str:
    """Name the module that something is, or lies in."""
    return str(value.__name__) if is_a(value, types.ModuleType) else module_of(value)


def is_patch(owner: Any, value: Any) -> bool:
    """Whether a member of a module or class is code that somebody of the user's side put there."""
    # Not `isinstance`, which asks the object for its class: some warn whoever asks them anything.
    while issubclass(type(value), (functools.partial, types.MethodType, staticmethod, classmethod)):
        value = value.func if issubclass(type(value), functools.partial) else value.__func__
    code = value if issubclass(type(value), (types.FunctionType, type)) else type(value)
    if not is_own(code):
        return False
    return origin(home_of(owner)).package != origin(str(code.__module__)).package


def is_no_builtin(value: Any) -> bool:
    """Whether what stands in the place of a builtin is somebody's of the user's side."""
    return not callable(value) or is_a(value, functools.partial) or is_patch(builtins, value)
