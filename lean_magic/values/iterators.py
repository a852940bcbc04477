"""How far an iterator has come, to be taken as far when a cell is put back."""

from __future__ import annotations

import collections
import itertools
import operator
import types
from collections.abc import Callable
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.yielding import THROUGH_DICTS, give_generator, give_rest, take_generator, take_rest

__all__ = ["ITERATORS"]


def _take_iterator(value: Any) -> int | None:
    """Give how far an iterator has come; None at its end."""
    form = value.__reduce__()
    return form[2] if len(form) > 2 else None


def _give_iterator(live: Any, place: int | None) -> None:
    if place is None:
        collections.deque(live, maxlen=0)  # takes the rest
    else:
        live.__setstate__(place)


def _take_place(value: Any) -> int:
    """Give how far an iterator by numbers has come; what it went through may be asked by code of the user's."""
    place = _take_iterator(value)
    if place is None:
        why = "holds an iterator that was taken to its end in place"
        raise Unstorable("iterator", why, "make it and take from it in one cell")
    return place


def _take_count(value: Any) -> tuple[Any, ...]:
    return tuple(value.__reduce__()[1])


def _give_count(live: Any, content: tuple[Any, ...]) -> None:
    now, step = (*_take_count(live), 1)[:2]
    if step:  # there is no way back
        collections.deque(itertools.islice(live, max(int((content[0] - now) / step), 0)), maxlen=0)


def _take_nothing(value: Any) -> None:
    del value


def _give_nothing(live: Any, content: None) -> None:
    del live, content


def _take_cycle(value: itertools.cycle[Any]) -> tuple[int, bool, int]:
    """Give (place, whether it has been round once, how many items it knows)."""
    form: Any = value.__reduce__()
    known, is_round = form[2]
    place = len(known) - (operator.length_hint(form[1][0]) if is_round else 0)
    return place, bool(is_round), len(known)


def _give_cycle(live: itertools.cycle[Any], content: tuple[int, bool, int]) -> None:
    """Go on until it stands where it stood; once round, there is no way back but round again."""
    place, was_round, count = content
    for _ in range(2 * max(count, _take_cycle(live)[2]) + 2):
        now, is_round, known = _take_cycle(live)
        if (now, is_round) == (place, was_round) or (is_round > was_round and now == place % max(known, 1)):
            return
        next(live, None)


# Of iterators those that can be set to any place in what they go through.
_GONE_THROUGH: tuple[Any, ...] = ([], (), "a", "\xe9", b"", bytearray())
_ITERATORS: set[type] = {type(reversed([])), *(type(iter(one)) for one in _GONE_THROUGH)}
_COUNTED: tuple[Any, ...] = (type(iter(range(0))), type(iter(set())), *THROUGH_DICTS)
_OVER_OTHERS = (zip, map, filter)  # which have come as far as the iterators that they go through
_BY_NUMBERS = type(iter(type("", (), {"__getitem__": None})()))  # an array's, too
ITERATORS: dict[type, tuple[Callable[[Any], Any], Callable[[Any, Any], None]]] = {
    itertools.count: (_take_count, _give_count),
    itertools.cycle: (_take_cycle, _give_cycle),
    types.GeneratorType: (take_generator, give_generator),
    **dict.fromkeys(_COUNTED, (take_rest, give_rest)),
    **dict.fromkeys(_OVER_OTHERS, (_take_nothing, _give_nothing)),
    _BY_NUMBERS: (_take_place, _give_iterator),
    **dict.fromkeys(_ITERATORS, (_take_iterator, _give_iterator)),
}
