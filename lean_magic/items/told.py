"""What a call says: one line when it ends, or is interrupted, and the ledger's lines."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lean_magic import cost, history
from lean_magic.effects import files
from lean_magic.errors import StoreError
from lean_magic.items.choices import many
from lean_magic.ledger import Record
from lean_magic.words import duration, size

if TYPE_CHECKING:
    from lean_magic.runner import Runner

__all__ = ["Tally", "per_hour", "record", "show"]


@dataclass(slots=True)
class Tally:
    """The figures of one call; times in seconds, `stored` in bytes."""

    items: int
    found: int = 0
    computed: int = 0
    repeats: int = 0
    batches: int = 0
    failed: int = 0
    spent: float = 0.0
    saved: float = 0.0
    stored: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()

    def line(self, per_hour: float | None) -> str:
        """Say it in one line; `per_hour` is what the machine costs, in dollars."""
        return " · ".join(filter(None, [self._found(), self._computed(), self._saved(per_hour), *self.notes]))

    def _found(self) -> str:
        if self.found == self.items:
            return f"✓ {self.found:,} found"
        return f"● {self.found:,} of {self.items:,} found" if self.found else ""

    def _computed(self) -> str:
        if not (self.computed or self.failed):
            return ""
        mark = "" if self.found else "● "
        batches = many(self.batches, "batch", "batches")
        said = [f"{mark}{self.computed:,} computed in {batches}, {duration(self.spent)}"]
        said += [many(self.repeats, "repeat", "repeats")] if self.repeats else []
        said += [f"{self.failed:,} failed"] if self.failed else []
        said += [self.reason] if self.reason and not self.found else []
        said += [f"stored {size(self.stored)}"] if self.stored else []
        return " · ".join(said)

    def _saved(self, per_hour: float | None) -> str:
        if not self.found:
            return ""
        money = cost.dollars(self.saved, per_hour)
        return f"saved {duration(self.saved)}" + (f" · ≈ ${money:,.2f}" if money and money >= 0.005 else "")


def show(runner: Runner, line: str, *, quiet: bool) -> None:
    """Show a line in a notebook, or on the error stream of a program without one; no cell counts it as its output."""
    if quiet or runner.settings.quiet:
        return
    with files.unwatched():
        if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
            history.show_line(runner.shell, line)
        else:
            sys.stderr.write(f"{line}\n")


def record(runner: Runner, tally: Tally, label: str, name: str) -> None:
    """Write what was found and what was computed into the ledger."""
    now: dict[str, Any] = {"time": time.time(), "label": label, "family": "items", "key": name, "entry": name}
    lines = []
    if tally.found:
        lines.append(Record(**now, outcome="hit", saved=tally.saved))
    if tally.computed:
        reasons = (tally.reason,) if tally.reason else ()
        lines.append(Record(**now, outcome="miss", seconds=tally.spent, reasons=reasons))
    # A folder that cannot be used has been told by the line already.
    with files.unwatched(), suppress(StoreError):
        for line in lines:
            runner.ledger.append(line.to_json())


def per_hour(runner: Runner) -> float | None:
    """Give the dollars an hour that savings are priced with; None if no price is known."""
    own: Any = runner.settings.price_per_hour
    return cost.per_hour(cost.this_gpu(), own)
