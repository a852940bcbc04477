"""Bokeh: models have numbers that their process counts out, so that those of two processes would meet in one plot."""

from __future__ import annotations

from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule
from lean_magic.values.origin import module_of

__all__ = ["ADAPTER"]


class _Bokeh(FingerprintOnly):
    library = "bokeh"

    def rule(self, cls: type) -> Rule | None:
        del cls
        return None

    def reduce(self, value: Any, memory: Any) -> Any:
        """Refuse to store a model. Raises Unstorable."""
        del memory
        return _refused(value)

    def content(self, value: Any) -> Any:
        """Refuse a model that was changed in place. Raises Unstorable."""
        return _refused(value)


def _refused(value: Any) -> Any:
    if any(one.__name__ == "Model" and module_of(one) == "bokeh.model.model" for one in type(value).__mro__):
        why = "has a number that Bokeh counts out in each process"
        raise Unstorable(type(value).__name__, why, "make and show the plot in an uncached cell")
    return NotImplemented


ADAPTER = _Bokeh()
