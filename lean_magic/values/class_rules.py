"""Fingerprints of classes: the user's own by all they say, installed ones by name and by what the user hung on them."""

from __future__ import annotations

import abc
import collections.abc
import contextlib
import operator
import re
import sys
import types
from typing import Any

from lean_magic.values.built_enums import is_built
from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.naming import importable, named
from lean_magic.values.origin import IMMUTABLE, is_own, module_of

__all__ = ["class_rule", "counterpart", "members", "registered"]

# Written by Python or by use, not by the author of a class.
_SKIPPED = frozenset({
    "__dict__", "__weakref__", "__slotnames__", "__module__", "__firstlineno__", "__static_attributes__",
    "__abstractmethods__",
    "_abc_impl", "__subclasshook__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__classcell__",
    "_value2member_map_", "_hashable_values_", "_unhashable_values_", "_unhashable_values_map_",
    # What pydantic builds of a class and its annotations, at first use.
    "__pydantic_core_schema__", "__pydantic_validator__", "__pydantic_serializer__", "__pydantic_complete__",
    "__pydantic_setattr_handlers__", "__pydantic_parent_namespace__", "__signature__",
})  # fmt: skip


def class_rule(walk: Walk, value: type) -> bytes:
    """Digest a class: installed ones by name, the user's own by all they say."""
    known = walk.patched.get(value)
    if known is not None:
        return known
    if not is_own(value):
        if importable(value):
            return _installed_class(walk, value)
        walk.use_module(module_of(value))
        if value.__flags__ & IMMUTABLE or is_built(value):
            return named(walk, "built class", value)
    walk.mark(value)
    bases, deduced = getattr(value, "__orig_bases__", value.__bases__), _deduced(value)
    found = [(name, member) for name, member in members(value) if name not in deduced]
    return combine(
        "class",
        walk.digest(value.__qualname__),
        walk.digest(type(value)),
        walk.digest(value.__bases__),
        walk.digest(bases if bases is not value.__bases__ else None),
        *[walk.digest(name) + walk.digest(_said(name, member)) for name, member in found],
        *([walk.unordered(kin)] if (kin := registered(value)) else []),
        *([] if value.__name__ == value.__qualname__.rpartition(".")[2] else [walk.digest(value.__name__)]),
        leaf("order", " ".join(_order(value, {name for name, _ in found})).encode("utf-8", "replace")),
    )


def _deduced(cls: type) -> set[str]:
    """Name what SymPy deduces of a class from what its body and its bases say, and puts into it in sets' order."""
    facts, said = (vars(cls).get(name) for name in ("default_assumptions", "_explicit_class_assumptions"))
    if not isinstance(facts, dict) or not isinstance(said, dict):
        return set()
    return {*_DEDUCED, *(f"is_{fact}" for fact in facts.keys() - said.keys())}


_DEDUCED = "default_assumptions", "_explicit_class_assumptions", "_prop_handler"


def _said(name: str, member: Any) -> Any:
    """Give a member; the text that dataclasses make of defaults has their addresses in it."""
    return re.sub(_ADDRESS, "", member) if name == "__doc__" and type(member) is str else member


_ADDRESS = " at 0x[0-9a-fA-F]+"


def _installed_class(walk: Walk, cls: type) -> bytes:
    """Digest an installed class by name, and what of the user's own hangs on it or its bases."""
    walk.patched[cls] = name = combine("installed class", named(walk, "class", cls))
    found = [
        walk.digest(label) + walk.digest(member)
        for base in cls.__mro__
        if not is_own(base)
        for label, member in _patches(base)
    ]
    if found:
        walk.patched[cls] = combine("patched class", name, *found)
    return walk.patched[cls]


def _patches(cls: type) -> list[tuple[str, Any]]:
    """List the members of an installed class that the user wrote; looked at again where a member is another."""
    held = vars(cls)
    if len(held) < _MANY:
        return [pair for pair in held.items() if _is_patch(pair[1])]
    members = list(held.values())
    known, places = _judged.get(cls, ([], []))
    if len(known) != len(members) or not all(map(operator.is_, known, members)):
        places = [place for place, member in enumerate(members) if _is_patch(member)]
        _judged[cls] = (members, places)
    names = list(held) if places else []
    return [(names[place], members[place]) for place in places]


