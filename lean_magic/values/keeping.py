"""Functions that keep what they are given for later calls, told from those that remember what they computed."""

from __future__ import annotations

import dis
import functools
import inspect
import types
from collections.abc import Iterator

from lean_magic.values.returned import returned
from lean_magic.values.steps import LATER, steps

__all__ = ["is_straight", "keeps"]

_PUTS = {dis.opmap[name] for name in ("STORE_GLOBAL", "STORE_ATTR", "STORE_SUBSCR")}
_SAYS = {"setattr", "update"}
_SKIPPED = {"COPY_FREE_VARS", "CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG", "NOP", "NOT_TAKEN", "KW_NAMES"}
_ATTRS = {"LOAD_ATTR", "LOAD_METHOD"}
_CONSTANTS = {"LOAD_CONST", "LOAD_SMALL_INT"}
_CONVERTS = {"bool", "dict", "float", "int", "list", "set", "str", "tuple"}


@functools.lru_cache(maxsize=4096)
def keeps(code: types.CodeType, *, is_bound: bool) -> bool:
    """Whether a function puts what it was given where later calls find it: in a global, or into what one stands for.

    What was computed from it is a result that is remembered, which changes nothing, unless the function gives nothing
    back: then it is called for that. A function that puts a constant there, and has no branches, switches something.
    """
    if code.co_flags & LATER or (_PUTS.isdisjoint(code.co_code[::2]) and _SAYS.isdisjoint(code.co_names)):
        return False
    reading = _Reading(code, is_bound=is_bound)
    return any(reading.kept()) or (reading.only_puts and bool(returned(code, is_bound=is_bound).items))


@functools.lru_cache(maxsize=4096)
def is_straight(code: types.CodeType) -> bool:
    """Whether a function has no branches."""
    return all(step.goes < 0 for step in steps(code))


class _Reading:
    """The steps of one function."""

    def __init__(self, code: types.CodeType, *, is_bound: bool) -> None:
        self._steps = [step for step in steps(code) if step.name not in _SKIPPED]
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        self._given = {*code.co_varnames[is_bound:count]}
        self._stays = {*code.co_varnames[:is_bound]}
        self._is_straight = is_straight(code)
        self.only_puts = bool(self._given) and code.co_name != "__init__" and self._gives_nothing()

    def kept(self) -> Iterator[bool]:
        """Tell of each step whether it keeps something."""
        for index, step in enumerate(self._steps):
            if step.name == "STORE_GLOBAL":
                yield self._is_put(index - 1)
            elif step.name == "STORE_ATTR" and (base := self._base(index - 1)) is not None:
                yield self._is_put(base - 1)
            elif step.name == "STORE_SUBSCR" and (base := self._base(index - 2)) is not None:
                yield self._is_given(base - 1)
            elif (step.name, step.what) == ("LOAD_GLOBAL", "setattr"):
                yield self._base(index + 1) is not None
            elif step.name in _ATTRS and step.what == "update":
                yield self._base(index - 1) is not None and self._is_given(index + 1)

    def _gives_nothing(self) -> bool:
        """Whether the function gives back nothing in any case: it is called for what it does."""
        ends = [
            place for place, step in enumerate(self._steps) if step.name in {"RETURN_VALUE", "RETURN_CONST"}
        ]
        said = (self._steps[place - (self._steps[place].name == "RETURN_VALUE")] for place in ends)
        return all(step.name in {"LOAD_CONST", "RETURN_CONST"} and step.what is None for step in said)

    def _base(self, index: int) -> int | None:
        """Give the step at which a chain of attributes begins that starts with something that stays; else None."""
        while index > 0 and self._steps[index].name in _ATTRS:
            index -= 1
        first = self._steps[index]
        stays = first.name == "LOAD_GLOBAL" or (first.name == "LOAD_FAST" and first.what in self._stays)
        return index if stays else None

    def _is_given(self, index: int) -> bool:
        """Whether a step gives an argument as it is, or by one of Python's own kinds."""
        if not 0 <= index < len(self._steps):
            return False
        step = self._steps[index]
        if step.name == "CALL" and index > 1 and self._steps[index - 2].what in _CONVERTS:
            return self._is_given(index - 1)
        return step.name == "LOAD_FAST" and step.what in self._given

    def _is_put(self, index: int) -> bool:
        """Whether a step gives what is worth keeping: a constant on a branch may only say that something was done."""
        if index >= 0 and self._steps[index].name in _CONSTANTS:
            return self._is_straight
        return self.only_puts or self._is_given(index)
