"""What is known about a cell before it runs: its key, and the entry that answers for it.

Nothing here runs the cell or changes anything, so `%lean why` asks the same.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lean_magic import clock, display, history
from lean_magic.effects import Record, Recorders, Run, include_in_open, recorders, rng
from lean_magic.errors import UsageError
from lean_magic.key import (
    Analysis,
    Key,
    Patches,
    Remembered,
    analyse,
    asks_who_holds,
    below,
    binding_order,
    difference,
    look_at_filters,
    make_key,
    possible_now,
    read_ahead,
    registering,
)
from lean_magic.key.parts import Part as KeyPart
from lean_magic.ledger import Ledger
from lean_magic.options import Options
from lean_magic.outcome import Bypass
from lean_magic.progress import progress
from lean_magic.settings import LeanMagic
from lean_magic.store import LocalStore, Manifest, Part
from lean_magic.targets import Targets
from lean_magic.values import adapters
from lean_magic.values.counting import on_bytes
from lean_magic.values.owners import SETTERS

__all__ = ["Cell", "Plan", "Planner"]

# What the user's own expression may raise.
_EXPECTED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(slots=True, repr=False, eq=False)
class Cell:
    """One cell as IPython parsed it."""

    nodes: Sequence[ast.stmt]
    source: str
    options: Options
    cell_id: str = ""
    quiet: bool = False
    filename: str = "<cell>"
    interactivity: str = "last_expr"
    is_call: bool = False
    targets: Targets = field(default_factory=Targets)


@dataclass(slots=True, repr=False, eq=False)
class Plan:
    """What is known about a cell before it runs."""

    found: Analysis
    key: Key
    run: Run
    entry: Manifest | None = None
    reasons: tuple[str, ...] = ()
    recorders: Recorders = field(default_factory=Recorders)


class Planner:
    """Plans the cells of one shell."""

    def __init__(self, shell: Any, settings: LeanMagic) -> None:
        self.shell = shell
        self.settings = settings
        self.patches = Patches()
        self.remembered = Remembered()
        self._said = {"filters"}  # of code that nobody has looked at, any may set filters

    @property
    def store(self) -> LocalStore:
        """The store in the folder that the settings name now."""
        return LocalStore(self.settings.folder)

    @property
    def ledger(self) -> Ledger:
        """The ledger beside it."""
        return Ledger(self.settings.ledger_file)

    def look(self, nodes: Sequence[ast.stmt]) -> None:
        """Take note of what changed between two cells, which is no doing of the user's; these come next."""
        look_at_filters(())
        self._said = _words(nodes)
        self.patches.unnamed.look(nodes, self.shell.user_ns)
        adapters.look(self.shell.user_ns.values())

    def earlier(self) -> Iterator[list[ast.stmt]]:
        """Give the cells that ran before the extension was loaded."""
        said: set[str] = set()
        for text in list(self.shell.user_ns.get("In", []))[1:]:
            with contextlib.suppress(SyntaxError, ValueError):
                nodes = ast.parse(text).body
                said |= _words(nodes)
                yield nodes
        look_at_filters(said, earlier=True)
        rng.assume_seeded(said)

    def notice(self, nodes: Sequence[ast.stmt], targets: Targets | None = None) -> None:
        """Look through a cell that is not cached for what later cells depend on unseen, and for its libraries."""
        read_ahead(adapters.load_adapters())
        adapters.notice(self.shell.user_ns.values())
        names = _words(nodes)
        look_at_filters(names)
        rng.watch()
        rng.assume_seeded(names)
        self.patches.registrations.note(nodes, self.shell.user_ns)
        self.patches.items.note(nodes, self.shell.user_ns)
        self.patches.note_unnamed(nodes, self.shell.user_ns)
        if targets is not None:
            self.patches.note_targets(targets.kept_from(self.shell.user_ns), self.shell.user_ns)
        sets = (not isinstance(node.ctx, ast.Load) for node in below(nodes, ast.Attribute))
        hidden = not SETTERS.isdisjoint(names)
        if hidden or any(sets):
            self.patches.note(analyse(nodes).facts.sets, self.shell.user_ns, hidden=hidden)

    def plan(self, cell: Cell) -> Plan | Bypass | None:
        """Find out what a cell depends on and whether an entry answers for it.

        None means that there is nothing to say: the cell does not compile, and Python will tell.
        """
        if cell.is_call:
            look_at_filters(self._said)
        off = cell.options.off or self.settings.is_off
        if off or not cell.nodes:
            return Bypass("caching is switched off" if off else "the cell is empty")
        try:
            found = analyse(cell.nodes, cell.quiet)
        except SyntaxError:
            return None
        if refused := self._refused(cell, found):
            return refused
        key = self._key(cell, found)
        run = self._context(cell, found, key)
        told = self.told(run)
        if told:
            key = self._key(cell, found, told)
            run = self._context(cell, found, key)
        plan = Plan(found, key, run, recorders=recorders())
        if cell.options.refresh:
            plan = replace(plan, reasons=("--refresh",))
        return self.registers(key) or (plan if plan.reasons else self.search(plan, cell))

    def _refused(self, cell: Cell, found: Analysis) -> Bypass | None:
        """Say why a cell is not even looked at."""
        unknown = next((call for call in found.shell_calls if not call.known), None)
        if unknown is not None:
            said = f"{unknown.name} {unknown.line}" if unknown.name != "!" else f"!{unknown.line}"
            return Bypass(f"`{said.strip()}` reaches outside Python; put it into an uncached cell")
        counts = asks_who_holds(cell.nodes, self.shell.user_ns)
        return Bypass(counts) if counts else None

    def registers(self, key: Key) -> Bypass | None:
        """Say that a cell registers something with a library, which no replay can do again."""
        call = registering(key.facts.uses, self.shell.user_ns)
        said = f"`{call}()` hangs something into a library; call it in an uncached cell"
        return Bypass(said) if call else None

    def told(self, run: Run) -> dict[str, str]:
        """Say what functions remember (lru_cache) that they might not say now: name → text."""
        return self.remembered.told(
            run, self.patches, lambda observed: not recorders().differs(observed, run)
        )

    def expect_memory(self, run: Run) -> None:
        """Get ready for `note_remembered`, before the cell runs or is replayed."""
        self.remembered.expect(run, self.patches)

    def recall(self) -> None:
        """Let the cell that runs count what functions observed that may answer it from memory."""
        for observed in self.remembered.recalled:
            for kind, seen in observed.items():
                if seen:
                    include_in_open(kind, Record(seen, {}, None))

    def note_remembered(self, run: Run, observed: Mapping[str, Any], effects: Collection[str] = ()) -> None:
        """Take down that what functions have come to remember is what they would say, while nothing changes."""
        self.remembered.note(run, self.patches, observed, effects)

    def _key(self, cell: Cell, found: Analysis, told: Mapping[str, str] | None = None) -> Key:
        namespace = self.shell.user_ns
        depends = {text: _evaluate(text, namespace) for text in cell.options.depends}
        with progress("fingerprinting", self.settings.progress_after) as show, on_bytes(show):
            fixed = {"interactivity": cell.interactivity, **display.settings(self.shell), **(told or {})}
            if future := _future(cell.nodes, self.shell.compile.flags):
                fixed["__future__"] = future
            if cell.options.drop:
                fixed["--drop"] = " ".join(sorted(cell.options.drop))
            return make_key(found, namespace, depends, cell.options.ignore, fixed, self.patches)

    def _context(self, cell: Cell, found: Analysis, key: Key) -> Run:
        return Run(
            shell=self.shell,
            namespace=self.shell.user_ns,
            walk=key.walk,
            reads=frozenset(key.parts) | frozenset(key.possible),
            assigned=frozenset(found.assigned | key.facts.stores),
            in_place=key.facts.in_place,
            imports=tuple(one.module for one, _ in found.imports if not one.names and "." in one.module),
            surely=frozenset(found.surely),
            deleted=frozenset(found.deleted),
            order=functools.partial(binding_order, cell.nodes, found.order),
            drop=frozenset(cell.options.drop),
            said=key.facts,
            sets=frozenset(key.facts.sets),
            loads=key.facts.loads,
            cache=str(self.settings.folder),
            **key.said(),
        )

    def search(self, plan: Plan, cell: Cell) -> Plan:
        """Look for an entry whose observed inputs still hold."""
        reasons: list[str] = []
        for manifest in self.store.get(plan.key.family, plan.key.digest):
            reason = self._stale(manifest, plan, cell)
            if not reason:
                return replace(plan, entry=manifest)
            reasons.append(reason)
        return replace(plan, reasons=tuple(reasons[:1]) or self._differences(plan.key, cell))

    def _stale(self, manifest: Manifest, plan: Plan, cell: Cell) -> str:
        if cell.options.ttl is not None and not 0 <= clock.time() - manifest.created <= cell.options.ttl:
            return "the entry is older than --ttl"
        if manifest.payload is None or set(manifest.effects) != {one.name for one in plan.recorders.members}:
            return "the entry was made by another version"
        for name, digest in manifest.observed.get("key", {}).items():
            if possible_now(plan.key, name) != digest:
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


def _future(nodes: Sequence[ast.stmt], flags: int) -> str:
    """Name what is imported from `__future__`, by this cell or in the session: it tells how code is compiled."""
    own = {
        name.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for name in node.names
    }
    known = (name for name in __future__.all_feature_names if flags & _flag(name))
    return " ".join(sorted({*known, *(name for name in own if _flag(name))}))


def _flag(name: str) -> int:
    feature = getattr(__future__, name, None)
    return feature.compiler_flag if feature is not None else 0


def _words(nodes: Sequence[ast.stmt]) -> set[str]:
    """Give the names and attributes that code says."""
    said = {name.id for name in below(nodes, ast.Name)}
    return said | {node.attr for node in below(nodes, ast.Attribute)}


def _evaluate(text: str, namespace: dict[str, Any]) -> Any:
    try:
        return eval(text, namespace)  # noqa: S307  the user's own expression, on the user's own line
    except _EXPECTED as error:
        raise UsageError(f"%%cached: --depends {text} raised {type(error).__name__}: {error}") from None
