"""Attributes that a cell sets on modules and classes of libraries without naming both: `patch(pd.DataFrame)`."""

from __future__ import annotations

import ast
import contextlib
import dis
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lean_magic.key.syntax import compiled
from lean_magic.values.code import CodeFacts, facts, nested
from lean_magic.values.handed import handed, may_set, newly_set
from lean_magic.values.origin import is_a, is_own, origin
from lean_magic.values.owners import HANDED_TO, Owner

__all__ = ["Unnamed", "called_from", "compiled_all", "functions"]

_Space = Mapping[str, Any]
_PUTS = {dis.opmap["STORE_ATTR"], dis.opmap["DELETE_ATTR"]}


class Unnamed:
    """Compares, for each cell, what it may set attributes on before and after."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[Owner, dict[str, Any]]] = {}
        self._cell: tuple[Sequence[ast.stmt], list[types.CodeType]] = (), []

    def look(self, nodes: Sequence[ast.stmt], namespace: _Space) -> None:
        """Take down what is there before a cell runs."""
        self._cell = nodes, compiled_all(nodes)
        said, spaces = _reached(self._cell[1], namespace)
        owners = handed(said, spaces) if may_set(said) else []
        self._before = {id(owner.value): (owner, dict(vars(owner.value))) for owner in owners}

    def found(self, nodes: Sequence[ast.stmt], namespace: _Space) -> Iterator[tuple[Owner, str]]:
        """Give what is set now: (on what, attribute)."""
        codes = self._cell[1] if self._cell[0] is nodes else compiled_all(nodes)
        said, spaces = _reached(codes, namespace)
        for owner in handed(said, spaces) if may_set(said) else ():
            _, before = self._before.get(id(owner.value), (owner, None))
            yield from ((owner, name) for name in newly_set(said, owner, before))
        self._before, self._cell = {}, ((), [])


def _reached(cell: Sequence[types.CodeType], namespace: _Space) -> tuple[CodeFacts, list[_Space]]:
    """Give what a cell and the functions of the user's say that it may call, and the globals these use.

    Nothing where none of them sets an attribute, which is told without taking them apart.
    """
    found = CodeFacts()
    codes = called_from(dict.fromkeys(cell, namespace))
    if any(_sets(inner) for code in codes for inner in nested(code)):
        for code in codes:
            found.merge(facts(code))
    return found, [*{id(space): space for space in (namespace, *codes.values())}.values()]


def called_from(codes: Mapping[types.CodeType, _Space]) -> dict[types.CodeType, _Space]:
    """Give some code and that of the functions of the user's that it may call, each with its globals."""
    found = dict(codes)
    todo = [*found.items()]
    while todo:
        for function in _called(*todo.pop()):
            if function.__code__ not in found:
                found[function.__code__] = function.__globals__
                todo.append((function.__code__, function.__globals__))
    return found


def compiled_all(nodes: Sequence[ast.stmt]) -> list[types.CodeType]:
    """Compile the statements of a cell, those that can be."""
    codes = []
    for node in nodes:
        with contextlib.suppress(SyntaxError, ValueError):
            codes.append(compiled(node))
    return codes


def _sets(code: types.CodeType) -> bool:
    return not _PUTS.isdisjoint(code.co_code[::2]) or not HANDED_TO.isdisjoint(code.co_names)


def _called(code: types.CodeType, space: _Space) -> Iterator[types.FunctionType]:
    """Give the functions of the user's that some code may call by a name, or by one inside a local module."""
    names = {name for inner in nested(code) for name in inner.co_names}
    for name in names & space.keys():
        value = space[name]
        if is_a(value, types.ModuleType):
            inner = vars(value) if origin(value.__name__).own and vars(value) is not space else {}
            for one in names & inner.keys():
                yield from functions(inner[one])
        else:
            yield from functions(value)


def functions(value: Any) -> Iterator[types.FunctionType]:
    """Give what runs when something of the user's is called: a function, or the methods of a class."""
    cls = value if is_a(value, type) else type(value)
    if is_a(value, types.FunctionType):
        yield from [value] if is_own(value) else []
    elif cls.__module__ != "builtins" and is_own(cls):
        yield from (one for one in vars(cls).values() if is_a(one, types.FunctionType))
