"""What functions of libraries give back that the library keeps: `lib.get_options().width = 3`.

A function that returns a global of its module, an item or attribute of one, the one object of its class or what it
made at its first call is a name for that, found from its code (`returned`). No code of the library runs.
"""

from __future__ import annotations

import contextlib
import contextvars
import dis
import functools
import sys
import threading
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lean_magic.values.code import CodeFacts
from lean_magic.values.memo import pairs
from lean_magic.values.origin import is_a, origin
from lean_magic.values.owners import CHANGERS, SETTERS, owner_of
from lean_magic.values.returned import Path, returned
from lean_magic.values.slots import HEAP

__all__ = ["Found", "Kept", "kept_by", "kept_in", "may_change"]

_CALLS = 2  # inside calls
_ABSENT = object()
_WRAPPER: type = type(functools.lru_cache(lambda: 0))
_SPACES = (types.ModuleType, type)
_PLAIN = (
    bool, int, float, complex, str, bytes, types.NoneType, *_SPACES, property, staticmethod, classmethod, _WRAPPER,
    types.FunctionType, types.BuiltinFunctionType, types.MethodType,
)  # fmt: skip
# Their settings are known; SymPy keeps one of each small number.
_KNOWN = {"IPython", "lean_magic", "matplotlib", "sympy"}
_PUTS = {dis.opmap[name] for name in ("STORE_ATTR", "DELETE_ATTR", "STORE_SUBSCR", "DELETE_SUBSCR")}
_MANY = 100  # results that are remembered


class Found(NamedTuple):
    """Something that a library keeps; `fills` tells that the function that gives it back puts it there, too."""

    value: Any
    fills: bool = False
    is_whole: bool = False  # a container, that stands for what is in it
    holder: Any = _ABSENT

    def items(self) -> dict[Any, Any]:
        """Give what a container holds now."""
        value = self.value
        return dict(value) if isinstance(value, dict) else dict(enumerate(value)) if is_a(value, list) else {}

    def may_change(self, said: CodeFacts) -> bool:
        """Whether code that is given it may change it, or what it holds."""
        return any(may_change(said, one) for one in (self.value, *self.items().values()))


class Kept(NamedTuple):
    """A function that gives back what its library keeps; `owner` is what its first argument is bound to."""

    label: str
    function: Any
    owner: Any = _ABSENT

    @property
    def package(self) -> str:
        """Name the top-level package."""
        return str(self.function.__module__).partition(".")[0]

    def found(self) -> list[Found]:
        """Give what it would give back now, as far as that is there and can be changed."""
        seen = {id(one.value): one for one in _given(self.function, self.owner)}
        return [one for one in seen.values() if not is_a(one.value, _PLAIN)]


def kept_by(uses: Iterable[tuple[str, ...]], space: Mapping[str, Any]) -> Iterator[Kept]:
    """Find the functions of libraries that some code uses and that may give back what their library keeps."""
    for chain in sorted({tuple(chain) for _, *chain in uses}):
        yield from _along(chain, space)


def kept_in(said: CodeFacts, spaces: Iterable[Mapping[str, Any]]) -> dict[str, Kept]:
    """Find those that code uses whose functions have one of these for their globals, by their labels."""
    return {one.label: one for space in spaces for one in kept_by(said.uses, space)}


def may_change(said: CodeFacts, value: Any) -> bool:
    """Whether code may change an object that it is given: by what it sets, or by a method that sets something."""
    words = said.attributes | said.loads.keys()
    if said.puts or said.in_place or not (CHANGERS | SETTERS).isdisjoint(words):
        return True
    methods = (_look(type(value), name) for name in said.attributes)
    codes = (one.__code__.co_code[::2] for one in methods if is_a(one, types.FunctionType))
    return any(not _PUTS.isdisjoint(code) for code in codes)


def _along(chain: Sequence[str], space: Mapping[str, Any]) -> Iterator[Kept]:
    """Follow `a.b.c` through modules, classes and what libraries keep, to the functions and properties on the way."""
    name = chain[0].removeprefix("import ")
    value = space.get(name) if name == chain[0] else sys.modules.get(name)
    label, holder = _spelled(value), _ABSENT
    if not label and len(chain) > 1 and type(value).__flags__ & HEAP and _is_library(type(value)):
        # An object of the user's: what it holds is its own, and what its class holds the library keeps.
        label, holder, value = (
            f"{_spelled(type(value))}.{chain[1]}",
            type(value),
            _look(type(value), chain[1]),
        )
        chain = chain[1:]
    for step in [*chain[1:], ""] if label else ():
        function, owner = _bound(value, holder)
        is_read, is_class = is_a(value, property), is_a(value, type)
        is_asked = function is not None and (is_read or not (step and is_class))
        if is_asked and _may_give(function, owner) and _is_library(function):
            yield Kept(label if is_read else f"{label}()", function, owner)
        if is_read:
            value = next((one.value for one in _given(function, owner)), None)
        elif function is not None and not is_class:
            return
        label, holder, value = f"{label}.{step}", value, _look(value, step)


