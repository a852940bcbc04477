"""Attributes that the notebook sets on modules, classes and what libraries keep: `config.batch = 64`, a patched method.

Installed code counts by its version, which says nothing about what the user hung
on it. So every cell's code is looked through for such assignments, whether the
cell is cached or not, and the present value of each counts for every cell that
reaches the package.
"""

from __future__ import annotations

import ast
import operator
import sys
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lean_magic.key.kept_state import KeptState
from lean_magic.key.library_items import Items
from lean_magic.key.registrations import Registrations
from lean_magic.key.unnamed import Unnamed
from lean_magic.values.origin import is_a, origin
from lean_magic.values.owners import Owner, held, home_of, is_patch, owner_of, owners

__all__ = ["Patches"]

_ABSENT = "<no such attribute>"
_PLAIN = (bool, int, float, complex, str, bytes, tuple, type(None))


class Patches:
    """The attributes set so far in one session."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], Owner] = {}
        self._objects: dict[int, tuple[str, frozenset[str], Callable[[], Any]]] = {}
        self._hidden = False
        self.registrations = Registrations()
        self.items = Items()
        self.unnamed = Unnamed()
        self.kept = KeptState()

    def note(
        self, sets: Iterable[tuple[str, ...]], namespace: Mapping[str, Any], *, hidden: bool = False
    ) -> None:
        """Note the assignments that some code makes: (name, attribute, …, attribute set).

        `hidden` tells that it may make more of them, through `setattr` or the like: from then on the
        modules of a package are looked through for code that is not its own.
        """
        self._hidden = self._hidden or hidden
        for owner, attribute in owners(sets, namespace):
            if not origin(owner.module).own:
                self._places[owner.label, attribute] = owner

    def note_unnamed(self, nodes: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> None:
        """Note what a cell, which has run, has set on modules and classes that it handed on."""
        for owner, attribute in self.unnamed.found(nodes, namespace):
            self._places[owner.label, attribute] = owner
        self.kept.note(nodes, namespace)

    def note_targets(
        self, targets: Iterable[tuple[Any, str, Iterable[str]]], namespace: Mapping[str, Any]
    ) -> None:
        """Note what a cell, which has run, changed that only libraries keep: (it, attribute set, names said)."""
        for value, attribute, names in targets:
            owner = owner_of(value) if is_a(value, (types.ModuleType, type)) else None
            if owner is not None:
                self._places[owner.label, attribute] = owner
                continue
            reached = [namespace[name] for name in names if name in namespace]
            homes = map(home_of, [*reached, type(value)])
            packages = {home.partition(".")[0] for home in homes} - {"builtins", "__main__"}
            label = f"an object of {min(packages)} ({type(value).__qualname__})" if packages else ""
            self._objects[id(value)] = label, frozenset(packages), _weakly(value)

    def of(self, packages: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Give the present values of attributes set on these top-level packages."""
        wanted = set(packages)
        for (label, name), owner in sorted(self._places.items(), key=operator.itemgetter(0)):
            if owner.module.partition(".")[0] in wanted:
                yield f"{label}.{name}", _value(owner.value, name)
        for label, homes, get in self._objects.values():
            if wanted & homes and (value := get()) is not None:
                yield label, value
        yield from self.registrations.of(wanted)
        yield from self.items.of(wanted)
        yield from self.kept.of(wanted)
        for package in wanted & _NAMESPACES.keys():
            yield from _hung_on(package)
        if self._hidden:
            yield from _foreign(wanted)


def _weakly(value: Any) -> Callable[[], Any]:
    """Give what finds a value again while it is there; where nobody can tell when it goes, it stays."""
    try:
        return weakref.ref(value)
    except TypeError:
        return lambda: value


# Library → classes that users hang their own namespaces on: `df.geo.center()`.
_NAMESPACES = {
    "pandas": ("DataFrame", "Series", "Index"),
    "polars": ("DataFrame", "LazyFrame", "Series", "Expr"),
}


def _hung_on(package: str) -> Iterator[tuple[str, Any]]:
    library = sys.modules.get(package)
    for cls in filter(None, (getattr(library, name, None) for name in _NAMESPACES[package])):
        for name in sorted(cls._accessors):
            found = getattr(cls, name, None)
            module = found.__module__ if isinstance(found, type) else package
            if module.partition(".")[0] != package and origin(module).own:
                yield f"{package}.{cls.__name__}.{name}", found


def _value(owner: Any, name: str) -> Any:
    if name == "*":
        return _all_set(owner)
    is_open = isinstance(owner, (types.ModuleType, type))
    return getattr(owner, name, _ABSENT) if is_open else held(owner, name, _ABSENT)


def _all_set(owner: Any) -> dict[str, Any]:
    """Give what may have been set on an owner under any name."""
    members = [(name, value) for name, value in vars(owner).items() if not name.startswith("__")]
    return {
        name: value
        for name, value in sorted(members)
        if issubclass(type(value), _PLAIN) or is_patch(owner, value)
    }


def _foreign(packages: set[str]) -> Iterator[tuple[str, Any]]:
    """Give what in the loaded modules of these packages is code of the user's."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in packages and isinstance(module, types.ModuleType):
            for label, value in list(vars(module).items()):
                if (
                    not issubclass(type(value), _PLAIN)
                    and not label.startswith("__")
                    and is_patch(module, value)
                ):
                    yield f"{name}.{label}", value
