"""Lists, dicts, sets and the like apart from their identity, and the user's own classes on top of them.

Content is taken and given by the methods of Python's own class. pickle would make an instance of a subclass by
calling it, and fill it by its `append`, `add` or `__setitem__`, which may do anything: the run has done it already.
"""

from __future__ import annotations

import collections
import enum
import functools
import random
import types
from collections.abc import Callable
from typing import Any

from lean_magic.values.origin import is_own
from lean_magic.values.reduced import (
    PICKLING,
    fill_attributes,
    held_by,
    is_its_own_dict,
    is_plain,
)
from lean_magic.values.slots import slots_of

__all__ = ["OPEN", "may_forget", "way_of", "with_attributes"]


def _give_list(live: list[Any], content: list[Any]) -> None:
    list.__setitem__(live, slice(None), content)


def _mapping(value: Any) -> type[dict[Any, Any]]:
    """Give the class whose methods see the content of a dict: an OrderedDict keeps an order of its own."""
    return collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict


def _take_dict(value: Any) -> dict[Any, Any]:
    return dict(_mapping(value).items(value))


def _give_dict(live: Any, content: dict[Any, Any]) -> None:
    kind = _mapping(live)
    kind.clear(live)
    for key, value in content.items():
        kind.__setitem__(live, key, value)


def _take_default(value: collections.defaultdict[Any, Any]) -> Any:
    return value.default_factory, _take_dict(value)


def _give_default(live: collections.defaultdict[Any, Any], content: Any) -> None:
    live.default_factory = content[0]
    _give_dict(live, content[1])


def _give_set(live: set[Any], content: list[Any]) -> None:
    set.clear(live)
    set.update(live, content)


def _give_deque(live: collections.deque[Any], content: list[Any]) -> None:
    collections.deque.clear(live)
    collections.deque.extend(live, content)


def _give_bytes(live: bytearray, content: bytes) -> None:
    bytearray.__setitem__(live, slice(None), content)


# Class → how its content is taken, and given to a live one. The first that fits counts.
OPEN: dict[type, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]] = {
    list: (lambda value: list.__getitem__(value, slice(None)), _give_list),
    collections.defaultdict: (_take_default, _give_default),
    dict: (_take_dict, _give_dict),
    set: (lambda value: list(set.__iter__(value)), _give_set),
    bytearray: (lambda value: bytes(memoryview(value)), _give_bytes),
    collections.deque: (lambda value: list(collections.deque.__iter__(value)), _give_deque),
    random.Random: (random.Random.getstate, random.Random.setstate),
}
# Of what never changes: how a plain one is made of it.
_FIXED: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda value: bytes(memoryview(value)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
}
_KINDS = (*OPEN, *_FIXED)
_SOLID = {*_KINDS, collections.Counter, collections.OrderedDict}
# What pickle calls, or looks for on the object.
_CALLED = frozenset({
    "__init__", "__new__", "__getattr__", "__getattribute__", "__setattr__", "__setitem__", "append", "extend", "add",
    "update", "items", "__iter__", "__len__",
})  # fmt: skip
_FILLED = (
    collections.defaultdict,
    collections.OrderedDict,
    dict,
    list,
)  # by methods, where pickle makes them
_FORGETFUL = {collections.Counter, collections.defaultdict}  # they leave out attributes


def way_of(cls: type) -> Callable[[Any], Any] | None:
    """Say how instances of a class on top of a builtin one are taken apart; None leaves them to pickle."""
    if not issubclass(cls, _KINDS) or issubclass(cls, enum.Enum):
        return None
    if not is_own(cls):
        return _way_of_library(cls)
    own: list[type] = [cls]
    while is_own(own[-1].__base__):
        own.append(own[-1].__base__)  # type: ignore[arg-type]
    solid: Any = own[-1].__base__
    if solid not in _SOLID or not _is_left_to_python(cls):
        return None
    plain = all(_CALLED.isdisjoint(vars(one)) for one in cls.__mro__ if is_own(one))
    if plain and solid not in _FORGETFUL:
        return None
    return functools.partial(_reduced_fixed if solid in _FIXED else _reduced_open, solid)


