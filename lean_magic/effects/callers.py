"""Functions that look at the variables of who calls them, as `save_hyperparameters` of many books does.

Those of another function are what it was called with and what it made of that, which the key knows. Those of the
notebook itself are all there are, and nobody can tell which of them count.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from lean_magic.effects.recorder import Run
from lean_magic.errors import Unstorable
from lean_magic.values.caller_looks import ASKS_CALLER
from lean_magic.values.origin import origin

__all__ = ["Callers"]


class Callers:
    """Hears of each call of `inspect.currentframe` while a cell runs in which functions look at their callers."""

    def __init__(self, run: Run) -> None:
        self._looked_out = False
        self._original: Any = None
        if ASKS_CALLER in run.words:
            self._original, inspect.currentframe = inspect.currentframe, self._ask

    def _ask(self) -> Any:
        frame = sys._getframe(1)  # noqa: SLF001  which is what it stands for
        self._looked_out = self._looked_out or _is_open(frame) or _is_open(frame.f_back)
        return frame

    def stop(self) -> None:
        """Hear no more."""
        if self._original is not None:
            inspect.currentframe, self._original = self._original, None

    def check(self) -> None:
        """Refuse a cell that looked at the notebook's variables. Raises Unstorable."""
        if self._looked_out:
            why = "was called by the cell itself, or by a library, and looks into the variables there"
            raise Unstorable(
                "inspect.currentframe()", why, "call it in a function of yours, or leave it uncached"
            )


def _is_open(frame: Any) -> bool:
    """Whether the variables of a frame are not those of a function of the user's."""
    if frame is None or not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return True
    return not origin(str(frame.f_globals.get("__name__") or "")).own
