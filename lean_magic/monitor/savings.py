"""What the cache saved, summed up from the ledger as it grows: each line is read once."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

from lean_magic import cost
from lean_magic.ledger import Record
from lean_magic.monitor.protocol import Saved, Savings

__all__ = ["NOTHING_SAVED", "Sums"]

_NOTHING = Saved(seconds=0.0, dollars=None, hits=0)
NOTHING_SAVED = Savings(today=_NOTHING, total=_NOTHING)


class Sums:
    """The sums over the ledger in the file `path`; a missing one has saved nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0  # bytes
        self._day = dt.date.min
        self._today = self._total = _NOTHING

    def savings(self, today: dt.date, per_hour: float | None) -> Savings:
        """Return what hits saved, priced at `per_hour` dollars; reads what was appended since the last time."""
        if self._day != today:
            self._day, self._today, self._total, self._read = today, _NOTHING, _NOTHING, 0
        self._catch_up()
        return Savings(today=_priced(self._today, per_hour), total=_priced(self._total, per_hour))

    def _catch_up(self) -> None:
        try:
            if self._path.stat().st_size < self._read:  # it was begun anew
                self._today, self._total, self._read = _NOTHING, _NOTHING, 0
            with self._path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # it is being written
                    self._read += len(line)
                    self._add(line)
        except OSError:
            return

    def _add(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            return
        record = Record.from_json(told) if isinstance(told, dict) else None
        if record is None or record.outcome != "hit":
            return
        self._total = _plus(self._total, record.saved)
        if dt.datetime.fromtimestamp(record.time, tz=dt.UTC).astimezone().date() == self._day:
            self._today = _plus(self._today, record.saved)


def _plus(saved: Saved, seconds: float) -> Saved:
    return replace(saved, seconds=saved.seconds + seconds, hits=saved.hits + 1)


def _priced(saved: Saved, per_hour: float | None) -> Saved:
    return replace(saved, dollars=cost.dollars(saved.seconds, per_hour))
