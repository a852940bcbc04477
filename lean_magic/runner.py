"""One cached run: key → find → replay, or run → record → store → ledger.

The only place where key, effects, values and store meet. Whatever fails here, the
user's cell still runs: the failure becomes a Bypass, told in one line.
"""

from __future__ import annotations

import ast
import getpass
import platform
import sys
import time
import types
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lean_magic import display, history
from lean_magic._version import __version__
from lean_magic.effects import Record, Recorders, Run, recorders
from lean_magic.errors import Damaged, LeanMagicError, StoreError, UsageError
from lean_magic.key import Analysis, Key, Patches, after_loading, analyse, difference, make_key
from lean_magic.key.reach import Part as KeyPart
from lean_magic.ledger import Ledger
from lean_magic.options import Options
from lean_magic.outcome import Bypass, Hit, Miss, Outcome
from lean_magic.progress import progress
from lean_magic.settings import LeanMagic
from lean_magic.store import LocalStore, Manifest, Part
from lean_magic.values import codec, fingerprint
from lean_magic.values.code import facts
from lean_magic.values.fingerprint import on_bytes
from lean_magic.values.in_place import shape_of
from lean_magic.values.sources import Sources, sources_of

__all__ = ["Cell", "Plan", "Runner"]


@dataclass(slots=True)
class Cell:
    """One cell as IPython parsed it."""

    nodes: Sequence[ast.stmt]
    source: str
    options: Options
    cell_id: str = ""
    quiet: bool = False
    filename: str = "<cell>"
    interactivity: str = "last_expr"


@dataclass(slots=True)
class Plan:
    """What is known about a cell before it runs."""

    found: Analysis
    key: Key
    run: Run
    entry: Manifest | None = None
    reasons: tuple[str, ...] = ()
    recorders: Recorders = field(default_factory=Recorders)


