"""Widget views among the outputs: what is over is kept as its text, what is alive cannot be kept."""

from __future__ import annotations

import sys
from typing import Any

from lean_magic.errors import Unstorable

__all__ = ["settled"]

_VIEW = "application/vnd.jupyter.widget-view+json"
_STILL = {"HBox", "VBox", "Box", "HTML", "Label", "FloatProgress", "IntProgress", "Layout", "Output"}


def settled(events: list[list[Any]]) -> list[list[Any]]:
    """Replace progress bars by their last text. Raises Unstorable for a control that waits for its user."""
    return [_settle(event) if event[0] == "display" and _VIEW in event[1] else event for event in events]


def _settle(event: list[Any]) -> list[Any]:
    kind, data, metadata, told = event
    widget = _model(data[_VIEW].get("model_id", ""))
    if widget is not None:
        _require_still(widget)
    text = repr(widget) if widget is not None else data.get("text/plain", "")
    plain = {name: item for name, item in data.items() if name != _VIEW}
    return [kind, {**plain, "text/plain": text}, metadata, told]


def _model(number: str) -> Any:
    module = sys.modules.get("ipywidgets.widgets.widget")
    return getattr(module, "_instances", {}).get(number) if module else None


def _require_still(widget: Any) -> None:
    name = type(widget).__name__
    if name not in _STILL and type(widget).__mro__[1].__name__ not in _STILL:
        why = "is a control of ipywidgets, which works only while the kernel that made it lives"
        raise Unstorable(name, why, "make and show controls in an uncached cell")
    for child in getattr(widget, "children", ()):
        _require_still(child)
