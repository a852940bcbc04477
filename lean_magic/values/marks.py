"""Marks: the numbers of the objects that a walk meets, by which a later kernel finds them again."""

from __future__ import annotations

import bisect
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ["Inner", "Marks", "is_inner"]

_START = operator.itemgetter(0)


class Inner(NamedTuple):
    """Something that an object keeps its content in, and that is no content of its own, such as a table's block.

    Objects of equal content may keep it in other ways, so a mark of such a thing may name nothing in a later kernel.
    """

    value: Any
    digest: bytes | None = None  # of its content; None: not known
    ask: Callable[[Any], bytes] | None = None  # gives that digest again

    def changed(self) -> bool:
        """Whether its content may be another by now."""
        return self.ask is None or self.digest is None or self.ask(self.value) != self.digest


def is_inner(mark: str) -> bool:
    """Whether a mark is of an `Inner`."""
    return "/" in mark.rpartition("#")[2]


class Marks:
    """Numbers objects with an identity in the order they are met."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.memos: list[Any] = []  # functions that remember what they said
        self.weak: list[Any] = []  # weak references
        self._digests: dict[int, bytes] = {}
        self._marks: dict[int, int] = {}
        self._starts: list[tuple[int, str]] = [(0, "")]
        self._links: dict[str, set[int]] = {"": set()}
        self._numbers: dict[str, int] = {}
        self._inner: dict[int, Sequence[Inner]] = {}
        self._by_mark: tuple[tuple[int, ...], dict[str, Any]] = (), {}

    def begin(self, part: str) -> None:
        """Count what is met from now on to a part."""
        self._starts.append((len(self.objects), part))
        self._links[part] = set()

    def link(self, number: int) -> None:
        """Note that an object was met again, if it was met first in another part."""
        start, part = self._starts[-1]
        if number < start:
            self._links[part].add(number)

    def links(self, part: str) -> set[str]:
        """Give the marks of what a part holds that was met in others before."""
        return set(map(self._mark, self._links.get(part, ())))

    def noted(self, value: Any, digest: bytes) -> bytes:
        """Keep the digest of an object with an identity under its mark."""
        own = self._marks.get(id(value))
        if own is not None:
            self._digests[own] = digest
        return digest

    def mark(self, value: Any) -> None:
        """Give `value` its number: to be called before its content is visited."""
        self._marks[id(value)] = len(self.objects)
        self.objects.append(value)

    def mark_all(self, values: list[Any]) -> None:
        """Give each of these its number."""
        start = len(self.objects)
        self._marks.update(zip(map(id, values), range(start, start + len(values)), strict=True))
        self.objects += values

    def unmet(self, values: Sequence[Any]) -> bool:
        """Whether each of these is another object, and none was met before."""
        ids = set(map(id, values))
        return len(ids) == len(values) and self._marks.keys().isdisjoint(ids)

    def digest_at(self, mark: str) -> str | None:
        """Give the digest (hex) of the object with a mark; None if it was digested together with others."""
        if not self._numbers:
            self._numbers = {self._mark(number): number for number in self._digests}
        found = self._digests.get(self._numbers.get(mark, -1))
        return None if found is None else found.hex()

    def digest_of(self, value: Any) -> str:
        """Give the digest (hex) that an object was met with; "" if it was digested together with others, or not."""
        found = self._digests.get(self._marks.get(id(value), -1))
        return "" if found is None else found.hex()

    def _mark(self, number: int) -> str:
        """Spell the mark of the object that was met as `number` in all."""
        start, part = self._starts[bisect.bisect_right(self._starts, number, key=_START) - 1]
        return f"{part}#{number - start}"

    def live(self) -> dict[int, str]:
        """Give the id of every live object with its mark: "part#position"."""
        return {id(value): mark for mark, value in self.by_mark().items()}

    def by_mark(self) -> dict[str, Any]:
        """Give every live object by its mark, and after them what they hold; made once for all who ask."""
        size = len(self.objects), len(self._starts), len(self._inner)
        if self._by_mark[0] != size:
            found = {
                f"{part}#{place}": value
                for (start, part), end in zip(self._starts, self._ends(), strict=True)
                for place, value in enumerate(self.objects[start:end])
            }
            self._by_mark = size, found | {mark: inner.value for mark, inner in self.held().items()}
        return self._by_mark[1]

    def forget_marks(self) -> None:
        """Let go of the objects that were given by their marks."""
        self._by_mark = (), {}

    def _ends(self) -> list[int]:
        return [start for start, _ in self._starts[1:]] + [len(self.objects)]

    def met(self, part: str) -> list[Any]:
        """List the objects of a part, in the order they were met in."""
        place = next((place for place, (_, name) in enumerate(self._starts) if name == part and place), None)
        if place is None:
            return []
        return self.objects[self._starts[place][0] : self._ends()[place]]

    def hold(self, value: Any, inner: Sequence[Inner]) -> None:
        """Note what an object that has a number keeps its content in."""
        self._inner[id(value)] = inner

    def held(self) -> dict[str, Inner]:
        """Give what objects keep their content in: "part#position/place"."""
        owners = {id_: self._mark(self._marks[id_]) for id_ in self._inner if id_ in self._marks}
        return {
            f"{mark}/{place}": one
            for id_, mark in owners.items()
            for place, one in enumerate(self._inner[id_])
        }

    def remembering(self) -> dict[str, Any]:
        """Give the functions under `lru_cache` by their marks, without spelling those of all the rest."""
        return {self._mark(self._marks[id(one)]): one for one in self.memos if id(one) in self._marks}
