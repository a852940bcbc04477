"""Python's own iterators: generators that are finished or have not begun, and what goes through a dict.

A generator that has not begun is what it was called with. One that is half used is neither compared nor stored.
"""

from __future__ import annotations

import gc
import inspect
import itertools
import operator
import types
from collections import deque
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Walk, combine

__all__ = [
    "THROUGH_DICTS",
    "finished",
    "generator",
    "generator_rule",
    "give_generator",
    "give_rest",
    "take_generator",
    "take_rest",
    "through_dict",
]

_HALF_USED = "is a generator half used"


def _call(obj: types.GeneratorType[Any, Any, Any]) -> tuple[Any, ...] | None:
    """Give the function that a generator was made by and what it was given; None if it has begun."""
    frame = obj.gi_frame
    if frame is None or inspect.getgeneratorstate(obj) != inspect.GEN_CREATED:
        return None
    code, given = obj.gi_code, frame.f_locals
    held = (one for one in gc.get_referents(obj) if isinstance(one, types.FunctionType))
    function = next((one for one in held if one.__code__ is code), None)
    if function is None:
        return None
    named = code.co_argcount + code.co_kwonlyargcount
    more = code.co_varnames[named:]
    many = bool(code.co_flags & inspect.CO_VARARGS)
    positions = [given[name] for name in code.co_varnames[: code.co_argcount]]
    keywords = {name: given[name] for name in code.co_varnames[code.co_argcount : named]}
    if code.co_flags & inspect.CO_VARKEYWORDS:
        keywords |= given[more[many]]
    return function, (*positions, *(given[more[0]] if many else ())), keywords


def generator_rule(walk: Walk, value: types.GeneratorType[Any, Any, Any]) -> bytes:
    """Digest a generator that is finished, or has not begun; refuse one that is half used."""
    if value.gi_frame is None:
        return combine("finished generator")
    call = _call(value)
    if call is None:
        why = f"{_HALF_USED}, whose rest cannot be compared"
        raise walk.fail(value, why, "make it in the cell that goes through it, or pass a list")
    walk.mark(value)
    return combine("generator", walk.digests(walk.keep(call)))


def generator(obj: types.GeneratorType[Any, Any, Any]) -> Any:
    """Take a generator apart. Raises Unstorable for one that is half used."""
    if obj.gi_frame is None:
        return finished, ()
    call = _call(obj)
    if call is None:
        raise Unstorable("generator", _HALF_USED, "go through it in the cell, as list(…) does")
    return _make_unbegun, call


def _make_unbegun(function: Any, positions: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return function(*positions, **keywords)


def finished() -> Any:
    """Make a generator that has nothing to give."""
    made: Any = (item for item in list[Any]())
    next(made, None)
    return made


_make_finished = finished  # as older entries call it


def take_generator(value: types.GeneratorType[Any, Any, Any]) -> bool:
    """Give whether a generator is finished. Raises Unstorable for one that is half used."""
    generator(value)
    return value.gi_frame is None


def give_generator(live: types.GeneratorType[Any, Any, Any], is_finished: bool) -> None:
    """Finish a generator that has not begun, of which no code runs."""
    if is_finished:
        live.close()


def through_dict(obj: Any) -> Any:
    """Take what goes through a dict apart into the dict and how much of it is to come."""
    table = next((one for one in gc.get_referents(obj) if isinstance(one, dict)), None)
    return _make_through, (type(obj).__name__, table, operator.length_hint(obj))


def _make_through(kind: str, table: Any, rest: int) -> Any:
    made: Any = iter(_VIEWS[kind]({} if table is None else table))
    if table is None:
        next(made, None)
    else:
        give_rest(made, rest)
    return made


def take_rest(value: Any) -> int:
    """Give how much is still to come."""
    return operator.length_hint(value)


def give_rest(live: Any, count: int) -> None:
    """Go on until so much is still to come."""
    deque(itertools.islice(live, max(take_rest(live) - count, 0)), maxlen=0)


_VIEWS: dict[str, Any] = {
    "dict_keyiterator": dict.keys,
    "dict_valueiterator": dict.values,
    "dict_itemiterator": dict.items,
    "dict_reversekeyiterator": lambda table: reversed(dict.keys(table)),
    "dict_reversevalueiterator": lambda table: reversed(dict.values(table)),
    "dict_reverseitemiterator": lambda table: reversed(dict.items(table)),
}
THROUGH_DICTS: tuple[type, ...] = tuple(type(iter(view({}))) for view in _VIEWS.values())
