"""Modules and classes of libraries that code takes as values, to set attributes on them that it does not name so."""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from lean_magic.values.code import CodeFacts
from lean_magic.values.origin import is_a, origin
from lean_magic.values.owners import HANDED_TO, Owner, is_patch, owner_of

__all__ = ["handed", "may_set", "newly_set"]

_ABSENT = object()
_SEEN = (bool, int, float, complex, str, bytes, tuple, list, dict, set, type(None))
_OWNERS = (types.ModuleType, type)
_ASK_CLASSES = {"type", "__class__"}


def may_set(said: CodeFacts) -> bool:
    """Whether code sets attributes at all."""
    return bool(said.puts) or _sets_any(said)


def _sets_any(said: CodeFacts) -> bool:
    return not (HANDED_TO.isdisjoint(said.attributes) and HANDED_TO.isdisjoint(said.loads))


def handed(said: CodeFacts, spaces: Iterable[Mapping[str, Any]]) -> list[Owner]:
    """Find what some code hands on or goes through, `patch(pd.DataFrame)`, in the globals of its functions.

    That is, too, what lists and dicts of the notebook hold, and what texts may name of a module that is handed on.
    """
    found: dict[int, Owner] = {}
    for space in spaces:
        for kind, name, *chain in said.uses:
            for value in _meant(name, chain, said, space) if kind == "value" else ():
                owner = owner_of(value) if is_a(value, _OWNERS) else None
                if owner is not None and not origin(owner.module).own:
                    found[id(value)] = owner
    return list(found.values())


def _meant(name: str, chain: list[str], said: CodeFacts, space: Mapping[str, Any]) -> Iterator[Any]:
    is_module = name.startswith("import ")
    value: Any = sys.modules.get(name.removeprefix("import ")) if is_module else space.get(name)
    for step in chain:
        value = vars(value).get(step) if is_a(value, _OWNERS) else None
    yield value
    inner: Collection[Any] = [value]
    if type(value) in (list, tuple, set, dict):
        inner = value.values() if type(value) is dict else value
    elif is_a(value, types.ModuleType):
        yield from (vars(value).get(text) for text in said.strings)
    kinds = set(map(type, inner))
    if any(issubclass(kind, _OWNERS) for kind in kinds):
        yield from (one for one in inner if is_a(one, _OWNERS))
    if not _ASK_CLASSES.isdisjoint({*said.loads, *said.attributes}):
        yield from kinds


def newly_set(said: CodeFacts, owner: Owner, before: Mapping[str, Any] | None) -> Iterator[str]:
    """Name the attributes that such code has set on a module or class, or deleted; submodules are loaded by anybody.

    None for `before` tells that nobody knows what was there: then those count that the code may have set.
    """
    now = vars(owner.value)
    names = said.puts | said.strings if _sets_any(said) else said.puts
    if before is None:
        yield from (name for name, value in now.items() if _may_be_set(owner, value, named=name in names))
        return
    for name in {*before, *now} if _sets_any(said) else said.puts:
        old, new = before.get(name, _ABSENT), now.get(name, _ABSENT)
        is_by_python = name.startswith("__") and name not in names
        if old is not new and not is_by_python and not is_a(new, types.ModuleType):
            yield name


def _may_be_set(owner: Owner, value: Any, *, named: bool) -> bool:
    return (named and type(value) in _SEEN) or is_patch(owner.value, value)
