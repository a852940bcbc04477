"""What stands in for IPython's shell where a cached function is called in a program without one.

Only streams can be seen and shown there: `display` itself prints where there is no IPython.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

__all__ = ["WithoutShell"]


class _Publisher:
    def publish(self, data: Any, metadata: Any = None, **_: Any) -> None:
        """Show the text, as IPython's own publisher does in a terminal."""
        del metadata
        sys.stdout.write(data.get("text/plain", "") + "\n")

    def clear_output(self, wait: bool = False) -> None:
        """Leave what was printed."""


class _Hook:
    """A display hook that is never called: the value of a call is its result."""

    def fill_exec_result(self, result: Any) -> None:
        """Do nothing."""

    def write_format_data(self, data: Any, metadata: Any = None) -> None:
        """Do nothing."""

    def write_output_prompt(self) -> None:
        """Do nothing."""

    def finish_displayhook(self) -> None:
        """Do nothing."""


class WithoutShell:
    """The part of a shell that the runner and the recorders use."""

    def __init__(self) -> None:
        self.display_pub = _Publisher()
        self.displayhook = _Hook()
        self.events = SimpleNamespace(callbacks={"post_execute": []})
        plain = SimpleNamespace(
            float_precision="", pprint=True, max_seq_length=1000, type_printers={}, deferred_printers={}
        )
        self.display_formatter = SimpleNamespace(formatters={"text/plain": plain})
        self.compile = SimpleNamespace(flags=0)

    @property
    def user_ns(self) -> dict[str, Any]:
        """The names of the program."""
        return vars(sys.modules["__main__"])

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """Show nothing: errors go to the caller."""
