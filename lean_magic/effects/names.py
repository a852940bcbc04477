"""Names bound, rebound and deleted in the notebook's namespace."""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import types
from collections.abc import Collection, Mapping
from typing import Any

from lean_magic.effects.mortal import mortals
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unstorable
from lean_magic.values import fingerprint
from lean_magic.values.origin import is_a

__all__ = ["Names", "hidden", "is_told_apart"]

# What IPython itself binds as cells come and go.
_HIDDEN = re.compile(r"_{1,3}|_i{1,3}|_[iod]h|_i?\d+|In|Out|exit|quit|get_ipython|open|__\w+__")

_LAST = re.compile(r"_{1,3}|_\d+")  # the values of earlier cells

_SHELL_NAMES = frozenset({"_", "__", "___", "In", "Out", "_ih", "_oh", "_dh", "get_ipython"})


def hidden(name: str) -> bool:
    """Whether a name is the shell's own bookkeeping."""
    return _HIDDEN.fullmatch(name) is not None


def is_told_apart(name: str, value: Any, run: Run) -> bool:
    """Whether code may ask if something is the very object behind a name: the user's own code, or a sentinel.

    It has to have stood for that before the cell, too: `_` stands for what the cell has shown.
    """
    reads = run.reads
    if hidden(name) and (name not in reads or _LAST.fullmatch(name) is None):
        return False
    before, _ = run.walk.values.get(name, (None if hidden(name) else value, ""))
    if before is not value:
        return False
    if is_a(value, (type, types.FunctionType)):
        return bool(value.__module__ == "__main__")
    is_word = is_a(value, str) and value.isidentifier()  # Python keeps one of each
    return name in reads and not is_word and not is_a(value, (int, types.NoneType))


class Names(Recorder):
    """Compares the namespace before and after the cell."""

    name = "names"

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}
        self._names: list[str] = []
        self._gone: set[str] = set()
        self._notes: dict[str, Any] = {}

    def begin(self, run: Run) -> None:
        """Remember what each name stands for now."""
        # Names that are certainly bound anew need not be compared, so their old values may be freed.
        self._before = {
            name: mortals(run).get(id(value), value)
            for name, value in run.namespace.items()
            if name not in run.surely
        }
        self._gone = {name for name in run.surely if name in run.namespace}
        self._names = list(run.namespace)
        self._notes = dict(run.namespace.get(_NOTES, {}))

    def end(self, run: Run) -> Record:
        """Sort names into bound, deleted and untouched."""
        bound: dict[str, Any] = {}
        observed: dict[str, str] = {}
        last = _last(self._names, list(run.namespace))
        for name, value in run.namespace.items():
            if hidden(name) and name not in run.assigned:
                continue
            if name in run.surely or name in last or not self._is_still(name, value, run):
                bound[name] = value
            elif name in run.assigned and name not in run.reads:
                # Assigned on a branch not taken, or assigned what it already was: nobody can tell,
                # so the entry is believed only where the name stands for the same content.
                observed[name] = _told(run, name, value)
        present = run.namespace.keys()
        before = self._before.keys() | self._gone
        deleted = [name for name in [*before, *(run.surely - before)] if self._is_gone(name, present)]
        # What may have been bound and deleted again leaves no trace, unless it is bound now.
        maybe = run.assigned - run.reads - before - run.surely
        observed |= {name: _UNBOUND for name in maybe if self._is_gone(name, present)}
        kept = {name: value for name, value in bound.items() if name not in run.drop}
        told = {
            "bound": _in_order(list(kept), last, run.order()),
            "moved": sorted(last.intersection((*self._names, *run.deleted), kept)),
            "deleted": deleted,
            "imports": [name for name in run.imports if name in sys.modules],
        }
        notes = {
            name: note
            for name, note in run.namespace.get(_NOTES, {}).items()
            if self._notes.get(name) is not note
        }
        lost = sorted(_SHELL_NAMES.intersection(self._names) - present)
        if lost:
            raise Unstorable(
                lost[0], "is a name of IPython's own, and was deleted", "delete it in an uncached cell"
            )
        self.cancel(run)
        return Record(observed, told, {**kept, _NOTES: notes} if notes else kept)

    def _is_still(self, name: str, value: Any, run: Run) -> bool:
        """Whether a name stands for the object it stood for before; one that might end was not held."""
        return self._before.get(name, _NOTHING) is mortals(run).get(id(value), value)

    def _is_gone(self, name: str, present: Collection[str]) -> bool:
        return name not in present and not hidden(name)

    def cancel(self, run: Run) -> None:
        """Let the old values go."""
        del run
        self._before = {}

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare names that the run may have left alone."""
        for name, digest in (observed or {}).items():
            if digest == _UNBOUND:
                if name in run.namespace:
                    return f"`{name}` is bound now"
            elif name not in run.namespace:
                return f"`{name}` is not bound now"
            elif digest.startswith(_IS):
                if run.walk.by_mark().get(digest.removeprefix(_IS)) is not run.namespace[name]:
                    return f"`{name}` is another object"
            elif fingerprint(run.namespace[name], name) != digest:
                return f"`{name}` has other content"
        return ""

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Bind and delete the names."""
        touched = [*record.effects["bound"], *record.effects["deleted"]]
        undo.callback(_restore, run.namespace, {name: run.namespace.get(name, _NOTHING) for name in touched})
        for name in record.effects["imports"]:
            # `import a.b` binds `a`, and hangs `b` on it.
            importlib.import_module(name)
        if _NOTES in record.values:
            notes = run.namespace.setdefault(_NOTES, {})
            undo.callback(
                _restore, notes, {name: notes.get(name, _NOTHING) for name in record.values[_NOTES]}
            )
            notes.update(record.values[_NOTES])
        for name in record.effects["moved"]:
            run.namespace.pop(name, None)
        for name in record.effects["bound"]:
            run.namespace[name] = record.values[name]
        for name in record.effects["deleted"]:
            run.namespace.pop(name, None)


def _told(run: Run, name: str, value: Any) -> str:
    """Say what a name stands for: which of the objects that the cell reached and may have changed, or its content."""
    mark = run.walk.live().get(id(value))
    return fingerprint(value, name) if mark is None else _IS + mark


def _last(before: list[str], now: list[str]) -> set[str]:
    """Name what was put at the end of a namespace: new names, and those that were deleted and bound again."""
    rest = iter(before)
    kept = next((place for place, name in enumerate(now) if name not in rest), len(now))
    return set(now[kept:])


def _in_order(names: list[str], last: set[str], order: Mapping[str, int]) -> list[str]:
    """Order names as the cell has bound them.

    New names stand in that order, also where no statement says it, as after `exec`. One that was there before
    stands at its old place, which says nothing of when it was bound, so it goes by the cell's text.
    """
    reached, when = 0, {}
    for name in names:
        is_new = name in last
        reached = max(reached, order.get(name, reached)) if is_new else reached
        when[name] = reached if is_new else order.get(name, len(order))
    return sorted(names, key=lambda name: when[name])


def _restore(namespace: dict[str, Any], before: dict[str, Any]) -> None:
    for name, value in before.items():
        if value is _NOTHING:
            namespace.pop(name, None)
        else:
            namespace[name] = value


_NOTHING = object()
_UNBOUND, _IS = "", "is "  # observed in the place of a digest
_NOTES = "__annotations__"
