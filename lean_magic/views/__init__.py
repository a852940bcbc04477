"""Views for the notebook: the cache browser, and the GPUs of this kernel.

contents  store and ledger → what the browser lists; pure
figures   what this kernel holds on each GPU, and how much of its notebook is cached
chart     savings over days, and memory over minutes, as SVG; pure
card      the figures as HTML; pure
rows      an entry as HTML; pure
style     the one style sheet: theme colours, light and dark, narrow and wide
refresh   the thread behind what is live; it ends by itself
gpu       the widgets around `card`
browser   the widgets around `rows` and `chart`

Only `gpu` and `browser` import ipywidgets, and only where `can_show` is true. Nothing here runs a cell.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

__all__ = ["bundle", "can_show"]

_VIEW = "application/vnd.jupyter.widget-view+json"


def can_show(shell: Any) -> bool:
    """Return whether a front end of `shell` can show widgets: it is a kernel's, and ipywidgets is installed."""
    return hasattr(shell, "kernel") and find_spec("ipywidgets") is not None


def bundle(widget: Any) -> dict[str, Any]:
    """Return what displays a widget, for a display's data."""
    return {_VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}
