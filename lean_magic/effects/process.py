"""Settings of the process that the cell changes: environment, folders, options of libraries.

Mappings are put back name by name and lists entry by entry, so that what else they
hold stays as it is where the entry is replayed.
"""

from __future__ import annotations

import contextlib
import decimal
import sys
import warnings
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from lean_magic.effects import warned
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.effects.settings import GONE, KINDS
from lean_magic.errors import Unstorable
from lean_magic.values.filter_rules import SETS_FILTERS, as_set
from lean_magic.values.same import is_other

__all__ = ["Process", "searching"]

# Set by libraries for themselves as they are loaded, or by the front end; a variable that the code names is its own.
_NOISE = {
    "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR", "TOKENIZERS_PARALLELISM", "MPLBACKEND",
    "backend", "interactive", "PYTORCH_NVML_BASED_CUDA_CHECK", "TORCH_NCCL_ASYNC_ERROR_HANDLING",
}  # fmt: skip


class Process(Recorder):
    """Compares the settings before and after the cell."""

    name = "process"

    def __init__(self) -> None:
        self._before: dict[str, dict[str, Any]] = {}
        self._filters: list[Any] = []
        self._path: list[str] = []
        self._flags = 0
        self._context = decimal.getcontext()
        self._shown: tuple[int, dict[str, dict[Any, Any]]] = (0, {})
        self._known: dict[str, dict[Any, Any]] = {}
        self._asked = warned.Asked()

    def begin(self, run: Run) -> None:
        """Take down every setting."""
        self._flags = _flags(run)
        self._context = decimal.getcontext()
        self._before = {kind: settings.get() for kind, settings in KINDS.items()}
        self._filters = list(map(as_set, warnings.filters))
        self._path = list(sys.path)
        now = warned.version()
        self._shown = now, warned.shown(now)
        self._asked = warned.Asked()
        self._asked.begin(self._shown[1])

    def end(self, run: Run) -> Record:
        """Collect what the cell changed. Raises Unstorable for what cannot be put back."""
        self._asked.end(self._shown[1])
        changed: dict[str, dict[str, Any]] = {}
        for kind, settings in KINDS.items():
            now = settings.get()
            # A library loaded by the cell started from its defaults.
            noise = _NOISE - run.strings if kind == "environment" else _NOISE
            names = _changes(self._before[kind] or settings.defaults(), now, noise) if now else {}
            if names:
                changed[kind] = names
        if changed.get("process", {}).get("working folder") == "":
            raise Unstorable(
                "the working folder", "was deleted by this cell", "leave that to an uncached cell"
            )
        effects: dict[str, Any] = {kind: sorted(names) for kind, names in changed.items()}
        if any(moves := _moves(self._path, sys.path)):
            effects["path"] = moves
        filters = list(warnings.filters)
        added, behind = _new_filters(self._filters, list(map(as_set, filters)), run)
        own = decimal.getcontext()
        values: dict[str, Any] = {
            "settings": changed,
            "filters": [item for item in filters if as_set(item) in added],
            "behind": [item for item in filters if as_set(item) in behind],
            "flags": _flags(run) & ~self._flags,
            "context": None if own is self._context else own,
            "warned": warned.told(self._shown),
        }
        before = {name: sorted(told) for name, told in self._asked.by_module.items()}
        shown = sorted(values["warned"][1])
        return Record({"before": before, "shown": shown} if before or shown else None, effects, values)

    def cancel(self, run: Run) -> None:
        """Stop asking."""
        del run
        self._asked.end(self._shown[1])

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare which warnings modules had shown, and so did not show again."""
        del run
        before = observed["before"] if observed else {}
        # Taken down here, since what a replay loads may warn, which nobody sees.
        self._known = warned.shown(warned.version()) if observed else {}
        for name, told in before.items():
            if not {*told} <= {*warned.spelled(self._known.get(name, {}))}:
                return f"a warning that `{name}` had shown before has not been shown now"
        return ""

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Set what the cell set."""
        # What is imported from `__future__` holds for the cells that are compiled from now on.
        if record.values["flags"]:
            run.shell.compile.flags |= record.values["flags"]
        if record.values["context"] is not None:
            undo.callback(decimal.setcontext, decimal.getcontext())
            decimal.setcontext(record.values["context"])
        for kind, names in record.values["settings"].items():
            before = KINDS[kind].get()
            for name, value in names.items():
                if name in before or kind == "environment":
                    undo.callback(KINDS[kind].put, name, before.get(name, GONE))
                KINDS[kind].put(name, value)
        undo.callback(_restore, list(sys.path), list(warnings.filters))
        sys.path[:] = _moved(record.effects)
        for item in reversed(record.values["filters"]):
            same = [one for one in warnings.filters if as_set(one) == as_set(item)]
            for one in same:  # a library that was loaded again has set it
                warnings.filters.remove(one)  # type: ignore[attr-defined]
            warnings.filters.insert(0, item)  # type: ignore[attr-defined]
        now = list(map(as_set, warnings.filters))
        behind = [item for item in record.values["behind"] if as_set(item) not in now]
        warnings.filters.extend(behind)  # type: ignore[attr-defined]
        if record.values["filters"] or behind:
            warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  as filterwarnings() does
        forgot, shown = record.values["warned"]
        run.shown |= set() if forgot else warned.again(shown, self._known)
        warned.put_back(forgot, shown, undo.callback)


