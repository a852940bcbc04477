"""Which items there are, and where: the keys of all segments of a map, sorted, and nothing else in memory."""

from __future__ import annotations

import functools
import itertools
import json
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lean_magic.errors import Damaged, NotPrivate
from lean_magic.items.identity import Identity
from lean_magic.items.watch import differs
from lean_magic.store.segments import Segment, Segments

__all__ = ["Index", "Place", "first_of", "group", "index_of"]

_STEP = 1 << 16  # items that are looked up at a time
_WIDE = 1 << 31  # items from which on their numbers need eight bytes
_KEPT = 4  # maps whose index a process keeps between calls


@dataclass(slots=True)
class Place:
    """A segment and how its columns are read."""

    home: Segments
    segment: Segment
    tree: Any
    specs: list[dict[str, Any]]
    observed: str  # what the run that made them saw besides, as JSON

    @property
    def name(self) -> str:
        """The file's name."""
        return self.segment.path.name

    @property
    def count(self) -> int:
        """The items in it."""
        return int(self.segment.meta["count"])

    @property
    def seconds(self) -> float:
        """What one of its items took to compute."""
        return float(self.segment.meta["seconds"]) / max(self.count, 1)

    def keys(self) -> Any:
        """Read the keys of its items. Raises Damaged."""
        with self.segment.opened() as reader:
            keys = np.frombuffer(reader.read("keys"), np.uint64).reshape(-1, 2)
        if len(keys) != self.count:
            raise Damaged(f"{self.segment.path} has {len(keys)} keys for {self.count} items")
        return keys


@dataclass(slots=True)
class Index:
    """The keys of a map's segments. `find` tells where items are; positions are those of `places`."""

    places: list[Place] = field(default_factory=list)
    stale: str = ""  # why items that are there do not count
    _high: Any = None  # first halves of all keys, sorted; with their second halves, and their rows
    _low: Any = None
    _rows: Any = None
    _starts: Any = None  # of the segments, in rows

    @property
    def count(self) -> int:
        """The rows of all segments, among which may be some twice."""
        return 0 if self._high is None else len(self._high)

    def find(self, keys: Any) -> Any:
        """Give the row of each key among all segments, -1 where there is none."""
        rows: Any = np.full(len(keys), -1, np.int32 if self.count < _WIDE else np.int64)
        for start in range(0, len(keys) if self.count else 0, _STEP):
            self._find(keys[start : start + _STEP], rows[start : start + _STEP])
        return rows

    def _find(self, keys: Any, rows: Any) -> None:
        order = np.argsort(keys[:, 0])  # in order, neighbours are found in memory that is at hand
        wanted, lows = keys[order, 0], keys[order, 1]
        at: Any = np.searchsorted(self._high, wanted)
        at[at == len(self._high)] = 0
        same = self._high[at] == wanted
        right = same & (self._low[at] == lows)
        rows[order[right]] = self._rows[at[right]]
        for place in np.flatnonzero(same & ~right):  # halves alike: as good as never
            rows[order[place]] = self._search(int(at[place]), (wanted[place], lows[place]))

    def _search(self, at: int, key: Any) -> int:
        while at < len(self._high) and self._high[at] == key[0]:
            if self._low[at] == key[1]:
                return int(self._rows[at])
            at += 1
        return -1

    def segments_of(self, rows: Any) -> Any:
        """Give the position of the segment that each row lies in."""
        found: Any = np.empty(len(rows), np.int32)
        for start in range(0, len(rows), _STEP):
            some = rows[start : start + _STEP]
            found[start : start + _STEP] = np.searchsorted(self._starts, some, side="right") - 1
        return found

    def start(self, position: int) -> int:
        """Give the first row of a segment."""
        return int(self._starts[position])

    @classmethod
    def of(cls, keys: Any) -> Index:
        """Make the index of keys that are in memory."""
        index = cls()
        index._sort(keys[:, 0].copy(), keys[:, 1].copy())
        index._starts = np.zeros(1, np.int64)
        return index

    def build(self) -> list[Place]:
        """Read and sort the keys of all places; gives those that could be read."""
        total, at, starts = sum(place.count for place in self.places), 0, []
        high: Any = np.empty(total, np.uint64)
        low: Any = np.empty(total, np.uint64)
        good = []
        for place in self.places:
            try:
                keys = place.keys()
            except Damaged:
                with suppress(OSError):
                    place.home.remove([place.name])
                continue
            high[at : at + len(keys)], low[at : at + len(keys)] = keys[:, 0], keys[:, 1]
            starts.append(at)
            good.append(place)
            at += len(keys)
        self._starts = np.array(starts, np.int64)
        halves = [high[:at], low[:at]]
        del high, low
        self._sort(halves.pop(0), halves.pop())
        return good

    def _sort(self, high: Any, low: Any) -> None:
        """Sort both halves by the first; one after the other, so that there is never a third."""
        rows: Any = np.argsort(high)
        self._rows = rows = rows.astype(np.uint32 if len(rows) < _WIDE else np.int64)
        self._high = high[rows]
        del high
        self._low = low[rows]

    def take_over(self, ready: Index) -> None:
        """Use the sorted keys of another index of the same segments."""
        self._high, self._low, self._rows, self._starts = ready._high, ready._low, ready._rows, ready._starts


