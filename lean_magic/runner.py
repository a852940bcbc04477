"""One cached run: key → find → replay, or run → record → store → ledger.

The only place where key, effects, values and store meet. Whatever fails here, the
user's cell still runs: the failure becomes a Bypass, told in one line.
"""

from __future__ import annotations

import ast
import contextlib
import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lean_magic import clock, history
from lean_magic.effects import Record, did, did_more, files, others_run
from lean_magic.entry_graph import read, write
from lean_magic.errors import Damaged, LeanMagicError, UsageError
from lean_magic.host import new_id, provenance
from lean_magic.key import Analysis, after_loading, look_at_filters, possible_after
from lean_magic.ledger import Ledger
from lean_magic.outcome import Bypass, Hit, Miss, Outcome
from lean_magic.planner import Cell, Plan, Planner
from lean_magic.progress import progress
from lean_magic.settings import LeanMagic
from lean_magic.store import LocalStore, Manifest, Part
from lean_magic.targets import Targets
from lean_magic.turn import alone, mixed, wait
from lean_magic.values import codec, fingerprint
from lean_magic.values.code import facts
from lean_magic.values.counting import on_bytes
from lean_magic.values.memory import LayoutChanged
from lean_magic.values.notes import noting
from lean_magic.values.sources import Sources, sources_of

__all__ = ["Cell", "Plan", "Runner"]


# Keep what is raised for somebody who may never ask.
_SWALLOWS = frozenset(
    {"submit", "Thread", "gather", "create_task", "ensure_future", "run_in_executor", "apply_async"}
)
_MIXED = "another thread or task of yours ran meanwhile, and what each of them did cannot be told apart"
_LOOK_EVERY = 20  # stores between two looks at the size of the folder