_MANY = 4  # members; the central classes of pandas and torch have hundreds
_judged: dict[type, tuple[list[Any], list[int]]] = {}


def _is_patch(member: Any) -> bool:
    """Whether a member of an installed class was written by the user: a function, an accessor."""
    if type(member) in _NEVER_OWN:
        return False
    if isinstance(member, property):
        member = member.fget or member.fset
    elif isinstance(member, (staticmethod, classmethod)):
        member = member.__func__
    else:
        # An accessor of pandas; a partialmethod.
        with contextlib.suppress(AttributeError):
            inner = object.__getattribute__(member, "__dict__")
            member = inner.get("_accessor", inner.get("func", member))
    code = member if isinstance(member, (types.FunctionType, type)) else type(member)
    return code.__module__ is not None and is_own(code)  # a library's generated methods may have no module


_NEVER_OWN = frozenset({
    str, int, float, bool, tuple, dict, list, set, frozenset, type(None), types.BuiltinFunctionType,
    types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType,
})  # fmt: skip


def registered(cls: type) -> list[type]:
    """List the classes registered with an abstract base class."""
    if not isinstance(cls, abc.ABCMeta) or "_abc_impl" not in vars(cls):
        return []
    found = (reference() for reference in abc._get_dump(cls)[0])  # type: ignore[attr-defined]  # noqa: SLF001
    return [one for one in found if one is not None]


def members(cls: type) -> list[tuple[str, Any]]:
    """List what a class's own body and later assignments put into it, in name order."""
    hidden = _SKIPPED | {"__parameters__", "__orig_bases__"}
    doc = {"__doc__"} if cls.__dict__.get("__doc__") is None else set()
    notes = vars(cls).get("__annotations__")
    if type(notes) is dict and not notes:  # Python makes it when somebody asks
        hidden |= {"__annotations__"}
    if "__attrs_attrs__" in cls.__dict__:
        hidden |= {"__hash__"}  # attrs writes a number into it that is another in each process
    beside = counterpart(cls)
    members = [
        (name, member)
        for name, member in cls.__dict__.items()
        if (beside is None or member is not beside)
        and (name not in hidden | doc or (name == "__subclasshook__" and _is_users(member)))
        and not isinstance(member, _SLOT)
    ]
    return sorted(members, key=lambda item: item[0])


def counterpart(cls: type) -> type | None:
    """Give the class that torch makes beside each function for autograd, and numbers as the process goes; or None."""
    found = vars(cls).get("_backward_cls")
    return found if isinstance(found, type) and vars(found).get("_forward_cls") is cls else None


def _order(cls: type, kept: set[str]) -> list[str]:
    """Name the members of a class in their order, and the abstract classes of libraries that it is registered with."""
    return [*(name for name in vars(cls) if name in kept and name[0] != "_"), *_kinds(cls)]


def _kinds(cls: type) -> list[str]:
    """Name the abstract classes of libraries that a class counts as."""
    bases = set(cls.__mro__)
    unnoted = [base for base in bases if "__annotations__" not in vars(base)]
    found = [one.__qualname__ for one in _abstract() if one not in bases and issubclass(cls, one)]
    for base in unnoted:
        if "__annotations__" in vars(base):  # a protocol has asked for them, and Python has made some
            type.__delattr__(base, "__annotations__")
    return found


def _abstract() -> list[type]:
    numbers = sys.modules.get("numbers")
    homes = (collections.abc, *((numbers,) if numbers is not None else ()))
    found = (vars(home).get(name) for home in homes for name in home.__all__)
    return [one for one in found if isinstance(one, abc.ABCMeta)]


def _is_users(hook: Any) -> bool:
    """Whether it is a hook of the user's, not the one that every protocol has."""
    function = getattr(hook, "__func__", hook)
    return isinstance(function, types.FunctionType) and is_own(function)


_SLOT = types.MemberDescriptorType  # made from `__slots__`, unless something else was set in its place
