"""Settings of the shell that shape what a cell shows, as far as they are not the defaults."""

from __future__ import annotations

import sys
from typing import Any

from lean_magic.effects.printers import printers

__all__ = ["settings"]


def settings(shell: Any) -> dict[str, str]:
    """Give those in force: name → text."""
    plain = shell.display_formatter.formatters["text/plain"]
    found = {
        "setting display.precision": str(plain.float_precision or ""),
        "setting display.pprint": "" if plain.pprint else "off",
        "setting display.max_seq_length": "" if plain.max_seq_length == 1000 else str(plain.max_seq_length),
        "setting figure formats": _figures(),
        "setting printers": str(printers(shell) or ""),
    }
    return {name: text for name, text in found.items() if text}


def _figures() -> str:
    config = sys.modules.get("matplotlib_inline.config")
    if config is None or not config.InlineBackend.initialized():
        return ""
    inline = config.InlineBackend.instance()
    formats, options = sorted(inline.figure_formats), dict(inline.print_figure_kwargs)
    plain = formats == ["png"] and options == {"bbox_inches": "tight"} and inline.close_figures
    return "" if plain else f"{formats} {options} {inline.close_figures}"
