"""Objects whose end is seen: code of the user's runs then (`__del__`), or a weak reference tells of it.

All that a cell reaches is held while it runs, since ids are compared after it, and what is held does not end. These
alone are let go of for that time. Where one of them has ended, a replay could not do again what came of that.
"""

from __future__ import annotations

import types
import weakref
from collections.abc import Iterator
from typing import Any

from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unstorable
from lean_magic.values.origin import is_a, is_own
from lean_magic.words import with_article

__all__ = ["Mortal", "mortals"]


class Mortal(Recorder):
    """Holds such objects weakly while a cell runs: begun last, and ended first."""

    name = "mortal"

    def __init__(self) -> None:
        self._kinds: dict[int, str] = {}
        self._places: list[tuple[int, weakref.ref[Any]]] = []
        self._parts: list[tuple[str, weakref.ref[Any], str]] = []

    def begin(self, run: Run) -> None:
        """Let go of them."""
        known, walk = mortals(run), run.walk
        if not known:
            return
        self._kinds = {one: with_article(type(ref()).__qualname__) for one, ref in known.items()}
        for place, one in enumerate(walk.objects):
            if id(one) in known:
                self._places.append((place, known[id(one)]))
        for part, (value, digest) in walk.values.items():
            if id(value) in known:
                self._parts.append((part, known[id(value)], digest))
        for place, _ in self._places:
            walk.objects[place] = None
        for part, _, digest in self._parts:
            walk.values[part] = None, digest
        walk.forget_marks()

    def end(self, run: Run) -> Record:
        """Hold them again. Raises Unstorable if one has ended."""
        gone = next((self._kinds[one] for one, ref in mortals(run).items() if ref() is None), "")
        if gone:
            why = "was let go of, which its `__del__` or a weak reference sees"
            raise Unstorable(f"{gone}", why, "let go of it in an uncached cell")
        for place, ref in self._places:
            run.walk.objects[place] = ref()
        for part, ref, digest in self._parts:
            run.walk.values[part] = ref(), digest
        return Record(None, None, None)


def mortals(run: Run) -> dict[int, weakref.ref[Any]]:
    """Give the objects whose end would be seen, by id: those that the cell reaches, and those that names stand for."""
    if run.mortal is None:
        run.mortal = {id(one): weakref.ref(one) for one in _found(run) if type(one).__weakrefoffset__}
    return run.mortal


def _found(run: Run) -> Iterator[Any]:
    there = [*run.walk.objects, *run.namespace.values()]
    ends = {cls for cls in set(map(type, there)) if _tells(cls)}
    if ends:
        yield from (one for one in there if type(one) in ends)
    yield from (one for one in (ref() for ref in run.walk.weak) if is_own(type(one)))


def _tells(cls: type) -> bool:
    method = getattr(cls, "__del__", None)
    return is_a(method, types.FunctionType) and is_own(method)
