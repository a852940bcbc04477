"""What a cell sets attributes and items on where only running can tell: `getattr(lib, "options")().width = 3`.

The statements that run are changed: what such a target stands on is noted on its way. If it is still there after the
cell, and nothing that the cell reads, binds or stores leads to it, a library keeps it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import decimal
import gc
import logging
import sys
import types
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lean_magic.effects import Record, Run
from lean_magic.errors import Unstorable
from lean_magic.key import below
from lean_magic.values.layout import referents
from lean_magic.values.origin import is_a, is_own, origin
from lean_magic.values.owners import owner_of

__all__ = ["Target", "Targets"]

_NAME = "set on"  # what the changed targets call: no name that a user can write
_ROOM = 100
_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp)
_PLACES = (types.ModuleType, type)
# Watched as settings.
_KNOWN = {
    (logging.Logger, "level"), (logging.Logger, "propagate"), (logging.Logger, "disabled"),
    (decimal.Context, "*"), (type(decimal.getcontext().traps), "*"),
}  # fmt: skip


class Target(NamedTuple):
    """What is set on and kept by a library; `attribute` is empty for an item, `names` are those it is reached by."""

    value: Any
    attribute: str
    names: frozenset[str]


class Targets:
    """Notes what the targets of one cell stand on."""

    def __init__(self) -> None:
        self._noted: dict[int, tuple[Any, str, int]] = {}
        self._names: list[frozenset[str]] = []
        self._room = _ROOM

    @contextlib.contextmanager
    def noting(self, nodes: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> Iterator[list[ast.stmt]]:
        """Give the statements to run, which tell what they set something on."""
        if not any(_is_unclear(node, namespace) for node in below(nodes, ast.Attribute, ast.Subscript)):
            yield list(nodes)
            return
        changed = copy.deepcopy(list(nodes))
        for target in [target for node in changed for target in _targets(node)]:
            if _is_unclear(target, namespace):
                self._mark(target)
        space = vars(builtins)
        before = space.get(_NAME)
        space[_NAME] = self._note
        try:
            yield changed
        finally:
            del space[_NAME]
            if before is not None:
                space[_NAME] = before  # of a cell around this one

    def _mark(self, node: ast.Attribute | ast.Subscript) -> None:
        base, name = node.value, getattr(node, "attr", "")
        self._names.append(frozenset(inner.id for inner in ast.walk(base) if isinstance(inner, ast.Name)))
        told = [base, ast.Constant(name), ast.Constant(len(self._names) - 1)]
        node.value = ast.Call(ast.Name(_NAME, ast.Load()), told, [])
        for new in (node.value, node.value.func, *told[1:]):
            ast.copy_location(new, base)

    def _note(self, value: Any, attribute: str, place: int) -> Any:
        if (type(value), attribute) not in _KNOWN and (type(value), "*") not in _KNOWN:
            self._noted[id(value)] = _handle(value), attribute, place
            if len(self._noted) > self._room:
                self._let_go()
        return value

    def _let_go(self) -> None:
        """Forget what is held by nobody else, so that a loop does not fill the memory."""
        self._noted = {key: noted for key, noted in self._noted.items() if _living(noted[0]) is not None}
        self._room = 2 * len(self._noted) + _ROOM

    def kept(
        self, roots: Iterable[Any], namespace: Mapping[str, Any], known: Iterable[Any] = ()
    ) -> list[Target]:
        """Give what is still there and neither known nor reached from `roots`; `namespace` alone leads nowhere."""
        for again in (False, True):
            found = {
                key: Target(value, attribute, self._names[place])
                for key, (handle, attribute, place) in self._noted.items()
                if (value := _living(handle)) is not None
            }
            for one in (namespace, *known) if found else ():
                found.pop(id(one), None)
            _forget_reached(found, roots, namespace)
            if not found or again:
                break
            gc.collect()  # what holds only itself is not kept
        return list(found.values())

    def kept_from(self, namespace: Mapping[str, Any]) -> list[Target]:
        """Give what is still there and not reached from the names of the notebook."""
        found = self.kept(namespace.values(), namespace) if self._noted else []
        # The globals of modules are looked through in another way.
        return [target for target in found if not _space_of(target.value)]

    def must_be_reached(self, run: Run, records: Mapping[str, Record]) -> None:
        """Refuse a cell that has set something on what only a library keeps. Raises Unstorable."""
        if not self._noted:
            return
        named = [run.namespace[name] for name in run.reads | run.assigned if name in run.namespace]
        values = [record.values for record in records.values()]
        put = records["attributes"].values or {}
        for value, attribute, _ in self.kept([*named, *values], run.namespace, run.walk.objects):
            owner = owner_of(value) if is_a(value, _PLACES) else None
            told = owner is not None and (owner.module, owner.path, attribute) in put
            if not told and not any(place[:2] == (_space_of(value), "") for place in put):
                label = owner.label if owner is not None else f"an object ({type(value).__qualname__})"
                why = "that a library keeps was changed by this cell"
                raise Unstorable(label, why, "change it in an uncached cell")


def _targets(node: ast.AST) -> Iterator[ast.Attribute | ast.Subscript]:
    """Give the attributes and items that are set or deleted as the cell runs, not inside functions it defines."""
    if isinstance(node, _LATER):
        return
    if isinstance(node, (ast.Attribute, ast.Subscript)):
        yield node
    for inner in ast.iter_child_nodes(node):
        yield from _targets(inner)


def _is_unclear(node: ast.Attribute | ast.Subscript, namespace: Mapping[str, Any]) -> bool:
    """Whether something is set there on what the code does not name."""
    if isinstance(node.ctx, ast.Load):
        return False
    base: ast.expr = node.value
    by_item = False
    while isinstance(base, (ast.Attribute, ast.Subscript)):
        if isinstance(base, ast.Attribute) and base.attr.startswith("__"):
            return True
        by_item = by_item or isinstance(base, ast.Subscript)
        base = base.value
    if isinstance(base, ast.Name):
        return by_item and is_a(namespace.get(base.id), types.ModuleType)
    return not isinstance(base, ast.Constant)


def _handle(value: Any) -> Any:
    try:
        return weakref.ref(value)
    except TypeError:
        return [value]


def _count(box: list[Any]) -> int:
    return sys.getrefcount(box[0])


_ALONE = _count([object()])


def _living(handle: Any) -> Any:
    """Give what a handle stands for, if somebody else holds it still."""
    if type(handle) is weakref.ref:
        return handle()
    return handle[0] if _count(handle) > _ALONE else None


def _forget_reached(found: dict[int, Target], roots: Iterable[Any], namespace: Mapping[str, Any]) -> None:
    """Take away what can be reached from some values, and modules and classes of the user's."""
    for key, target in list(found.items()):
        if is_a(target.value, _PLACES) and _is_users(target.value):
            del found[key]
    libraries = {id(vars(one)) for one in _modules() if not _is_users(one)}
    seen = libraries | {id(namespace)}
    todo = list(roots)
    while todo and found:
        fresh = {id(one): one for one in todo if id(one) not in seen}
        seen |= fresh.keys()
        for key in found.keys() & fresh.keys():
            del found[key]
        todo = [inner for one in fresh.values() if not _is_closed(one) for inner in referents(one)]


def _space_of(value: Any) -> str:
    """Name the module whose globals these are, or ""."""
    return next((one.__name__ for one in _modules() if vars(one) is value), "") if type(value) is dict else ""


def _modules() -> list[types.ModuleType]:
    return [one for one in list(sys.modules.values()) if is_a(one, types.ModuleType)]


def _is_users(place: Any) -> bool:
    return origin(place.__name__).own if is_a(place, types.ModuleType) else is_own(place)


def _is_closed(value: Any) -> bool:
    return is_a(value, types.FrameType) or (is_a(value, _PLACES) and not _is_users(value))