class Runner:
    """Runs the cached cells of one shell."""

    def __init__(self, shell: Any, settings: LeanMagic) -> None:
        self.shell = shell
        self.settings = settings
        self.last: Outcome | None = None
        self.patches = Patches()

    @property
    def store(self) -> LocalStore:
        """The store in the folder that the settings name now."""
        return LocalStore(self.settings.folder)

    @property
    def ledger(self) -> Ledger:
        """The ledger beside it."""
        return Ledger(self.settings.ledger_file)

    async def run(self, cell: Cell, execute: Callable[[], Awaitable[bool]]) -> bool:
        """Run or replay one cell; `execute` runs it as IPython would. Gives whether it raised."""
        started = time.perf_counter()
        plan = self._attempt(self.plan, cell)
        if isinstance(plan, Plan) and plan.entry is not None:
            outcome = self._attempt(self._replay, plan, cell, started)
            if isinstance(outcome, Hit):
                self._finish(outcome, cell, plan)
                return False
            plan = outcome if isinstance(outcome, Bypass) else replace(plan, entry=None)
        if isinstance(plan, Plan):
            return await self._run_and_store(plan, cell, execute)
        started = time.perf_counter()
        raised = await execute()
        if not raised and plan is not None:
            self._finish(
                replace(plan, seconds=time.perf_counter() - started, label=cell.options.label), cell, None
            )
        return raised

    def notice(self, nodes: Sequence[ast.stmt]) -> None:
        """Look through a cell that is not cached for what later cells depend on unseen."""
        if any(
            isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load) for node in _walk(nodes)
        ) or any(isinstance(node, ast.Name) and node.id in {"setattr", "delattr"} for node in _walk(nodes)):
            found = self._attempt(analyse, nodes)
            if isinstance(found, Analysis):
                self.patches.note(found.facts.sets, self.shell.user_ns)

    # -- before the cell runs ---------------------------------------------------

    def plan(self, cell: Cell) -> Plan | Bypass | None:
        """Find out what a cell depends on and whether an entry answers for it.

        None means that there is nothing to say: the cell does not compile, and Python will tell.
        """
        if cell.options.off or self.settings.is_off:
            return Bypass("caching is switched off")
        if not cell.nodes:
            return Bypass("the cell is empty")
        try:
            found = analyse(cell.nodes, cell.quiet)
        except SyntaxError:
            return None
        unknown = next((call for call in found.shell_calls if not call.known), None)
        if unknown is not None:
            return Bypass(
                f"`{unknown.name} {unknown.line}`".strip()
                + " reaches outside Python; put it into a cell of its own"
            )
        key = self._key(cell, found)
        run = self._context(cell, found, key)
        plan = Plan(found, key, run, recorders=recorders())
        if cell.options.refresh:
            return replace(plan, reasons=("--refresh",))
        return self._search(plan, cell)

    def _key(self, cell: Cell, found: Analysis) -> Key:
        namespace = self.shell.user_ns
        depends = {text: _evaluate(text, namespace) for text in cell.options.depends}
        with progress("fingerprinting", self.settings.progress_after) as show, on_bytes(show):
            fixed = {"interactivity": cell.interactivity, **display.settings(self.shell)}
            return make_key(found, namespace, depends, cell.options.ignore, fixed, self.patches)

    def _context(self, cell: Cell, found: Analysis, key: Key) -> Run:
        return Run(
            shell=self.shell,
            namespace=self.shell.user_ns,
            walk=key.walk,
            reads=frozenset(key.parts) | frozenset(key.possible),
            assigned=frozenset(found.assigned | key.facts.stores),
            in_place=key.facts.in_place,
            surely=frozenset(found.surely),
            drop=frozenset(cell.options.drop),
            strings=frozenset(key.facts.strings) | key.walk.texts | key.walk.words,
            constants=frozenset(key.facts.strings),
            words=frozenset(key.facts.attributes) | frozenset(key.facts.loads),
            packages=frozenset(name.partition(".")[0] for name in key.walk.modules) | key.outside,
            modules=frozenset(name.partition(" ")[2] for name in key.parts if name.startswith("module ")),
            sets=frozenset(key.facts.sets),
        )

    def _search(self, plan: Plan, cell: Cell) -> Plan | Bypass:
        """Look for an entry whose observed inputs still hold."""
        reasons: list[str] = []
        for manifest in self.store.get(plan.key.family, plan.key.digest):
            reason = self._stale(manifest, plan, cell)
            if not reason:
                return replace(plan, entry=manifest)
            reasons.append(reason)
        return replace(plan, reasons=tuple(reasons[:1]) or self._differences(plan.key, cell))

    def _stale(self, manifest: Manifest, plan: Plan, cell: Cell) -> str:
        if cell.options.ttl is not None and not 0 <= time.time() - manifest.created <= cell.options.ttl:
            return "the entry is older than --ttl"
        if manifest.payload is None or set(manifest.effects) != {one.name for one in plan.recorders.members}:
            return "the entry was made by another version"
        for name, digest in manifest.observed.get("key", {}).items():
            part = plan.key.possible.get(name)
            if part is None or part.digest != digest:
                return f"`{name}` has other content"
        return plan.recorders.differs(manifest.observed, plan.run)

    def _differences(self, key: Key, cell: Cell) -> tuple[str, ...]:
        """Say how the nearest entry differs from the present."""
        nearest = history.nearest(self.store, self.ledger, key, cell.options.label, cell.cell_id)
        if nearest is None:
            return ("first run",)
        now = {**key.parts, "code": KeyPart(key.parts["code"].digest, cell.source)}
        before = {**nearest.parts, "code": Part(nearest.parts["code"].digest, nearest.source)}
        return tuple(map(str, difference(before, now))) or ("first run",)

    # -- a hit ---------------------------------------------------------------------

    def _replay(self, plan: Plan, cell: Cell, started: float) -> Hit | Plan:
        entry = plan.entry
        assert entry is not None
        assert entry.payload is not None
        try:
            with progress("loading", self.settings.progress_after) as show:
                path = LocalStore(self.settings.folder, progress=show).open(entry)
            graph = codec.load(
                path, entry.payload.layout, plan.run.walk.by_mark(), plan.run.walk.spaces, self._sources(cell)
            )
        except Damaged as error:
            self.store.delete(entry)
            return replace(plan, entry=None, reasons=(f"the entry is damaged ({error})",))
        self._settings_again(plan.found)
        found = {
            name: Record(entry.observed.get(name), entry.effects.get(name), graph.get(name))
            for name in (recorder.name for recorder in plan.recorders.members)
        }
        plan.recorders.replay(found, plan.run)
        seconds = time.perf_counter() - started
        saved = max(entry.seconds - seconds, 0.0)
        return Hit(
            seconds, saved, time.time() - entry.created, entry.payload.size, cell.options.label, entry.entry
        )

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
                self.shell.run_line_magic(call.name[1:], call.line)

    # -- a miss ----------------------------------------------------------------------

    async def _run_and_store(self, plan: Plan, cell: Cell, execute: Callable[[], Awaitable[bool]]) -> bool:
        begun = self._attempt(plan.recorders.begin, plan.run)
        started = time.perf_counter()
        raised = True
        try:
            raised = await execute()
        finally:
            seconds = time.perf_counter() - started
            if raised or begun is not None:
                plan.recorders.cancel(plan.run)
        if raised:
            return True
        outcome = begun if begun is not None else self._attempt(self._store, plan, cell, seconds)
        plan.recorders.cancel(plan.run)
        self._finish(replace(outcome, seconds=seconds, label=cell.options.label), cell, plan)
        return False

    def _store(self, plan: Plan, cell: Cell, seconds: float) -> Outcome:
        with progress("fingerprinting", self.settings.progress_after) as show, on_bytes(show):
            records = plan.recorders.end(plan.run)
        if cell.options.readonly:
            return Bypass("--readonly: looked up, not stored")
        graph = codec.encode(
            {name: record.values for name, record in records.items()}, self._live(plan, records)
        )
        records["names"].observed |= {
            name: fingerprint(self.shell.user_ns[name], name) for name in graph.used
        }
        manifest = self._manifest(plan, cell, seconds, records)
        with progress("storing", self.settings.progress_after) as show:
            stored = LocalStore(self.settings.folder).put(
                manifest, lambda file: codec.dump(graph, file, show)
            )
            self._store_again(plan, manifest, graph)
        assert stored.payload is not None
        return Miss(plan.reasons, seconds, stored.payload.size, entry=stored.entry)

    def _store_again(self, plan: Plan, manifest: Manifest, graph: codec.Graph) -> None:
        """Let the entry be found also where the local modules that the cell imports are loaded already."""
        loaded = after_loading(plan.key, plan.found, self.shell.user_ns, self.patches)
        if loaded is not None:
            parts = {name: Part(part.digest, part.text) for name, part in loaded.parts.items()}
            again = replace(manifest, key=loaded.digest, parts=parts, entry=uuid.uuid4().hex)
            self.store.put(again, lambda file: codec.dump(graph, file))

    def _live(self, plan: Plan, records: Mapping[str, Record]) -> codec.Live:
        """Say what a graph may refer to: live objects by mark, and the user's own code bound before the cell."""
        walk, namespace = plan.run.walk, self.shell.user_ns
        spaces = {id(space): name for name, space in walk.spaces.items()}
        bound = set(records["names"].effects["bound"]) | plan.run.drop
        own = {
            id(value): name
            for name, value in namespace.items()
            if name not in bound
            and isinstance(value, (type, types.FunctionType))
            and value.__module__ == "__main__"
        }
        arrays = [(shape[0], value) for value in walk.objects if (shape := shape_of(value)) is not None]
        return codec.Live(walk.live(), {**spaces, id(namespace): "__main__"}, own, arrays)

    def _manifest(self, plan: Plan, cell: Cell, seconds: float, records: Mapping[str, Record]) -> Manifest:
        key = plan.key
        observed = {name: record.observed for name, record in records.items()}
        # If a name was not bound and the cell did not fail, the cell never read it from before.
        swallows = plan.found.catches_name_errors or any(facts(code).guarded for code in key.walk.codes)
        possible = {
            name: part.digest for name, part in key.possible.items() if swallows or part.text != "not bound"
        }
        return Manifest(
            family=key.family,
            key=key.digest,
            entry=uuid.uuid4().hex,
            label=cell.options.label,
            cell_id=cell.cell_id,
            source=cell.source,
            parts={name: Part(part.digest, part.text) for name, part in key.parts.items()},
            observed={**observed, "key": possible},
            effects={name: record.effects for name, record in records.items()},
            seconds=seconds,
            created=time.time(),
            provenance=_provenance(),
        )

    # -- the end -----------------------------------------------------------------------

    def _finish(self, outcome: Outcome, cell: Cell, plan: Plan | None) -> None:
        self.last = outcome
        if not (cell.options.quiet or self.settings.quiet):
            history.show_line(self.shell, outcome.line)
        try:
            self.ledger.append(
                history.record(outcome, plan.key if plan else None, cell.options.label, cell.cell_id)
            )
        except StoreError:
            # The folder cannot be used; the status line has said so already.
            return

    def _attempt(self, step: Callable[..., Any], *args: Any) -> Any:
        """Do one step of ours; a failure becomes a Bypass, so that the cell runs whatever happens here."""
        try:
            return step(*args)
        except UsageError:
            raise
        except LeanMagicError as error:
            return Bypass(_one_line(error))
        except KeyboardInterrupt:
            return Bypass("interrupted while storing; the result stands")
        except Exception as error:  # noqa: BLE001  law 7: a cache that fails never fails the cell
            return Bypass(f"lean_magic failed ({type(error).__name__}: {_one_line(error)}); please report it")


def _walk(nodes: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    return (inner for node in nodes for inner in ast.walk(node))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _evaluate(text: str, namespace: dict[str, Any]) -> Any:
    try:
        return eval(text, namespace)  # noqa: S307  the user's own expression, on the user's own line
    except Exception as error:
        raise UsageError(f"%%cached: --depends {text} raised {type(error).__name__}: {error}") from None


def _provenance() -> dict[str, Any]:
    return {
        "user": getpass.getuser(),
        "host": platform.node(),
        "python": platform.python_version(),
        "lean_magic": __version__,
        "executable": sys.executable,
    }