def index_of(home: Segments, identity: Identity) -> Index:
    """Read the keys of a map; nothing is read again while its segments are the same and still hold."""
    homes = [home, *home.linked()]
    names = [(one, name) for one in homes for name in one.names()]
    mark = (str(home.root), home.name)
    known = _known.pop(mark, None) or _Known()
    known.places = {name: known.places.get(name) or _opened(one, name) for one, name in names}
    index = _chosen([place for place in known.places.values() if place is not None], identity)
    made = [place.name for place in index.places]
    if known.index is not None and known.made == made:
        index.take_over(known.index)
    else:
        known.index = None  # before the new one is made: there is room for one
        index.places = index.build()
        known.made = [place.name for place in index.places]
    known.index = index
    _known[mark] = known
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return index


@dataclass(slots=True)
class _Known:
    places: dict[str, Place | None] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    index: Index | None = None


_known: OrderedDict[tuple[str, str], _Known] = OrderedDict()


def _opened(home: Segments, name: str) -> Place | None:
    """Open a segment; a damaged one is deleted, and one that others may write is as good as absent."""
    try:
        return _one(home, name)
    except Damaged:
        with suppress(OSError):
            home.remove([name])
    except NotPrivate:
        pass
    return None


def _one(home: Segments, name: str) -> Place:
    segment = home.open(name)
    try:
        form, observed = segment.meta["form"], json.dumps(segment.meta["observed"], sort_keys=True)
        slim = {part: segment.meta[part] for part in ("count", "seconds", "device", "created")}
        tree, specs = _form(form)
    except (KeyError, ValueError, TypeError) as error:
        raise Damaged(f"{segment.path} is no segment of items ({error})") from error
    segment.meta = slim
    return Place(home, segment, tree, specs, sys.intern(observed))


@functools.lru_cache(maxsize=256)
def _form(text: str) -> tuple[Any, list[dict[str, Any]]]:
    tree, specs = json.loads(text)
    return tree, specs


def _chosen(places: list[Place], identity: Identity) -> Index:
    """Choose the segments whose observed inputs still hold."""
    index, verdicts = Index(), dict[str, str]()
    for place in places:
        if place.observed not in verdicts:
            verdicts[place.observed] = _stale(json.loads(place.observed), identity)
        if verdicts[place.observed]:
            index.stale = verdicts[place.observed]
        else:
            index.places.append(place)
    return index


def _stale(observed: dict[str, Any], identity: Identity) -> str:
    for name, digest in observed.get("key", {}).items():
        if identity.possible_now(name) != digest:
            return f"`{name}` has other content"
    return differs(observed, identity.run)


# -- groups --------------------------------------------------------------------------------


def group(numbers: Any) -> Iterator[tuple[int, Any]]:
    """Give each number once, with the positions where it stands, ascending: a range or an array."""
    if not len(numbers):
        return
    if (numbers[1:] >= numbers[:-1]).all():
        order, ordered = None, numbers
    else:
        order = np.argsort(numbers, kind="stable")
        ordered = numbers[order]
    edges = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(ordered)]
    for begin, end in itertools.pairwise(edges):
        yield int(ordered[begin]), range(begin, end) if order is None else order[begin:end]


def first_of(keys: Any) -> tuple[Any, Any]:
    """Give where each different key first stands, in order, and for each key the number of its first one."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    new: Any = np.ones(len(keys), np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    firsts = order[new]  # lexsort is stable, so the first of equal keys comes first
    rank: Any = np.empty(len(firsts), np.int64)
    rank[np.argsort(firsts, kind="stable")] = np.arange(len(firsts))
    numbers: Any = np.empty(len(keys), np.int64)
    numbers[order] = rank[np.cumsum(new) - 1]
    return np.sort(firsts), numbers