def _spelled(value: Any) -> str:
    """Spell a module, a class, a function, or an object that a library keeps; "" for anything else."""
    if is_a(value, (types.FunctionType, _WRAPPER)):
        return f"{value.__module__}.{value.__qualname__}"
    owner = owner_of(value)
    return owner.label if owner is not None else ""


def _look(holder: Any, name: str) -> Any:
    """Look a name up without running anything."""
    if is_a(holder, types.ModuleType):
        return vars(holder).get(name)
    if not is_a(holder, type):
        has_dict = type(holder).__dictoffset__ or is_a(holder, threading.local)
        own = getattr(holder, "__dict__", None) if has_dict else None
        if type(own) is dict and name in own:
            return own[name]
    bases = [*holder.__mro__] if is_a(holder, type) else []
    found = next((vars(base)[name] for base in [*bases, *type(holder).__mro__] if name in vars(base)), None)
    return getattr(holder, name, None) if is_a(found, types.MemberDescriptorType) else found


def _bound(value: Any, holder: Any) -> tuple[Any, Any]:
    """Give what runs where a member of something is asked for or called, and what its first argument is."""
    if is_a(value, property):
        return value.fget, holder
    if is_a(value, staticmethod):
        return value.__func__, _ABSENT
    if is_a(value, classmethod):
        return value.__func__, holder if is_a(holder, type) else type(holder)
    if is_a(value, types.FunctionType):
        return value, _ABSENT if is_a(holder, _SPACES) else holder
    return (value, _ABSENT) if is_a(value, (type, _WRAPPER)) else (None, _ABSENT)


def _may_give(function: Any, owner: Any) -> bool:
    """Whether a function is more than one that gives back nothing that stays."""
    if not is_a(function, types.FunctionType) or "__wrapped__" in vars(function):
        return True
    return bool(returned(function.__code__, is_bound=owner is not _ABSENT).paths)


def _is_library(function: Any) -> bool:
    home = str(getattr(function, "__module__", None) or "")
    return origin(home).installed and home.partition(".")[0] not in _KNOWN


def _given(function: Any, owner: Any, depth: int = 0) -> Iterator[Found]:
    """Give what a function, a method or a class would give back of what its library keeps."""
    if depth > _CALLS or not _is_library(function):
        return
    if is_a(function, _WRAPPER):
        yield from _remembered(function)
    elif is_a(function, type):
        for name, holder in ("__call__", type(function)), ("__new__", function), ("__init__", function):
            maker = _look(holder, name)
            maker = maker.__func__ if is_a(maker, staticmethod) else maker
            if is_a(maker, types.FunctionType):
                yield from _given(maker, function, depth + 1)
    while is_a(function, types.FunctionType):
        told = returned(function.__code__, is_bound=owner is not _ABSENT)
        for path in told.paths:
            for one in _at(path, function, owner, depth):
                yield one._replace(fills=one.fills or path in told.filled or path.base in told.filled)
        function = vars(function).get("__wrapped__")


def _at(path: Path, function: types.FunctionType, owner: Any, depth: int) -> Iterator[Found]:
    """Give what is found at the end of a path."""
    if path.base is None:
        yield from (Found(value) for value in _start(path, function, owner) if value is not _ABSENT)
        return
    for base in _at(path.base, function, owner, depth):
        if base.is_whole:
            yield base
        elif path.kind == "attr":
            value = _look(base.value, path.name)
            if is_a(value, property):
                yield from _given(value.fget, base.value, depth + 1)
            elif value is not None:
                yield Found(value, holder=base.value)
        elif path.kind == "call":
            yield from _given(*_bound(base.value, base.holder), depth + 1)
        elif is_a(base.value, contextvars.ContextVar):
            with contextlib.suppress(LookupError):
                yield Found(base.value.get())
        else:
            yield base._replace(is_whole=True)


def _start(path: Path, function: types.FunctionType, owner: Any) -> Iterator[Any]:
    if path.kind == "global":
        yield function.__globals__.get(path.name, _ABSENT)
    elif path.kind == "self":
        yield owner
    else:
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
        yield from (
            [cells[path.name].cell_contents] if path.name in cells and _is_full(cells[path.name]) else []
        )


def _is_full(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _remembered(wrapper: Any) -> Iterator[Found]:
    """Give what `functools.lru_cache` keeps of earlier calls."""
    if wrapper.cache_info().currsize <= _MANY:
        yield from (Found(result, fills=True) for _, result in pairs(wrapper))
