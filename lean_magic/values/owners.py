"""Modules and classes that code sets attributes on, found from what its text says."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["owners"]


def owners(sets: Iterable[tuple[str, ...]], namespace: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Resolve assignments, (name, attribute, …, attribute set), to the modules and classes they are made on."""
    for name, *chain, attribute in sorted(sets):
        owner = namespace.get(name)
        for step in chain:
            owner = getattr(owner, step, None) if isinstance(owner, (types.ModuleType, type)) else None
        if isinstance(owner, (types.ModuleType, type)):
            yield owner, attribute