def _flags(run: Run) -> int:
    return int(getattr(getattr(getattr(run, "shell", None), "compile", None), "flags", 0))


@contextlib.contextmanager
def searching(effects: Mapping[str, Any]) -> Iterator[None]:
    """Look for modules inside where the cell has: what it leaves may lie in one that only its `sys.path` finds."""
    before, sys.path[:] = list(sys.path), _moved(effects)
    try:
        yield
    finally:
        sys.path[:] = before


def _moved(effects: Mapping[str, Any]) -> list[str]:
    front, back, gone = effects.get("path", ([], [], []))
    return [*front, *(entry for entry in sys.path if entry not in gone), *back]


def _restore(path: list[str], filters: list[Any]) -> None:
    sys.path[:] = path
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  as filterwarnings() does


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], noise: AbstractSet[str]) -> dict[str, Any]:
    """Say which settings are other than they were; all of them gone means that nothing is known."""
    if not before:
        return {}
    changed = {
        name: value
        for name, value in after.items()
        if name not in noise and is_other(before.get(name, GONE), value)
    }
    return changed | {name: GONE for name in before if name not in after and name not in noise}


def _moves(before: list[str], after: list[str]) -> list[list[str]]:
    """Say what was put in front, put at the end, and taken out of `sys.path`. Raises Unstorable for more."""
    gone = [entry for entry in before if entry not in after]
    kept = [entry for entry in before if entry in after]
    for start in range(len(after) - len(kept) + 1):
        if after[start : start + len(kept)] == kept:
            return [after[:start], after[start + len(kept) :], gone]
    raise Unstorable("sys.path", "was rearranged", "set it in an uncached cell")


def _new_filters(before: list[Any], after: list[Any], run: Run) -> tuple[list[Any], list[Any]]:
    """Give the filters that were put before all others, and those behind. Raises Unstorable for more.

    Threads of a library that each enter and leave `catch_warnings` leave one's copy of the filters behind.
    """
    are_same = all(item in before for item in after) and all(item in after for item in before)
    if are_same and SETS_FILTERS.isdisjoint(run.words):
        return [], []
    behind = _behind(before, after)
    return _added_filters(before, after[: len(after) - len(behind)]), behind


def _behind(before: list[Any], after: list[Any]) -> list[Any]:
    """Give the filters that were put behind all others (`append=True`)."""
    last = max((place for place, item in enumerate(after) if item in before), default=len(after) - 1)
    return after[last + 1 :]


def _added_filters(before: list[Any], after: list[Any]) -> list[Any]:
    count = len(after) - len(before)
    if count >= 0 and after[count:] == before:
        return after[:count]
    kept = [item for item in after if item in before]
    if kept == [item for item in before if item in after] and len(kept) == len(before):
        return [item for item in after if item not in before]
    return _moved_filters(before, after)


def _moved_filters(before: list[Any], after: list[Any]) -> list[Any]:
    """Allow for filters that were moved to the front, as setting one again does."""
    known = [item for item in after if item in before]
    moved = next(
        (count for count in range(len(after)) if after[count:] == [i for i in before if i in after[count:]]),
        None,
    )
    if moved is None or len(known) != len(before):
        raise Unstorable("warnings.filters", "was rearranged", "set warning filters in an uncached cell")
    return after[:moved]
