"""Warnings and messages that somebody around the cell or call catches, as `pytest.warns` and `assertLogs` do.

What is caught is nothing that a replay could show again.
"""

from __future__ import annotations

import warnings
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.logger_rules import keepers

__all__ = ["Caught", "catches_warnings"]


class Caught:
    """What is caught while a cell runs; `warned` tells that it gave a warning."""

    def __init__(self) -> None:
        self.warned = False
        self._catcher = _catcher()
        self._kept = keepers()

    def note(self, *_: Any, **__: Any) -> None:
        """Take note of a warning, unless the cell catches it itself."""
        self.warned = self.warned or _catcher() is self._catcher

    def check(self) -> None:
        """Refuse what was caught outside. Raises Unstorable."""
        if self.warned and self._catcher is not None:
            raise Unstorable("a warning", "was caught outside of what is cached", "catch it inside")
        for name, count in keepers().items():
            if count > self._kept.get(name, 0):
                raise Unstorable(
                    "a message", f"was kept by {name}", "let messages be shown, or catch them inside"
                )


def catches_warnings() -> bool:
    """Whether warnings are caught instead of shown."""
    return _catcher() is not None


def _catcher() -> Any:
    """Give the list that `warnings.catch_warnings(record=True)` fills now; None if there is none."""
    return getattr(getattr(warnings, "_showwarnmsg_impl", None), "__self__", None)
