"""Which parts of what a cell reached are no longer as they were: other content, or other objects of equal content."""

from __future__ import annotations

import collections
import types
from collections.abc import Iterable
from typing import Any

from lean_magic.errors import Unfingerprintable
from lean_magic.values import Walk
from lean_magic.values.layout import referents

__all__ = ["changed", "differs", "holds", "others"]


def changed(before: Walk) -> tuple[set[str], Walk]:
    """Name the parts of a walk whose content is no longer what it was; give the second walk, too.

    Parts in which nothing can change are not looked at again. Nothing less tells that something has not: torch's
    counter of changes does not see what is written through `.data` or `numpy()`, and who closes an array to
    writing may hold an open view of it.
    """
    again = Walk()
    again.spaces.update(before.spaces)
    open_parts = {part: value for part, value in before.values.items() if part not in before.fixed}
    differing = {part for part, value in open_parts.items() if differs(again, part, *value)}
    same, moved = open_parts.keys() - differing, others(before, again, open_parts)
    return differing | {part for part in same if moved and _replaced(before, again, part, moved)}, again


def others(before: Walk, again: Walk, parts: Iterable[str]) -> set[int]:
    """Give the ids of the objects that stand where another stood, as after `x["a"] = x["a"].copy()`.

    What a walk itself makes on its way is another object each time, but is held by nobody.
    """
    pairs = (pair for part in parts for pair in zip(before.met(part), again.met(part), strict=False))
    return {id(new) for old, new in pairs if old is not new} - again.kept()


def _replaced(before: Walk, again: Walk, part: str, moved: set[int]) -> bool:
    """Whether something in a part holds another object than before, though the part reads as it did.

    What it shares with parts before it is known by its place there, where another object may stand now.
    """
    was, now = before.by_mark(), again.by_mark()
    if any(was.get(mark) is not now.get(mark) for mark in before.links(part)):
        return True
    pairs = zip(before.met(part), again.met(part), strict=False)
    return any(holds(new, moved) for old, new in pairs if old is new)


def holds(value: Any, moved: set[int], depth: int = 2) -> bool:
    """Whether an object refers to one of these, directly or through a dict, tuple or cell of its own."""
    inner = referents(value)
    if any(id(one) in moved for one in inner):
        return True
    tables = (one for one in inner if type(one) in _TABLES) if depth else ()
    return any(holds(one, moved, depth - 1) for one in tables)


_TABLES = (dict, collections.OrderedDict, tuple, types.CellType)


def differs(walk: Walk, part: str, value: Any, digest: str) -> bool:
    """Whether a part has another digest than it had, or none."""
    try:
        return walk.fingerprint(part, value).digest != digest
    except Unfingerprintable:
        return True