class Runner:
    """Runs the cached cells of one shell."""

    def __init__(self, shell: Any, settings: LeanMagic) -> None:
        self.shell = shell
        self.settings = settings
        self.planner = Planner(shell, settings)
        self.last: Outcome | None = None
        self._stored = -1
        history.publisher(shell)  # which is known from now on, whatever captures what a cell shows

    @property
    def store(self) -> LocalStore:
        """The store in the folder that the settings name now."""
        return self.planner.store

    @property
    def ledger(self) -> Ledger:
        """The ledger beside it."""
        return self.planner.ledger

    def plan(self, cell: Cell) -> Plan | Bypass | None:
        """Find out what a cell depends on and whether an entry answers for it; see Planner."""
        return self.planner.plan(cell)

    def look(self, nodes: Sequence[ast.stmt]) -> None:
        """Take down what is there before a cell runs, cached or not."""
        self._attempt(self.planner.look, nodes)

    def notice(self, nodes: Sequence[ast.stmt], targets: Targets | None = None) -> None:
        """Look through a cell that is not cached for what later cells depend on unseen."""
        self._attempt(self.planner.notice, nodes, targets)

    def notice_earlier(self) -> None:
        """Look through the cells that ran before the extension was loaded."""
        for nodes in self.planner.earlier():
            self.notice(nodes)

    async def run(self, cell: Cell, execute: Callable[[], Awaitable[bool]]) -> bool:
        """Run or replay one cell; `execute` runs it as IPython would. Gives whether it raised."""
        started = clock.perf_counter()
        with alone(of_call=cell.is_call) as by_itself:
            if not by_itself:
                self.last = Bypass("another thread or task of this kernel is in a cached cell or call")
                return await execute()
            with files.unwatched():
                plan = self._attempt(self.plan, cell)
            with self._turn(plan, cell) as plan:
                raised = await self._follow(plan, cell, execute, started)
            with files.unwatched():
                self.notice(cell.nodes, cell.targets)
            return raised

    async def _follow(
        self, plan: Any, cell: Cell, execute: Callable[[], Awaitable[bool]], started: float
    ) -> bool:
        """Replay, or run and store, or just run, as the plan says."""
        if isinstance(plan, Plan) and plan.entry is not None:
            outcome = self._attempt(self._replay, plan, cell, started)
            if isinstance(outcome, Hit):
                self._finish(outcome, cell, plan)
                return False
            plan = outcome
        if isinstance(plan, Plan):
            return await self._run_and_store(plan, cell, execute)
        started = clock.perf_counter()
        raised = await execute()
        if not raised and plan is not None:
            seconds = clock.perf_counter() - started
            self._finish(replace(plan, seconds=seconds, label=cell.options.label), cell, None)
        return raised

    @contextlib.contextmanager
    def _turn(self, plan: Any, cell: Cell) -> Iterator[Any]:
        """Wait while another kernel computes the same; give the plan with its entry, or with our own turn."""
        computes = isinstance(plan, Plan) and plan.entry is None
        if not computes or cell.options.refresh or cell.options.readonly:
            yield plan
            return
        with files.unwatched():
            lease = self._attempt(wait, self.shell, self.settings.folder, plan.key.digest)
            found = lease if isinstance(lease, Bypass) else self._attempt(self.planner.search, plan, cell)
        try:
            yield replace(found, reasons=plan.reasons) if isinstance(found, Plan) else found
        finally:
            with files.unwatched():
                None if isinstance(lease, Bypass) else self._attempt(lease.close)

    # -- a hit ---------------------------------------------------------------------

    def _replay(self, plan: Plan, cell: Cell, started: float) -> Hit | Plan:
        entry = plan.entry
        assert entry is not None
        assert entry.payload is not None
        with contextlib.ExitStack() as undo:
            try:
                with files.unwatched(), progress("loading", self.settings.progress_after) as show:
                    path = LocalStore(self.settings.folder, progress=show).open(entry)
                with noting() as notes:
                    graph = read(path, plan, functools.partial(self._sources, cell), undo)
            except Damaged as error:
                self.store.delete(entry)
                return replace(plan, entry=None, reasons=(f"the entry is damaged ({error})",))
            except LayoutChanged as error:
                return replace(plan, entry=None, reasons=(str(error),))
            self._settings_again(plan.found)
            found = {
                name: Record(entry.observed.get(name), entry.effects.get(name), graph.get(name))
                for name in (recorder.name for recorder in plan.recorders.members)
            }
            if entry.effects["remembering"]:
                self.planner.expect_memory(plan.run)
            plan.recorders.replay(found, plan.run, undo)
        self.planner.note_remembered(plan.run, entry.observed, did(found))
        seconds = clock.perf_counter() - started
        saved = max(entry.seconds - seconds, 0.0)
        age, size = clock.time() - entry.created, entry.payload.size
        return Hit(seconds, saved, age, size, cell.options.label, entry.entry, tuple(notes))

    def _sources(self, cell: Cell) -> Sources:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | self.shell.compile.flags
        modules = (ast.Module([node], []) for node in cell.nodes)
        return sources_of(
            [compile(module, cell.filename, "exec", flags, dont_inherit=True) for module in modules]
        )

    def _settings_again(self, found: Analysis) -> None:
        """Run harmless magics such as `%matplotlib inline` again: they cost nothing and say nothing."""
        for call in found.shell_calls:
            if call.replayed:
                self.shell.run_line_magic(call.name.lstrip("%"), call.line)

    # -- a miss ----------------------------------------------------------------------

    async def _run_and_store(self, plan: Plan, cell: Cell, execute: Callable[[], Awaitable[bool]]) -> bool:
        with files.unwatched():
            self._attempt(self.planner.expect_memory, plan.run)
            begun = self._attempt(plan.recorders.begin, plan.run) or self._attempt(self.planner.recall)
        started = clock.perf_counter()
        raised = True
        try:
            raised = await execute()
        finally:
            seconds = clock.perf_counter() - started
            if raised or begun is not None:
                plan.recorders.cancel(plan.run)
        if raised:
            self.last = None  # its traceback says it all
            return True
        outcome = begun if begun is not None else self._attempt(self._keep, plan, cell, seconds)
        plan.recorders.cancel(plan.run)
        self._finish(replace(outcome, seconds=seconds, label=cell.options.label), cell, plan)
        return False

    def _keep(self, plan: Plan, cell: Cell, seconds: float) -> Outcome:
        try:
            with files.unwatched():
                return self._store(plan, cell, seconds)
        except KeyboardInterrupt:
            return Bypass("interrupted while storing; the result stands")
        except UsageError as error:  # a setting, which must not fail the cell that has run
            return Bypass(_one_line(error))

    def _store(self, plan: Plan, cell: Cell, seconds: float) -> Outcome:
        with progress("fingerprinting", self.settings.progress_after) as show, on_bytes(show):
            records = plan.recorders.end(plan.run)
            observed = {name: one.observed for name, one in records.items()}
            self.planner.note_remembered(plan.run, observed, did(records))
        if cell.options.readonly:
            return Bypass("--readonly: looked up, not stored")
        if (mixed() or others_run()) and did_more(records, plan.found.assigned):
            return Bypass(_MIXED)
        if registers := self.planner.registers(plan.key):
            return registers  # with a library that the cell has imported
        cell.targets.must_be_reached(plan.run, records)
        budget = self.settings.budget
        graph = write(plan, self.shell.user_ns, records)
        records["names"].observed |= {
            name: fingerprint(self.shell.user_ns[name], name)
            for name in graph.used
            if name not in plan.key.parts  # which tells what it held before
        }
        manifest = self._manifest(plan, cell, seconds, records)
        with progress("storing", self.settings.progress_after) as show:
            stored = LocalStore(self.settings.folder).put(
                manifest, lambda file: codec.dump(graph, file, show)
            )
            self._store_again(plan, manifest, graph)
        assert stored.payload is not None
        self._evict(budget)
        return Miss(plan.reasons, seconds, stored.payload.size, entry=stored.entry)

    def _evict(self, budget: int) -> None:
        """Keep the folder under its budget; looked at now and then, since looking costs as well."""
        self._stored += 1
        if self._stored % _LOOK_EVERY:
            return
        from lean_magic.store import eviction

        store = self.store
        most = store.at_most()
        if (most is None or most > budget) and store.size() > budget:
            # A little below, so that not every store has to make room again.
            eviction.prune(store, self.ledger.read(), int(budget * 0.9), clock.time(), self.settings.pinned)

    def _store_again(self, plan: Plan, manifest: Manifest, graph: codec.Graph) -> None:
        """Let the entry be found also where the local modules that the cell imports are loaded already."""
        loaded = after_loading(plan.key, plan.found, self.shell.user_ns, self.planner.patches)
        if loaded is not None:
            parts = {name: Part(part.digest, part.text) for name, part in loaded.parts.items()}
            again = manifest._replace(key=loaded.digest, parts=parts, entry=new_id())
            self.store.put(again, lambda file: codec.dump(graph, file))

    def _manifest(self, plan: Plan, cell: Cell, seconds: float, records: Mapping[str, Record]) -> Manifest:
        key = plan.key
        observed = {name: record.observed for name, record in records.items()}
        # If a name was not bound and the cell did not fail, the cell never read it from before.
        swallows = (
            not _SWALLOWS.isdisjoint(plan.run.words)
            or plan.found.catches_name_errors
            or any(facts(code).guarded for code in key.walk.codes)
        )
        possible = {
            name: part.digest
            for name, part in possible_after(key).items()
            if swallows or part.text != "not bound"
        }
        return Manifest(
            family=key.family,
            key=key.digest,
            entry=new_id(),
            label=cell.options.label,
            cell_id=cell.cell_id,
            source=cell.source,
            parts={name: Part(part.digest, part.text) for name, part in key.parts.items()},
            observed={**observed, "key": possible},
            effects={name: record.effects for name, record in records.items()},
            seconds=seconds,
            created=clock.time(),
            provenance=provenance(),
        )

    # -- the end -----------------------------------------------------------------------

    def _finish(self, outcome: Outcome, cell: Cell, plan: Plan | None) -> None:
        self.last = outcome
        if plan is not None:
            look_at_filters(plan.run.words)
        if not (cell.options.quiet or self.settings.quiet):
            history.show_line(self.shell, outcome.line)
        key, label = plan.key if plan else None, cell.options.label
        # A folder that cannot be used has been told by the status line already.
        with files.unwatched():
            self._attempt(lambda: self.ledger.append(history.record(outcome, key, label, cell.cell_id)))

    def _attempt(self, step: Callable[..., Any], *args: Any) -> Any:
        """Do one step of ours; a failure becomes a Bypass, so that the cell runs whatever happens here."""
        try:
            return step(*args)
        except UsageError:
            raise
        except LeanMagicError as error:
            return Bypass(_one_line(error))
        except Exception as error:  # noqa: BLE001  law 7: a cache that fails never fails the cell
            return Bypass(f"lean_magic failed ({type(error).__name__}: {_one_line(error)}); please report it")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
