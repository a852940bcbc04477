"""Enums put back as their own code made them: members whose `__new__` or `__init__` did more than keep a value.

The class is made bare, with members that stand for their places; then they get their values and attributes, and the
class its methods, none of which runs.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any

from lean_magic.values.origin import is_own
from lean_magic.values.reduced import is_plain, set_on_member

__all__ = ["reduced_enum"]

_MIXED = (int, str, bytes, float, tuple)


def reduced_enum(form: tuple[Any, ...], cls: Any) -> Any:
    """Take cloudpickle's form of an enum, with members that come back as they are."""
    make, args, (own, slots), *rest = form
    members: Mapping[str, enum.Enum] = cls._member_map_
    own = {name: item for name, item in own.items() if name not in members}
    if "_generate_next_value_" in vars(cls):
        own["_generate_next_value_"] = vars(cls)["_generate_next_value_"]
    if not _made_by_code(cls, members):
        named = {name: member.value for name, member in members.items()}  # aliases, too
        return make, (*args[:3], named, args[4], None, args[6]), (own, slots), *rest
    distinct = list({id(member): member for member in members.values()}.values())
    places = {
        name: next(n for n, one in enumerate(distinct) if one is member) for name, member in members.items()
    }
    raw = [_raw(cls._member_type_, member) for member in distinct]
    held = [(member._value_, set_on_member(member), list(vars(member))) for member in distinct]
    *between, fill = rest
    machinery = {name: vars(cls)[name] for name in _MACHINERY if name in vars(cls)}
    first = [name for name, item in own.items() if hasattr(type(item), "__get__") and not _is_dunder(name)]
    state = (own, slots), machinery, held, fill
    return _make_enum, (*args[:3], first, places, raw, args[4]), state, *between, _fill_enum


def _is_dunder(name: str) -> bool:
    return (name[:2] == name[-2:] == "__" and name != "__init__") or name in _MACHINERY


_MACHINERY = ("_new_member_", "__new_member__", "_use_args_", "_value_repr_")  # how further members are made


def _made_by_code(cls: Any, members: Mapping[str, enum.Enum]) -> bool:
    """Whether the values of the members do not tell all of them."""
    kind = cls._member_type_
    if issubclass(cls, enum.Flag) or not (kind is object or kind in _MIXED or is_plain(kind)):
        return False
    methods = {name for base in cls.__mro__ if is_own(base) for name in vars(base)}
    odd = any(
        set_on_member(member) or hasattr(type(member._value_), "__get__") for member in members.values()
    )
    return odd or "__init__" in methods or any(_is_own_new(base) for base in cls.__mro__)


def _is_own_new(base: type) -> bool:
    made = vars(base).get("_new_member_")
    return is_own(base) and is_own(getattr(made, "__func__", made)) if made is not None else False


def _raw(kind: type, member: Any) -> Any:
    """Give what a member is as an int, a text …; None for one that is nothing of the kind."""
    if kind is tuple:
        return tuple(tuple.__iter__(member))
    plain: dict[type, Callable[[Any], Any]] = {
        int: int.__index__,
        str: str.__str__,
        float: float.__float__,
        bytes: lambda value: bytes.__getitem__(value, slice(None)),
    }
    return plain[kind](member) if kind in plain else None


def _make_enum(
    bases: tuple[type, ...],
    name: str,
    qualname: str,
    first: list[str],
    places: dict[str, int],
    raw: list[Any],
    module: str,
) -> Any:
    meta: Any = type(bases[-1])
    kind = bases[-1]._member_type_ if len(bases) == 1 else meta._find_data_type_(name, bases)  # type: ignore[attr-defined]
    body = meta.__prepare__(name, bases)
    for method in (*first, "__init__"):
        body[method] = _nothing  # in its place, until it is filled
    body["__new__"] = _maker(kind, raw)
    for member, place in places.items():
        body[member] = place
    made = meta.__new__(meta, name, bases, body)
    made.__module__, made.__qualname__ = module, qualname
    return made


def _nothing(*args: Any) -> None:
    del args


def _maker(kind: type, raw: list[Any]) -> Callable[..., Any]:
    def make(cls: type, place: Any) -> Any:
        place = place[0] if isinstance(place, tuple) else place
        member: Any = kind.__new__(cls, raw[place]) if kind in _MIXED else object.__new__(cls)
        member._value_ = place
        return member

    return make


def _fill_enum(
    cls: Any, state: tuple[Any, dict[str, Any], list[tuple[Any, dict[str, Any], list[str]]], Any]
) -> None:
    own, machinery, held, fill = state
    delattr(cls, "__init__")
    fill(cls, own)
    for name in _MACHINERY:
        if name in machinery:
            setattr(cls, name, machinery[name])
        elif name in vars(cls):
            delattr(cls, name)
    cls._value2member_map_.clear()
    distinct = list({id(member): member for member in cls._member_map_.values()}.values())
    for member, (value, attributes, order) in zip(distinct, held, strict=True):
        content = {**vars(member), **attributes, "_value_": value}
        vars(member).clear()
        vars(member).update({name: content[name] for name in order})
        try:
            cls._value2member_map_[value] = member
        except TypeError:  # it has no hash, and is looked for one by one
            continue
