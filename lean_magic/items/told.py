"""What a call says: one line when it ends, or is interrupted, and the ledger's lines."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lean_magic import clock, cost, history
from lean_magic.effects import files
from lean_magic.effects.output import aside
from lean_magic.errors import StoreError
from lean_magic.items.choices import Tally
from lean_magic.ledger import Record

if TYPE_CHECKING:
    from lean_magic.runner import Runner

__all__ = ["per_hour", "record", "show"]


def show(runner: Runner, line: str, *, quiet: bool) -> None:
    """Show a line in a notebook, or on the error stream of a program without one; no cell counts it as its output."""
    if quiet or runner.settings.quiet:
        return
    with files.unwatched(), aside():
        if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
            history.show_line(runner.shell, line, "items")
        else:
            sys.stderr.write(f"{line}\n")


def record(runner: Runner, tally: Tally, label: str, name: str) -> None:
    """Write what was found and what was computed into the ledger."""
    now: dict[str, Any] = {
        "time": clock.time(),
        "label": label,
        "family": "items",
        "key": name,
        "entry": name,
    }
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
