"""Classes of the notebook as their statements made them, where cloudpickle writes them otherwise."""

from __future__ import annotations

import abc
import builtins
import contextlib
import itertools
import operator
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from cloudpickle import cloudpickle as _internals

from lean_magic.values.built_enums import is_built
from lean_magic.values.class_rules import counterpart
from lean_magic.values.enums import reduced_enum
from lean_magic.values.naming import held_by_library, importable
from lean_magic.values.origin import is_own
from lean_magic.values.slots import HEAP

__all__ = ["reduced_class"]

_NOWHERE = object()


def reduced_class(form: Any, cls: type) -> Any:
    """Take cloudpickle's form of a class, without the link to the class that was written."""
    if _has_other_name(cls):
        return _where_held(cls) or form
    if form is NotImplemented or not isinstance(form, tuple) or len(form) < 2:
        return form
    return _made_with_another(cls) or _where_held(cls) or _as_its_statement(form, cls)


def _where_held(cls: type) -> Any:
    """Name the module that holds a class of a library, and under which name; None for all others."""
    return None if is_own(cls) else held_by_library(cls)


def _as_its_statement(form: Any, cls: type) -> Any:
    make, args, *rest = form
    if make is _internals._make_skeleton_class:  # noqa: SLF001
        kind, name, bases, options, _, extra = args
        options = {**options, "__qualname__": cls.__qualname__}
        if "__slots__" in cls.__dict__:
            options["__slots__"] = cls.__dict__["__slots__"]
        if typing.NamedTuple in cls.__dict__.get("__orig_bases__", ()):  # which would make members of its own
            bases, rest[0][0]["__orig_bases__"] = cls.__bases__, cls.__dict__["__orig_bases__"]
        rest, closed = _in_order(rest, cls), _closed(cls)
        if "__module__" in options:  # to set it once more would take away the number of the first line
            rest[0][0].pop("__module__", None)
        options.update({one: rest[0][0].pop(one) for one in closed if one in rest[0][0]})
        if "__slots__" in options:
            options = _before_slots(cls, options, rest[0][0])
        return _make_class, (kind, name, bases, options, None, extra), *rest
    if make is _internals._make_skeleton_enum:  # noqa: SLF001
        return reduced_enum(form, cls)
    return form


def _has_other_name(cls: type) -> bool:
    """Whether a class that is made in C is not found where it says to be."""
    if cls.__flags__ & HEAP and cls.__module__ == "builtins":
        return getattr(builtins, cls.__name__, None) is not cls
    return is_built(cls) and not is_own(cls) and not importable(cls)


def _made_with_another(cls: type) -> Any:
    """Say how to ask for a class that a library makes of another one, or beside it; None for others."""
    generic = vars(cls).get("__pydantic_generic_metadata__") or {}
    if generic.get("origin"):  # pydantic keeps one for each
        asked = generic["origin"], generic["args"]
        of_origin = cls.__module__ == generic["origin"].__module__
        return (operator.getitem, asked) if of_origin else (_asked_in, (cls.__module__, *asked))
    forward = vars(cls).get("_forward_cls")
    is_beside = isinstance(forward, type) and counterpart(forward) is cls
    return (getattr, (forward, "_backward_cls")) if is_beside else None


def _asked_in(module: str, origin: Any, args: Any) -> Any:
    """Ask for a class as a statement of `module` does, which pydantic looks at, and keeps the class there by a name."""
    space = vars(sys.modules[module])
    before = set(space)
    made = eval("origin[args]", {"__name__": module, "origin": origin, "args": args})  # noqa: S307
    for name in [name for name in space if name not in before and space[name] is made]:
        del space[name]  # it comes back in its place
    return made


def _make_class(kind: Any, name: str, bases: tuple[type, ...], options: dict[str, Any], *rest: Any) -> Any:
    """Make a class bare, without what the user's metaclass or `__init_subclass__` did when it was first made.

    What they did to the class and to others is in the graph, or was done to objects that are put back.
    """
    maker = _maker(kind)
    if kind.__name__ == "_TypedDictMeta" and bases == (dict,):  # it would ask for another one below
        return type.__new__(kind, name, bases, dict(options))
    with _without_hook(bases):
        if maker is kind:
            made = _internals._make_skeleton_class(kind, name, bases, options, *rest)  # noqa: SLF001
        else:
            made = maker.__new__(kind, name, bases, dict(options))
    if _may_be_bare(maker):
        _without_members(made, options)
    return made


def _maker(kind: Any) -> Any:
    """Name the first metaclass that is not the user's."""
    return next(one for one in kind.__mro__ if not is_own(one))


def _may_be_bare(maker: Any) -> bool:
    return maker in {type, abc.ABCMeta, type(typing.Protocol)} or maker.__module__.startswith("pydantic.")


def _without_members(cls: type, options: dict[str, Any]) -> None:
    """Take away what a library set too early, in `__init_subclass__` or by its metaclass: it comes back in its place.

    What stands for a slot has been made with the class, and does not come back.
    """
    found = vars(cls).items()
    others = (name for name, value in found if not isinstance(value, types.MemberDescriptorType))
    for name in [name for name in others if not name.startswith("__") and name not in {*options, *_MADE}]:
        type.__delattr__(cls, name)


def _in_order(rest: list[Any], cls: type) -> list[Any]:
    """Keep the members of a class in the order of its body, which cloudpickle sorts.

    Those that are the very object that a base has too, which cloudpickle leaves out, are its own as well,
    and so are those that were set where a slot was.
    """
    (members, slots), *more = rest
    members = {**_inherited(cls), **_in_slots(cls), **members}
    ordered = {name: members[name] for name in cls.__dict__ if name in members and name != "__slotnames__"}
    if not _may_be_bare(_maker(type(cls))) and more[-1:] == [_internals._class_setstate]:  # noqa: SLF001
        more[-1] = _fill_in_order
    return [(ordered, slots), *more]


def _fill_in_order(cls: type, state: tuple[dict[str, Any], Any]) -> Any:
    """Fill a class, of which a library's metaclass has set some members already, in the order of all."""
    for name in [name for name in state[0] if name in vars(cls) and not name.startswith("__")]:
        type.__delattr__(cls, name)
    return _internals._class_setstate(cls, state)  # noqa: SLF001


def _closed(cls: type) -> list[str]:
    """Name the members that only the making of a class can set, since its metaclass has a property of that name."""
    kind = type(cls)
    return [
        name for name in cls.__dict__ if name not in _MADE and isinstance(getattr(kind, name, None), property)
    ]


def _before_slots(cls: type, options: dict[str, Any], members: dict[str, Any]) -> dict[str, Any]:
    """Give what a class is made with, and places for members of its body: what stands for slots comes after those."""
    body = itertools.takewhile(
        lambda name: not isinstance(cls.__dict__[name], types.MemberDescriptorType), cls.__dict__
    )
    places = {name: options.get(name) for name in body if name in {**options, **members}}
    return {**places, **options}


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
def _without_hook(bases: tuple[type, ...]) -> Iterator[None]:
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
