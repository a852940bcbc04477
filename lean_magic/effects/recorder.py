"""The Recorder protocol, and a list of recorders as one.

A recorder watches one kind of effect. On a run it gives what it *observed* (inputs
seen only while running, which must still hold for the entry to be believed), its
*effects* (JSON for the manifest) and *values* (objects for the payload). On a
replay it puts the effects back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lean_magic.host import working_folder
from lean_magic.values import Walk
from lean_magic.values.code import CodeFacts
from lean_magic.values.slots import forget_names, note_names

__all__ = ["Record", "Recorder", "Recorders", "Run", "include_in_open"]


@dataclass(slots=True, repr=False, eq=False)
class Run:
    """What the recorders of one cell share: the shell, its namespace, and what the cell's text says."""

    shell: Any
    namespace: dict[str, Any]
    walk: Walk
    reads: frozenset[str] = frozenset()
    assigned: frozenset[str] = frozenset()
    surely: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    order: Callable[[], Mapping[str, int]] = dict  # numbers names in the order the cell's text binds them
    drop: frozenset[str] = frozenset()
    strings: frozenset[str] = frozenset()
    inner: frozenset[str] = frozenset()  # those of values, wherever they lie, that look like paths
    said: CodeFacts = field(default_factory=CodeFacts)
    sets: frozenset[tuple[str, ...]] = frozenset()
    loads: Mapping[str, Collection[tuple[str, ...]]] = field(default_factory=dict)
    in_place: bool = False
    imports: tuple[str, ...] = ()
    constants: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    cache: str = ""  # the folder of the store, in which files are opened that are ours
    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)  # paths, as far as known
    unseen: set[str] = field(default_factory=set)  # those of them that only looking around has shown
    passing: set[str] = field(default_factory=set)  # paths that were there neither before the cell nor after
    listed: set[str] = field(default_factory=set)
    start: str = field(default_factory=working_folder)
    shown: set[str] = field(default_factory=set)  # warnings of a replay that were shown before it
    mortal: dict[int, Any] | None = None  # see mortal.py


@dataclass(slots=True, repr=False, eq=False)
class Record:
    """What one recorder saw: `observed` and `effects` are JSON, `values` go into the payload."""

    observed: Any = None
    effects: Any = None
    values: Any = None


class Recorder(Protocol):
    """One kind of effect; every recorder passes tests/contracts/recorder_contract.py.

    What a recorder has no use for it inherits: it then does nothing.
    """

    name: str

    def begin(self, run: Run) -> None:
        """Start watching, before the cell runs."""

    def end(self, run: Run) -> Record:
        """Stop watching and say what was seen. Raises LeanMagicError if it cannot be replayed."""

    def cancel(self, run: Run) -> None:
        """Stop watching after a cell that raised; must be harmless after `end`."""
        del run

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare what an entry observed with the present; gives the reason if it differs, else ""."""
        del observed, run
        return ""

    def settle(self, record: Record, run: Run) -> None:
        """See to it that what was put back stands, now that the values it took the place of are gone."""
        del record, run

    def include(self, record: Record) -> None:
        """Take over what a cell inside this one observed and did, as it is replayed and so cannot be watched."""
        del record

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Put the effects back, giving `undo` a callback for each step before it is taken."""
        del record, run, undo


@dataclass(slots=True, repr=False, eq=False)
class Recorders:
    """All recorders of one cell, as one."""

    members: list[Recorder] = field(default_factory=list)

    def begin(self, run: Run) -> None:
        """Start all; what started is cancelled if one fails to."""
        for recorder in self.members:
            recorder.begin(run)
        _open.append(self)

    def end(self, run: Run) -> dict[str, Record]:
        """Stop all, the last first: output is the outermost and sees what the others show."""
        self._close()
        found = {recorder.name: recorder.end(run) for recorder in reversed(self.members)}
        return {recorder.name: found[recorder.name] for recorder in self.members}

    def cancel(self, run: Run) -> None:
        """Stop all, keeping nothing."""
        self._close()
        for recorder in reversed(self.members):
            recorder.cancel(run)

    def differs(self, observed: Mapping[str, Any], run: Run) -> str:
        """Give the first reason why an entry cannot be believed now, or ""."""
        reasons = (recorder.still_holds(observed.get(recorder.name), run) for recorder in self.members)
        return next((reason for reason in reasons if reason), "")

    def replay(self, records: Mapping[str, Record], run: Run, begun: contextlib.ExitStack) -> None:
        """Put everything back in the order of the list, output last; all or nothing, with what was `begun` before.

        Whatever is raised on the way, a KeyboardInterrupt too, all that was put back is taken away again:
        the cell that then runs starts from what was there.
        """
        for outer in _open:
            for recorder in outer.members:
                recorder.include(records[recorder.name])
        note_names()
        try:
            self._put_back(records, run, begun)
        finally:
            forget_names()

    def _put_back(self, records: Mapping[str, Record], run: Run, begun: contextlib.ExitStack) -> None:
        with begun as undo:
            for recorder in self.members:
                recorder.replay(records[recorder.name], run, undo)
            kept = undo.pop_all()
        del kept  # old values go now, and the finalizers they have do again what the entry holds already
        for recorder in self.members:
            recorder.settle(records[recorder.name], run)

    def _close(self) -> None:
        if self in _open:
            _open.remove(self)


def include_in_open(name: str, record: Record) -> None:
    """Let the recorders called `name` of all cells that run now take over what is used but was done earlier."""
    for cell in _open:
        for recorder in cell.members:
            if recorder.name == name:
                recorder.include(record)


_open: list[Recorders] = []  # of cells that run now, the outermost first
