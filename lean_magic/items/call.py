"""One call of a cached map: who computes → which items are known → compute the others → put all together."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

from lean_magic import clock
from lean_magic.effects import files
from lean_magic.effects.output import aside
from lean_magic.errors import Damaged, LeanMagicError, StoreError, Unstorable, UsageError
from lean_magic.items import batches, care, parallel, told
from lean_magic.items.batches import Computing, Doubt
from lean_magic.items.canary import chosen
from lean_magic.items.choices import Choices, MapPlan, Tally, many
from lean_magic.items.columns import Differs
from lean_magic.items.identity import Identity
from lean_magic.items.index import first_of, group
from lean_magic.items.lookup import Lookup
from lean_magic.items.watch import Watch, count_as_read
from lean_magic.items.writer import Writer
from lean_magic.key import difference
from lean_magic.progress import progress
from lean_magic.store.segments import Segments
from lean_magic.words import duration

__all__ = ["Call"]

_TRIES = 10  # to read what other processes evict or pack together meanwhile
_DOUBTED = "earlier results differ from what it computes"


class Call(Lookup):
    """One call."""

    def __init__(self, choices: Choices, items: Any, options: Mapping[str, Any]) -> None:
        super().__init__(choices, items, options)
        self.tally = Tally(len(self.items))
        self.failed: dict[int, BaseException] = {}

    # -- what the verbs ask ------------------------------------------------------------

    def run(self, *, keep: bool) -> Any:
        """Give the result for all items."""
        if not len(self.items) or self.runner.settings.is_off:
            return self._plain()
        why = self._hindrance()
        return self._plain(why) if why else self._try(keep)

    def _hindrance(self) -> str:
        """Look items up; say why that cannot be done or is not to be believed, or "". Raises UsageError."""
        try:
            with files.unwatched():
                self.look()
                doubt = self.home.doubt
        except UsageError:
            raise
        except LeanMagicError as error:
            return str(error)
        return f"{doubt}; .forget() starts anew" if doubt else ""

    def _try(self, keep: bool) -> Any:
        """Give the result, by the function alone if the cache fails: that never fails the call."""
        try:
            return self._answer(keep)
        except Doubt as doubted:
            place = f"item {doubted.item:,}: " if doubted.item >= 0 else ""
            return self._doubted(f"{place}{doubted.how}")
        except Differs as error:
            return self._doubted(str(error))
        except (StoreError, Unstorable) as error:
            return self._plain(str(error))

    def plan(self) -> MapPlan:
        """Look only. Raises LeanMagicError where nothing can be cached."""
        with files.unwatched():
            self.look()
            missing = np.flatnonzero(self.rows < 0)
            unique = len(first_of(self.keys[missing])[0])
            pace = care.pace(self.home, self.index, self.map.label) if unique else 0.0
        count = -(-unique // self.map.batch_size)
        seconds = None if pace is None else pace * unique
        found = len(self.rows) - len(missing)
        reason = self.home.doubt or (self.reason() if not found else "")
        return MapPlan(len(self.rows), found, len(missing), unique, count, seconds, reason)

    def verify(self, count: int) -> int:
        """Compute some known items again. Raises UsageError, AssertionError."""
        with files.unwatched():
            self.look()
        known = np.flatnonzero(self.rows >= 0)
        if not len(known):
            raise UsageError(
                "cached_map: verify() found none of these items; call the function on them first"
            )
        places = known[chosen(known, count)]
        work = self._work(keep=False)
        try:
            for start in range(0, len(places), self.map.batch_size):
                some = places[start : start + self.map.batch_size]
                batches.look_again(work, some, len(some))
        except Doubt as doubted:
            raise AssertionError(f"{self.map.label}: item {doubted.item:,}: {doubted.how}") from None
        return len(places)

    # -- answering ------------------------------------------------------------------------

    def _answer(self, keep: bool) -> Any:
        """Compute what is missing and put all together; again where files vanish meanwhile."""
        self._count_found()
        work: Computing | None = None
        for left in reversed(range(_TRIES)):
            missing = np.flatnonzero(self.rows < 0)
            if len(missing):
                if work is not None and left < _TRIES - 2:
                    return self._plain("what is stored vanishes at once")
                work = work or self._work(keep=keep)
                self._compute(work, missing)
            try:
                with files.unwatched():
                    held = work.writer.parts(self._held) if work else []
                    result = self.together(held, work.failed if work else {})
            except Damaged as error:
                if not left:
                    return self._plain(str(error))
                with files.unwatched():
                    self.find()
            else:
                self._finish(work)
                return result
        raise AssertionError

    def _count_found(self) -> None:
        known = self.rows if (self.rows >= 0).all() else self.rows[self.rows >= 0]
        self.tally.found = len(known)
        for segment, some in group(self.index.segments_of(known)):
            self.tally.saved += self.index.places[segment].seconds * len(some)
        if not len(known):
            with files.unwatched():
                self.tally.reason = self.reason()

    def _compute(self, work: Computing, missing: Any) -> None:
        firsts, _ = first_of(self.keys[missing])
        self.tally.repeats = len(missing) - len(firsts)
        known = np.flatnonzero(self.rows >= 0)
        places = missing[firsts]
        with ExitStack() as end:
            end.push(lambda kind, _, __: self._stopped(work, len(places), kind))
            with self._showing(len(places)) as show:
                self._in_batches(work, places, known, show)
        with files.unwatched():
            work.writer.close()
            self.find()

    def _in_batches(self, work: Computing, places: Any, known: Any, show: Callable[..., None]) -> None:
        canaries = self.map.canaries
        if parallel.workers() == 1:
            tasks = batches.tasks_for(places, known, self.map.batch_size, canaries)
            batches.compute(work, tasks, show, canaries)
            return
        # What is not known yet cannot be compared while it is computed elsewhere: it is afterwards.
        tasks = batches.tasks_for(places, known, self.map.batch_size, canaries if len(known) else 0)
        lent = parallel.Lent(
            work.function, self.options, self.identity.to_send(), self.home.root, dict(work.writer.meta),
            work.writer.device, work.keep,
        )  # fmt: skip
        with files.unwatched():  # joblib's own; what workers read comes with their segments
            while tasks:
                tasks = parallel.compute(work, tasks, show, lent)
                self.find()
                tasks = [task for task in tasks if (self.rows[task.places] < 0).any()]
        good = places[self.rows[places] >= 0]
        if canaries and not len(known) and len(good) >= batches.FEW:
            batches.look_again(work, good, canaries)

    @contextmanager
    def _showing(self, count: int) -> Iterator[Callable[..., None]]:
        """Show a bar with the items that are to be computed; no cell counts it as its output."""
        batches_to_do = -(-count // self.map.batch_size)
        label = f"{self.map.label}: {self.tally.found:,} found, {many(batches_to_do, 'batch', 'batches')}"
        with ExitStack() as end:
            bar = ExitStack()
            update = bar.enter_context(progress(label, self.runner.settings.progress_after, " items"))
            end.callback(self._aside, bar.close)
            yield lambda done, total: self._aside(update, done, total)

    def _aside(self, show: Callable[..., None], *args: Any) -> None:
        """Show something of ours, which neither writes a file of the cell's nor is its output."""
        with files.unwatched(), aside():
            show(*args)

    def _work(self, *, keep: bool) -> Computing:
        device = self.identity.device
        meta = care.meta(self.map, self.identity)
        if self.identity.remembers:
            with self.identity.whole_run() as run:
                self.runner.planner.expect_memory(run)
        return Computing(
            function=self.map.function,
            options=self.options,
            name=self.identity.name,
            items=self.items,
            keys=self.keys,
            watch=Watch(self.identity, self.items.values, self.recalled),
            writer=Writer(self.home, meta, "" if device is None else str(device)),
            stored=self.stored,
            tolerance=self.map.tolerance,
            keep=keep,
        )

    # -- the end -----------------------------------------------------------------------------

    def _finish(self, work: Computing | None) -> None:
        notes: list[str] = []
        with files.unwatched():
            for text in {place.observed for place in self.index.places}:
                count_as_read(text)
            if work is not None:
                notes = self._computed(work)
            told.record(self.runner, self.tally, self.map.label, self.identity.digest)
            self.tally.notes = tuple(notes)
            told.show(self.runner, self.tally.line(told.per_hour(self.runner)), quiet=self.map.quiet)

    def _computed(self, work: Computing) -> list[str]:
        """Take down the figures; gives what the line should say besides."""
        tally = self.tally
        tally.computed, tally.batches, tally.spent = work.computed, work.batches, work.seconds
        tally.failed, self.failed = len(work.failed), work.failed
        notes = [f"not stored: {work.writer.failed}"] if work.writer.failed else []
        if work.writer.stored:
            tally.stored = sum(care.size_of(self.home, name) for name in work.writer.written)
            notes += self._after_storing(work)
        return notes

    def _after_storing(self, work: Computing) -> list[str]:
        """Keep the folder in order, and see whether the items will be found; gives what the line should say."""
        care.pack(self.home, self.index, work.writer.meta)
        try:
            care.evict(self.runner, self.tally.stored)
        except UsageError as error:  # a setting, which must not fail the call that has run
            return [str(error)]
        if self.tally.found:
            return []
        try:
            now = self.identify()
        except LeanMagicError:
            return []
        if now.digest == self.identity.digest:
            return []
        if self.identity.is_loaded(now):
            Segments(self.home.root, now.digest).link(self.identity.digest)
            return []
        return self._changes_itself(now)

    def _changes_itself(self, now: Identity) -> list[str]:
        """Say that the function changes what it depends on: what it has just stored is not found again."""
        names = [one.name for one in difference(self.identity.parts, now.parts)][:3]
        remedy = ", ".join(f'"{name}"' for name in names)
        told = ", ".join(f"`{name}`" for name in names)
        return [
            f"it changes {told} as it runs, so these will not be found again; ignore=[{remedy}] leaves that out"
        ]

    def _stopped(self, work: Computing, count: int, kind: type[BaseException] | None) -> None:
        """Take back what a doubt falls on; say what was kept when the function raised or was interrupted."""
        if self.identity.remembers and not work.watch.refused:
            with self.identity.whole_run() as run:
                self.runner.planner.note_remembered(run, work.watch.observed)
        if kind is None:
            return
        with files.unwatched(), suppress(StoreError):
            if issubclass(kind, Doubt):
                work.writer.undo()
                return
            work.writer.close()
        if issubclass(kind, LeanMagicError):
            return
        self.tally.computed, self.tally.spent, self.tally.found = work.computed, work.seconds, 0
        told.record(self.runner, self.tally, self.map.label, self.identity.digest)
        left = count - work.writer.stored
        kept = f"{work.writer.stored:,} of {count:,} computed and kept"
        line = f"◌ stopped · {kept}; the next call computes the other {left:,}"
        told.show(self.runner, line, quiet=self.map.quiet)

    def _doubted(self, how: str) -> Any:
        """Take back what this call stored, believe nothing of this function from now on, and just run it."""
        warnings.warn(
            f"{self.map.label} gives other results than before for the same item, or they depend on what else is in "
            f"the batch ({how}); nothing was stored, and it runs on all items without the cache",
            stacklevel=5,
        )
        with files.unwatched(), suppress(StoreError):
            self.home.distrust(_DOUBTED)
        return self._plain(_DOUBTED)

    def _plain(self, why: str = "") -> Any:
        """Call the function as if there were no cache."""
        started = clock.perf_counter()
        result = self.map.function(self.items.whole, **self.options)
        if why:
            took = duration(clock.perf_counter() - started)
            told.show(self.runner, f"○ ran {took}, not cached: {why}", quiet=self.map.quiet)
        return result
