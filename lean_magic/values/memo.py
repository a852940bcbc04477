"""What a function under `functools.lru_cache` remembers, as calls and their results, and how to make it remember.

Only the garbage collector tells what is remembered (`lru_cache_tp_traverse` in CPython's Modules/_functoolsmodule.c):
without a limit a dict, else links, each of which is told as key, result and its own class. And only a call makes
the function remember, so for that moment the function under it says what it said before.
"""

from __future__ import annotations

import functools
import gc
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

from lean_magic.values.origin import is_own
from lean_magic.values.plain import SCALARS

__all__ = ["calls", "fill", "objects", "pairs", "remembers"]

_WRAPPER: type = type(functools.lru_cache(lambda: 0))
_LINK = "_lru_list_elem"
_MOST = 1 << 20  # bytes, and results, that are worth keeping beside the results of a cell
_HITS = 100_000

Call = tuple[tuple[Any, ...], dict[str, Any], Any]  # arguments, and what came of them


def pairs(wrapper: Any) -> Iterator[tuple[Any, Any]]:
    """Give (key, result) of all that is remembered, the oldest first."""
    held, size = gc.get_referents(wrapper), wrapper.cache_info().currsize
    if wrapper.cache_parameters()["maxsize"] is None:
        kept = (one for one in held if type(one) is dict and one is not vars(wrapper) and len(one) == size)
        return iter(next(kept, {}).items())
    ends = [place for place, one in enumerate(held) if type(one) is type and one.__name__ == _LINK]
    return ((held[place - 2], held[place - 1]) for place in ends[:size])


def remembers(value: Any) -> bool:
    """Whether this is code of the user's that remembers; what installed code remembers is its own affair."""
    wrapped = vars(value).get("__wrapped__") if type(value) is _WRAPPER else None
    return isinstance(wrapped, types.FunctionType) and is_own(wrapped)


def objects(wrapper: Any) -> frozenset[int]:
    """Give the ids of all keys and results."""
    return frozenset(id(item) for pair in pairs(wrapper) for item in pair)


def calls(wrapper: Any, known: frozenset[int] = frozenset()) -> list[Call]:
    """Give the calls that are remembered, but for those whose key and result are known; none if they are large."""
    found = [
        (*_call(wrapper, key), result) for key, result in pairs(wrapper) if not {id(key), id(result)} <= known
    ]
    return found if _are_small(found) else []


def fill(wrapper: Any, told: Sequence[Call], hits: int, misses: int = 0) -> None:
    """Make a function remember calls, and count so many answers from memory, and so many calls in all."""
    function = wrapper.__wrapped__
    if type(function) is not types.FunctionType:
        return
    own = function.__code__
    try:
        forgotten = misses - len(told) if len(told) == wrapper.cache_parameters()["maxsize"] else 0
        others: list[Call] = [((object(),), {}, None) for _ in range(min(forgotten, _HITS))]
        for args, options, result in [*others, *told]:
            function.__code__ = _saying(own, result)
            wrapper(*args, **options)
    finally:
        function.__code__ = own
    newest = [*pairs(wrapper)][-1:] if hits else []
    for args, options in [_call(wrapper, key) for key, _ in newest]:
        for _ in range(min(hits, _HITS)):
            wrapper(*args, **options)


@functools.lru_cache(maxsize=256)
def _talker(free: tuple[str, ...]) -> types.CodeType:
    """Make code that gives a constant, with variables of an outer function as `free` names them."""
    lines = [f"    {name} = 0" for name in free] + ["    def say(*args, **options):"]
    lines += [f"        {name}" for name in free] + [f"        return {_SAID!r}", "    return say.__code__"]
    space: dict[str, Any] = {}
    exec("\n".join(["def make():", *lines]), space)  # noqa: S102  names that Python itself gave
    made: types.CodeType = space["make"]()
    return made


_SAID = "what was said before"


def _saying(code: types.CodeType, result: Any) -> types.CodeType:
    talker = _talker(code.co_freevars)
    said = tuple(result if one == _SAID and type(one) is str else one for one in talker.co_consts)
    return talker.replace(co_consts=said)


def _call(wrapper: Any, key: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give the arguments that a key was made of: (…, mark, name, value, …, types of all of them if they count)."""
    if type(key) is not tuple:
        return (key,), {}
    mark = next((one for one in reversed(gc.get_referents(wrapper)) if type(one) is object), None)
    place = next((index for index, one in enumerate(key) if one is mark), len(key))
    typed = wrapper.cache_parameters()["typed"]
    if place == len(key):
        return key[: place // 2] if typed else key, {}
    rest = key[place + 1 :]
    named = rest[: 2 * (len(rest) - place) // 3] if typed else rest
    return key[:place], dict(zip(named[::2], named[1::2], strict=True))


def _are_small(found: list[Call]) -> bool:
    """Whether all are plain values of a million bytes at most: a model that was loaded is loaded again."""
    room = _MOST
    left: list[Any] = [*found]
    while left and room > 0:
        one = left.pop()
        if isinstance(one, (tuple, list, set, frozenset)):
            left += one
        elif type(one) is dict:
            left += [*one, *one.values()]
        elif type(one).__module__ == "__main__" and hasattr(one, "__dict__"):
            left.append(vars(one))
        elif type(one) not in SCALARS and type(one).__module__ != "numpy":
            return False
        room -= max(sys.getsizeof(one), getattr(one, "nbytes", 0), 64)
    return room > 0
