"""matplotlib's triangulations: what they were given. The rest, objects of C++, is worked out when asked for."""

from __future__ import annotations

import sys
from typing import Any

from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import is_own

__all__ = ["content", "put", "reduced", "rule"]

_MADE = ("_cpp_triangulation", "_trifinder", "_edges", "_neighbors")


def _is_a(value: Any, name: str) -> bool:
    kind: Any = getattr(sys.modules.get("matplotlib.tri"), name, None)
    return kind is not None and issubclass(type(value), kind)


def rule(cls: type) -> Rule | None:
    """Give the rule for triangulations and what finds triangles in them."""
    kinds = sys.modules.get("matplotlib.tri")
    if kinds is None or not issubclass(cls, (kinds.Triangulation, kinds.TrapezoidMapTriFinder)):
        return None
    return _triangles if issubclass(cls, kinds.Triangulation) else _finder


def _triangles(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    given = {name: item for name, item in vars(value).items() if name not in _MADE}
    return combine("triangles", walk.digest(type(value)), *map(walk.digest, (*given, *given.values())))


def _finder(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("finder", walk.digest(type(value)), walk.digest(value._triangulation))  # noqa: SLF001


def reduced(value: Any) -> Any:
    """Take a triangulation apart into what it was given, and a finder into its triangulation."""
    if _is_a(value, "Triangulation"):
        return object.__new__, (type(value),), content(value)
    if _is_a(value, "TrapezoidMapTriFinder") and not is_own(type(value)):
        inside = value._triangulation  # noqa: SLF001
        return _find, (type(value), inside, inside._trifinder is value)  # noqa: SLF001
    return NotImplemented


def _find(cls: type, triangles: Any, is_its_own: bool) -> Any:
    return triangles.get_trifinder() if is_its_own else cls(triangles)


def content(value: Any) -> Any:
    """Give the attributes of a triangulation, without what is worked out."""
    if not _is_a(value, "Triangulation"):
        return NotImplemented
    return {**vars(value), **dict.fromkeys(_MADE)}


def put(live: Any, stored: Any) -> bool:
    """Give a triangulation other attributes, and let what was worked out follow, which others may hold."""
    if not _is_a(live, "Triangulation"):
        return False
    vars(live).update({name: item for name, item in stored.items() if name not in _MADE})
    live.set_mask(stored["mask"])
    return True
