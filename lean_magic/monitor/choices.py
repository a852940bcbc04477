"""What people chose for a notebook, kept over restarts: to be left in peace for a while, or for good."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lean_magic import report_files

__all__ = ["Choices"]


class Choices:
    """Snoozes and pins in the file `path`, by the notebook's place, or by the kernel's id where it has none."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._all = report_files.read(path) or {}

    def pinned(self, name: str) -> bool:
        """Tell whether a notebook is never to be warned about."""
        return self._of(name).get("pinned") is True

    def snoozed_until(self, name: str) -> float | None:
        """Return until when a notebook is not to be warned about; None if that is over."""
        until = self._of(name).get("snoozed_until")
        return float(until) if isinstance(until, int | float) and until > self._clock() else None

    def pin(self, name: str, pinned: bool) -> None:
        """Never warn about a notebook, or do so again. Raises OSError."""
        self._set(name, "pinned", pinned or None)

    def snooze(self, name: str, seconds: float) -> None:
        """Do not warn about a notebook for so many seconds; 0 ends that. Raises OSError."""
        self._set(name, "snoozed_until", self._clock() + seconds if seconds > 0 else None)

    def _of(self, name: str) -> dict[str, Any]:
        found = self._all.get(name)
        return found if isinstance(found, dict) else {}

    def _set(self, name: str, what: str, value: Any) -> None:
        self._all = report_files.read(self._path) or {}  # another server may have written
        self._all[name] = {key: old for key, old in self._of(name).items() if key != what}
        if value is not None:
            self._all[name][what] = value
        self._all = {key: kept for key, kept in self._all.items() if kept}
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        report_files.write(self._path, self._all)
