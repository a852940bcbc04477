"""Many objects of one class, digested attribute by attribute rather than object by object.

Ten thousand records are a class, the names of its attributes, and for each name a column of values, which is most
often plain and then digested in one go (values/plain.py). It is what their reduced forms would tell: only classes
are taken that leave it to Python how instances are taken apart. Which way is taken depends on content alone.
"""

from __future__ import annotations

import copyreg
import marshal
import types
from collections.abc import Callable, Sequence
from typing import Any

from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.reduced import (
    PICKLING,
    intercepts,
    is_plain,
    is_silent,
    name_leaf,
    shapes_itself,
    taken_apart,
)
from lean_magic.values.slots import is_slot, slot_names

__all__ = ["together_for"]

_Rows = list[tuple[Any, ...]]
_LAYOUTS = 8  # sets of attributes that instances of one class may have here


def together_for(cls: type) -> Callable[[Walk, list[Any]], bytes | None] | None:
    """Say how many instances of a class are digested in one go whose rule is `reduced`; None if one by one."""
    if cls in copyreg.dispatch_table or taken_apart(cls) is not None:
        return None
    if _is_named_tuple(cls):
        return _named_tuples
    if not _is_its_attributes(cls):
        return None
    slots = slot_names(cls)
    if cls.__dictoffset__:
        return None if slots else _with_dict
    return _with_slots if slots and all(is_slot(cls, name) for name in slots) else None


def _is_its_attributes(cls: type) -> bool:
    """Whether the attributes of an instance are all that it is digested by."""
    known = is_silent(cls) or shapes_itself(cls) or intercepts(cls)
    return known and is_plain(cls) and not issubclass(cls, types.SimpleNamespace)


def _with_dict(walk: Walk, values: list[Any]) -> bytes | None:
    dicts = [object.__getattribute__(value, "__dict__") for value in values]
    if set(map(type, dicts)) != {dict}:
        return None
    layouts = list(map(tuple, dicts))
    different = list(dict.fromkeys(layouts))
    if () in different or len(different) > _LAYOUTS or any(set(map(type, one)) != {str} for one in different):
        return None
    rows: dict[tuple[str, ...], _Rows] = {layout: [] for layout in different}
    for layout, one in zip(layouts, dicts, strict=True):
        rows[layout].append(tuple(one.values()))
    places = {layout: place for place, layout in enumerate(different)}
    which = marshal.dumps([places[layout] for layout in layouts], 2) if len(different) > 1 else b""
    walk.mark_all(values)
    head = walk.digest(type(values[0])), leaf("layouts", which)
    return combine("objects", *head, *[_columns(walk, layout, rows[layout]) for layout in different])


def _with_slots(walk: Walk, values: list[Any]) -> bytes | None:
    cls: Any = type(values[0])
    names = slot_names(cls)
    try:
        rows = [tuple(object.__getattribute__(value, name) for name in names) for value in values]
    except AttributeError:  # one that is not filled
        return None
    walk.mark_all(values)
    return combine("objects with slots", walk.digest(cls), _columns(walk, names, rows))


def _named_tuples(walk: Walk, values: list[Any]) -> bytes | None:
    cls: Any = type(values[0])
    if cls.__dictoffset__ and any(object.__getattribute__(value, "__dict__") for value in values):
        return None
    rows = [tuple.__getitem__(value, slice(None)) for value in values]
    width = len(rows[0])
    if not width or any(len(row) != width for row in rows):
        return None
    walk.mark_all(values)
    return combine("named tuples", walk.digest(cls), _columns(walk, tuple(map(str, range(width))), rows))


def _columns(walk: Walk, names: Sequence[str], rows: _Rows) -> bytes:
    columns = [walk.digest(column) for column in zip(*rows, strict=True)]
    return combine("columns", *map(name_leaf, names), *columns)


def _is_named_tuple(cls: Any) -> bool:
    """Whether instances hold nothing but a tuple, and `collections` alone says how they are taken apart."""
    *kinds, solid, _ = cls.__mro__
    said = [vars(one)[name] for one in kinds for name in PICKLING & vars(one).keys()]
    made = all(getattr(one, "__module__", "") == "collections" for one in said)
    return solid is tuple and made and len(said) == 1 and hasattr(cls, "_fields")
