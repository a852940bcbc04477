"""Settings of the process that the cell changes: environment, folders, options of libraries.

Mappings are put back name by name and lists entry by entry, so that what else they
hold stays as it is where the entry is replayed.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.effects.settings import GONE, KINDS
from lean_magic.errors import Unstorable

__all__ = ["Process"]

# Set by libraries for themselves as they are loaded, or by the front end.
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

    def begin(self, run: Run) -> None:
        """Take down every setting."""
        del run
        self._before = {kind: settings.get() for kind, settings in KINDS.items()}
        self._filters = list(warnings.filters)
        self._path = list(sys.path)

    def end(self, run: Run) -> Record:
        """Collect what the cell changed. Raises Unstorable for what cannot be put back."""
        del run
        changed: dict[str, dict[str, Any]] = {}
        for kind, settings in KINDS.items():
            now = settings.get()
            # A library loaded by the cell started from its defaults.
            names = _changes(self._before[kind] or settings.defaults(), now) if now else {}
            if names:
                changed[kind] = names
        effects: dict[str, Any] = {kind: sorted(names) for kind, names in changed.items()}
        added = _added_filters(self._filters, list(warnings.filters))
        return Record(
            None, effects, {"settings": changed, "filters": added, "path": _moves(self._path, sys.path)}
        )

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Set what the cell set."""
        del run
        for kind, names in record.values["settings"].items():
            before = KINDS[kind].get()
            for name, value in names.items():
                if name in before or kind == "environment":
                    undo.callback(KINDS[kind].put, name, before.get(name, GONE))
                KINDS[kind].put(name, value)
        undo.callback(_restore, list(sys.path), list(warnings.filters))
        front, back, gone = record.values["path"]
        sys.path[:] = [*front, *(entry for entry in sys.path if entry not in gone), *back]
        for item in reversed(record.values["filters"]):
            if item in warnings.filters:  # a library that was loaded again has set it
                warnings.filters.remove(item)  # type: ignore[attr-defined]
            warnings.filters.insert(0, item)  # type: ignore[attr-defined]
        if record.values["filters"]:
            warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  as filterwarnings() does


def _restore(path: list[str], filters: list[Any]) -> None:
    sys.path[:] = path
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  as filterwarnings() does


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Say which settings are other than they were; all of them gone means that nothing is known."""
    if not before:
        return {}
    changed = {
        name: value for name, value in after.items() if name not in _NOISE and before.get(name, GONE) != value
    }
    return changed | {name: GONE for name in before if name not in after and name not in _NOISE}


def _moves(before: list[str], after: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Say what was put in front, put at the end, and taken out of `sys.path`. Raises Unstorable for more."""
    gone = [entry for entry in before if entry not in after]
    kept = [entry for entry in before if entry in after]
    for start in range(len(after) - len(kept) + 1):
        if after[start : start + len(kept)] == kept:
            return after[:start], after[start + len(kept) :], gone
    raise Unstorable("sys.path", "was rearranged", "set it in a cell of its own")


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
        raise Unstorable("warnings.filters", "was rearranged", "set warning filters in a cell of its own")
    return after[:moved]
