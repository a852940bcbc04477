"""Attributes that the notebook sets on modules and classes: `config.batch = 64`, a patched method.

Installed code counts by its version, which says nothing about what the user hung
on it. So every cell's code is looked through for such assignments, whether the
cell is cached or not, and the present value of each counts for every cell that
reaches the package.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lean_magic.values.origin import origin
from lean_magic.values.owners import owners

__all__ = ["Patches"]

_ABSENT = "<no such attribute>"


class Patches:
    """The attributes set so far in one session."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], tuple[Any, str]] = {}

    def note(self, sets: Iterable[tuple[str, ...]], namespace: Mapping[str, Any]) -> None:
        """Note the assignments that some code makes: (name, attribute, …, attribute set)."""
        for owner, attribute in owners(sets, namespace):
            if not origin(_home(owner)).own:
                self._places[_label(owner), attribute] = (owner, attribute)

    def of(self, packages: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Give the present values of attributes set on these top-level packages."""
        wanted = set(packages)
        for (label, name), (owner, attribute) in sorted(self._places.items()):
            if _home(owner).partition(".")[0] in wanted:
                yield f"{label}.{name}", getattr(owner, attribute, _ABSENT)


def _home(owner: Any) -> str:
    return owner.__name__ if isinstance(owner, types.ModuleType) else str(owner.__module__)


def _label(owner: Any) -> str:
    return (
        owner.__name__ if isinstance(owner, types.ModuleType) else f"{owner.__module__}.{owner.__qualname__}"
    )