def _way_of_library(cls: type) -> Callable[[Any], Any] | None:
    """Take over where pickle goes wrong.

    It makes two of a dict that is its own `__dict__`, hands a `__new__` that asks for parts the whole, and fills a
    dict or list by methods of its class before the attributes are there that these may need.
    """
    if issubclass(cls, (dict, list)):
        if not cls.__dictoffset__ or not _is_left_to_python(cls):
            return None
        filled_by = ("__setitem__",) if issubclass(cls, dict) else ("append", "extend")
        if any(isinstance(getattr(cls, name), types.FunctionType) for name in filled_by):
            return functools.partial(_reduced_open, next(kind for kind in _FILLED if issubclass(cls, kind)))
        return _reduced_its_own if issubclass(cls, dict) else None
    solid = next((kind for kind in _FIXED if issubclass(cls, kind)), None)
    asks = isinstance(cls.__new__, types.FunctionType) and _shaper(cls) is solid
    return functools.partial(_reduced_fixed, solid) if asks else None


def _reduced_fixed(solid: Any, obj: Any) -> Any:
    made = type(obj), solid, _FIXED[solid](obj)
    return _make_fixed, made, (held_by(obj), slots_of(obj)), None, None, fill_attributes


def _reduced_open(solid: Any, obj: Any) -> Any:
    take, _ = _ways_of(obj)
    size = (obj.maxlen,) if isinstance(obj, collections.deque) else ()
    fill = _fill_own if is_its_own_dict(obj) else _fill
    return _make_open, (type(obj), solid, *size), (take(obj), (held_by(obj), slots_of(obj))), None, None, fill


def _reduced_its_own(obj: Any) -> Any:
    return _reduced_open(_mapping(obj), obj) if is_its_own_dict(obj) else NotImplemented


def _ways_of(obj: Any) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    return next(ways for kind, ways in OPEN.items() if isinstance(obj, kind))


def may_forget(cls: type) -> bool:
    """Whether a class of the user's lies on one in C, which may leave out attributes when it is taken apart."""
    return is_own(cls) and not issubclass(cls, (type, *_KINDS)) and not is_plain(cls)


def with_attributes(obj: Any) -> Any:
    """Take such an instance apart with attributes that the class below leaves out, as dates do."""
    attributes = held_by(obj), slots_of(obj)
    if not any(attributes):
        return NotImplemented
    form: Any = obj.__reduce_ex__(5)
    if isinstance(form, str) or (*form, None)[2] is not None:
        return NotImplemented
    items, pairs = (*form[3:5], None, None)[:2]
    return *form[:2], attributes, items, pairs, fill_attributes


def _is_left_to_python(cls: type) -> bool:
    """Whether nobody but Python has said how instances are pickled; named tuples say it for each class anew."""
    first = _shaper(cls)
    return first.__module__ in {"builtins", "collections", "random"} or "_fields" in vars(first)


def _shaper(cls: type) -> type:
    return next(one for one in cls.__mro__ if not PICKLING.isdisjoint(vars(one)))


def _make_fixed(cls: Any, kind: Any, content: Any) -> Any:
    return kind.__new__(cls, content)


def _make_open(cls: Any, kind: Any, size: int | None = None) -> Any:
    made = kind.__new__(cls)
    if kind is collections.deque:
        kind.__init__(made, (), size)
    return made


def _fill_own(obj: Any, state: Any) -> None:
    object.__setattr__(obj, "__dict__", obj)
    _fill(obj, state)


def _fill(obj: Any, state: tuple[Any, tuple[dict[str, Any], dict[str, Any]]]) -> None:
    content, attributes = state
    _, give = _ways_of(obj)
    give(obj, content)
    fill_attributes(obj, attributes)
