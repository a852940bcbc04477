"""The items of a call that are missing: computed in full batches, with a few known ones among them as canaries."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lean_magic import clock
from lean_magic.effects import files
from lean_magic.errors import LeanMagicError
from lean_magic.items.canary import chosen, differs
from lean_magic.items.collection import Collection
from lean_magic.items.columns import Batch, joined, split
from lean_magic.items.watch import Watch
from lean_magic.items.writer import Writer

__all__ = [
    "FEW",
    "UNKNOWN",
    "Caught",
    "Computing",
    "Doubt",
    "Task",
    "compare",
    "compute",
    "keep",
    "look_again",
    "run",
    "tasks_for",
]

UNKNOWN: Any = object()  # stands for a result that is not there any more
FEW = 16  # items from which on a first batch by itself is worth a second look


class Doubt(Exception):
    """The function gives other results than those it is known for."""

    def __init__(self, item: int, how: str) -> None:
        super().__init__(how)
        self.item = item
        self.how = how


@dataclass(slots=True)
class Task:
    """One batch: positions of items to compute, and of known ones to compute once more."""

    places: Any
    canaries: Any


@dataclass(slots=True)
class Computing:
    """All it takes to compute the missing items of one call."""

    function: Callable[..., Any]
    options: Mapping[str, Any]
    name: str
    items: Collection
    keys: Any
    watch: Watch
    writer: Writer
    stored: Callable[[Any], list[Any]]  # positions of known items → their results
    tolerance: float | None = None
    keep: bool = False  # go on where an item fails
    failed: dict[int, BaseException] = field(default_factory=dict)  # by position
    first: tuple[Any, Batch] | None = None  # positions and results of the first batch
    computed: int = 0
    canaries: int = 0
    batches: int = 0
    seconds: float = 0.0


def tasks_for(missing: Any, known: Any, batch_size: int, canaries: int) -> list[Task]:
    """Divide missing items into full batches, of which the first and the last that have room carry canaries.

    Where nothing is known before, items of the first batch are canaries of the second and of the last.
    """
    none = missing[:0]
    if batch_size <= canaries:  # no room in any batch: canaries by themselves, before all others
        single = known[chosen(known, 1)] if canaries else none
        head = [Task(none, single)] if len(single) else []
        return [*head, *(Task(one, none) for one in _cut(missing, [], batch_size))]
    reserved = [0, canaries] if not len(known) else [min(canaries, len(known))]
    tasks = [Task(one, none) for one in _cut(missing, [batch_size - room for room in reserved], batch_size)]
    source = known if len(known) else tasks[0].places
    for number, task in enumerate(tasks):
        room = batch_size - len(task.places)
        if number == len(reserved) - 1 or (number == len(tasks) - 1 and number >= len(reserved)):
            task.canaries = source[chosen(source, min(canaries, room))]
    return tasks


def _cut(places: Any, first: list[int], size: int) -> list[Any]:
    """Cut positions into pieces: the first ones of given lengths, the others of `size`."""
    edges = [0]
    for length in first:
        edges.append(edges[-1] + length)
    edges = [edge for edge in edges if edge < len(places)]
    start = sum(first) if len(edges) > len(first) else edges[-1]
    if len(edges) > len(first):
        edges += range(start + size, len(places), size)
    return [places[begin:end] for begin, end in zip(edges, [*edges[1:], len(places)], strict=True)]


def compute(
    work: Computing, tasks: list[Task], show: Callable[[int, int | None], None], canaries: int
) -> None:
    """Compute batch after batch in this process, each stored before the next.

    Raises Doubt, and what the function raises.
    """
    total = sum(len(task.places) for task in tasks)
    for task in tasks:
        batch, places, seconds = run(work, task)
        if batch is not None:
            with files.unwatched():
                take(work, task, places, batch, seconds)
        show(work.computed + len(work.failed), total)
    if canaries and len(tasks) == 1 and not len(tasks[0].canaries) and work.computed >= FEW:
        assert work.first is not None
        look_again(work, work.first[0], canaries)


def take(work: Computing, task: Task, places: Any, batch: Batch, seconds: float) -> None:
    """Compare the canaries of a batch, and store the rest. Raises Doubt."""
    if len(task.canaries):
        compare(work, task.canaries, batch.take(slice(len(places), None)).values())
    fresh = batch.take(slice(0, len(places)))
    if work.first is None:
        work.first = places, fresh
    if len(places):
        keep(work, places, fresh, seconds * len(places) / batch.count)


def run(work: Computing, task: Task) -> tuple[Batch | None, Any, float]:
    """Compute one batch, its canaries last; gives the results, the positions that got one, and the seconds."""
    places = np.concatenate([task.places, task.canaries]).astype(np.int64)
    work.batches += 1
    started = clock.perf_counter()
    with work.watch.batch(), Caught(keep=work.keep) as caught:
        batch = _called(work, places)
    if caught.error is None:
        work.canaries += len(task.canaries)
        return batch, task.places, clock.perf_counter() - started
    found = list(_halved(work, task.places, caught.error))
    good = np.array([place for some, _ in found for place in some], np.int64)
    task.canaries = task.canaries[:0]
    return joined_or_none([one for _, one in found]), good, clock.perf_counter() - started


def _called(work: Computing, places: Any) -> Batch:
    result = work.function(work.items.take(places), **work.options)
    return split(result, len(places), work.name)


def _halved(work: Computing, places: Any, error: BaseException) -> Iterator[tuple[Any, Batch]]:
    """Compute a batch that failed by halves, until what fails stands alone."""
    if len(places) == 1:
        work.failed[int(places[0])] = error
        return
    for half in (places[: len(places) // 2], places[len(places) // 2 :]):
        with work.watch.batch(), Caught(keep=True) as caught:
            batch = _called(work, half)
        if caught.error is None:
            yield half, batch
        else:
            yield from _halved(work, half, caught.error)


def joined_or_none(batches: list[Batch]) -> Batch | None:
    """Put batches together; None if there is none. Those that do not fit together raise Doubt."""
    if not batches:
        return None
    if any(batch.form != batches[0].form for batch in batches):
        raise Doubt(-1, "parts of one batch gave results of different kinds")
    return joined(batches)


class Caught(contextlib.AbstractContextManager["Caught"]):
    """Keeps an error that the function raises, if it is to be kept; never an interrupt, and `ours` if told so."""

    def __init__(self, *, keep: bool, ours: bool = False) -> None:
        self._keep = keep
        self._ours = ours
        self.error: BaseException | None = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        self.error = error
        if not self._keep or kind is None or not issubclass(kind, Exception):
            return False
        return self._ours or not issubclass(kind, LeanMagicError)


def compare(work: Computing, canaries: Any, now: list[Any]) -> None:
    """Compare results with what is stored for the same items. Raises Doubt at the first that differs."""
    for place, before, after in zip(canaries.tolist(), _before(work, canaries), now, strict=True):
        how = "" if before is UNKNOWN else differs(before, after, work.tolerance)
        if how:
            raise Doubt(place, how)


def _before(work: Computing, canaries: Any) -> list[Any]:
    """Give the results that are known: of the store, or of the first batch of this call."""
    if work.first is not None and np.isin(canaries, work.first[0]).all():
        places, batch = work.first
        rows = {place: row for row, place in enumerate(places.tolist())}
        return batch.take(np.array([rows[place] for place in canaries.tolist()], np.int64)).values()
    return work.stored(canaries)


def look_again(work: Computing, places: Any, canaries: int) -> None:
    """Compute a few items once more by themselves, where no other batch had room for them. Raises Doubt."""
    task = Task(places[:0], places[chosen(places, canaries)])
    batch, _, _ = run(work, task)
    if batch is not None and len(task.canaries):
        compare(work, task.canaries, batch.values())


def keep(work: Computing, places: Any, batch: Batch, seconds: float) -> None:
    """Store the results of some items, unless what the function read forbids it."""
    work.computed += len(places)
    work.seconds += seconds
    if work.watch.refused and not work.writer.failed:
        work.writer.failed = work.watch.refused
    work.writer.add(work.keys[places], batch, seconds, work.watch.observed)
