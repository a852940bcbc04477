"""Functions of libraries that keep what they are given for later calls, whatever their names: `lib.choose(5)`."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lean_magic.values.code import facts
from lean_magic.values.keeping import is_straight, keeps
from lean_magic.values.origin import is_a, origin
from lean_magic.values.owners import owner_of
from lean_magic.values.steps import LATER

__all__ = ["configured", "resolved"]

_DEEPEST, _SHORT = 2, 200  # calls inside calls, bytes of code


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
    if depth == _DEEPEST or len(code.co_code) > _SHORT or code.co_flags & LATER or not is_straight(code):
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
