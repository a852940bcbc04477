"""What code does with a name it has looked up: calls it, enters it (`with f():`), or takes it as a value."""

from __future__ import annotations

import dis
from collections.abc import Iterable

__all__ = ["Uses"]

_ENTERS = {"BEFORE_WITH", "BEFORE_ASYNC_WITH", "LOAD_SPECIAL"}
_BETWEEN = 2  # steps after a call, until its value is entered


class Uses:
    """The steps of one code object: a call stands where the name of what is called stands."""

    def __init__(self, steps: Iterable[dis.Instruction]) -> None:
        self._called: set[tuple[int | None, int]] = set()
        self._entered: set[tuple[int | None, int]] = set()
        last, since = None, 0
        for step in steps:
            place, since = _place(step), since + 1
            if place is not None and step.opname.startswith("CALL"):
                self._called.add(place)
                last, since = place, 0
            elif last is not None and step.opname in _ENTERS and since <= _BETWEEN:
                self._entered.add(last)

    def of(self, step: dis.Instruction) -> str:
        """Say what becomes of the name that a step looks up: "call", "with", or else "value"."""
        place = _place(step)
        if place is None:
            return "value"
        return "with" if place in self._entered else "call" if place in self._called else "value"


def _place(step: dis.Instruction) -> tuple[int | None, int] | None:
    """Give line and column; None where Python was told to forget columns."""
    found = step.positions
    return None if found is None or found.col_offset is None else (found.lineno, found.col_offset)
