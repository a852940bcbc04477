"""Functions of libraries that keep what they are given for later calls, whatever their names: `lib.choose(5)`."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lean_magic.values.code import facts
from lean_magic.values.origin import is_a, origin
from lean_magic.values.owners import owner_of

__all__ = ["configured", "resolved"]

_PUTS = {dis.opmap[name] for name in ("STORE_GLOBAL", "STORE_ATTR", "STORE_SUBSCR")}
_DEEPEST, _SHORT = 2, 200  # calls inside calls, bytes of code
_SAYS = {"setattr", "update"}
_SKIPPED = {"COPY_FREE_VARS", "CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG", "NOP", "NOT_TAKEN", "KW_NAMES"}
_ATTRS = {"LOAD_ATTR", "LOAD_METHOD"}
_CONSTANTS = {"LOAD_CONST", "LOAD_SMALL_INT"}
_CONVERTS = {"bool", "dict", "float", "int", "list", "set", "str", "tuple"}
# To call these runs nothing yet.
_LATER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def configured(chain: Sequence[str], namespace: Mapping[str, Any], depth: int = 0) -> str:
    """Name the package of a library whose function `a.b.c` keeps what it is given, or ""; `depth` counts calls."""
    for function, is_bound in _functions(*resolved(chain, namespace)):
        home = str(function.__module__ or "")
        if origin(home).installed and (
            keeps(function.__code__, is_bound=is_bound) or _hands_on(function, depth)
        ):
            return home.partition(".")[0]
    return ""


def _hands_on(function: types.FunctionType, depth: int) -> bool:
    """Whether a function is a few calls of others, one of which keeps what it is given."""
    code = function.__code__
    if depth == _DEEPEST or len(code.co_code) > _SHORT or code.co_flags & _LATER or not is_straight(code):
        return False
    calls = (chain for kind, *chain in sorted(facts(code).uses) if kind == "call")
    return any(configured(chain, function.__globals__, depth + 1) for chain in calls)


def resolved(chain: Sequence[str], namespace: Mapping[str, Any]) -> tuple[Any, bool]:
    """Give what `a.b.c` stands for without loading or running anything, and whether it is bound to what is kept."""
    is_module = chain[0].startswith("import ")
    value = sys.modules.get(chain[0].removeprefix("import ")) if is_module else namespace.get(chain[0])
    is_bound = False
    for step in chain[1:]:
        is_bound = not is_a(value, (types.ModuleType, type))
        if is_bound and owner_of(value) is None:
            return None, False
        own = getattr(value, "__dict__", {})
        cls: Any = value if is_a(value, type) else type(value)
        value = own[step] if step in own else _member(cls, step)
    return value, is_bound


def _member(cls: type, name: str) -> Any:
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def _functions(value: Any, is_bound: bool) -> Iterator[tuple[types.FunctionType, bool]]:
    """Give what runs when something is called, and whether its first argument stays."""
    if is_a(value, type):
        for name in ("__new__", "__init__"):
            yield from _functions(_member(value, name), is_bound=False)
        return
    if is_a(value, (staticmethod, classmethod)):
        value, is_bound = value.__func__, is_a(value, classmethod)
    while is_a(value, types.FunctionType) and is_a(vars(value).get("__wrapped__"), types.FunctionType):
        value = value.__wrapped__
    if is_a(value, types.FunctionType):
        yield value, is_bound


class _Step(NamedTuple):
    name: str
    what: Any


@functools.lru_cache(maxsize=4096)
def keeps(code: types.CodeType, *, is_bound: bool) -> bool:
    """Whether a function puts what it was given where later calls find it: in a global, or into what one stands for.

    What was computed from it is a result that is remembered, which changes nothing. A function that puts a
    constant there, and has no branches, switches something.
    """
    if code.co_flags & _LATER or (_PUTS.isdisjoint(code.co_code[::2]) and _SAYS.isdisjoint(code.co_names)):
        return False
    return any(_Reading(code, is_bound=is_bound).kept())


@functools.lru_cache(maxsize=4096)
def is_straight(code: types.CodeType) -> bool:
    """Whether a function has no branches."""
    return not any("JUMP" in step.opname or step.opname == "FOR_ITER" for step in dis.get_instructions(code))


class _Reading:
    """The steps of one function."""

    def __init__(self, code: types.CodeType, *, is_bound: bool) -> None:
        self._steps = [one for step in dis.get_instructions(code) for one in _single(step)]
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        self._given = {*code.co_varnames[is_bound:count]}
        self._stays = {*code.co_varnames[:is_bound]}
        self._is_straight = is_straight(code)

    def kept(self) -> Iterator[bool]:
        """Tell of each step whether it keeps something."""
        for index, step in enumerate(self._steps):
            if step.name == "STORE_GLOBAL":
                yield self._is_given(index - 1) or self._is_constant(index - 1)
            elif step.name == "STORE_ATTR" and (base := self._base(index - 1)):
                yield self._is_given(base - 1) or self._is_constant(base - 1)
            elif step.name == "STORE_SUBSCR" and (base := self._base(index - 2)):
                yield self._is_given(base - 1)
            elif step == ("LOAD_GLOBAL", "setattr"):
                yield self._base(index + 1) is not None
            elif step.name in _ATTRS and step.what == "update":
                yield self._base(index - 1) is not None and self._is_given(index + 1)

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

    def _is_constant(self, index: int) -> bool:
        return self._is_straight and index >= 0 and self._steps[index].name in _CONSTANTS


def _single(step: dis.Instruction) -> Iterator[_Step]:
    """Give a step, two where Python joins two, under the name that it has in all versions."""
    if step.opname in _SKIPPED:
        return
    if "_FAST" in step.opname and isinstance(step.argval, tuple):
        kinds = ["LOAD_FAST" if "LOAD" in kind else "STORE_FAST" for kind in step.opname.split("_FAST")[:-1]]
        for kind, what in zip(kinds, step.argval, strict=False):
            yield _Step(kind, what)
        return
    yield _Step("LOAD_FAST" if step.opname.startswith("LOAD_FAST") else step.opname, step.argval)
