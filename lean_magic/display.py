"""Settings of the shell that shape what a cell shows, as far as they are not the defaults."""

from __future__ import annotations

import sys
from typing import Any

from lean_magic.effects.printers import named, printers

__all__ = ["settings"]


def settings(shell: Any) -> dict[str, str]:
    """Give those in force: name → text."""
    plain = shell.display_formatter.formatters["text/plain"]
    longest = getattr(plain, "max_seq_length", 1000)
    found = {
        "setting formatters": _formatters(shell),
        "setting display.precision": str(getattr(plain, "float_precision", "") or ""),
        "setting display.pprint": "" if getattr(plain, "pprint", True) else "off",
        "setting display.max_seq_length": "" if longest == 1000 else str(longest),
        "setting figure formats": _figures(),
        "setting printers": str(printers(shell) or ""),
    }
    return {name: text for name, text in found.items() if text}


def _formatters(shell: Any) -> str:
    """Say what somebody put in the place of the shell's own formatters, as `rich.pretty.install()` does."""
    found = {mime: type(one) for mime, one in shell.display_formatter.formatters.items()}
    return " ".join(
        f"{mime}: {named(cls)} {_closed_over(cls)}"
        for mime, cls in sorted(found.items())
        if not cls.__module__.startswith(("IPython.", "types"))
    )


def _closed_over(cls: type) -> list[Any]:
    """Give the plain values among those that a formatter's call was made with."""
    cells = getattr(cls.__call__, "__closure__", None) or ()
    return [cell.cell_contents for cell in cells if isinstance(cell.cell_contents, (bool, int, str))]


def _figures() -> str:
    config = sys.modules.get("matplotlib_inline.config")
    if config is None or not config.InlineBackend.initialized():
        return ""
    inline = config.InlineBackend.instance()
    formats, options = sorted(inline.figure_formats), dict(inline.print_figure_kwargs)
    plain = formats == ["png"] and options == {"bbox_inches": "tight"} and inline.close_figures
    return "" if plain else f"{formats} {options} {inline.close_figures}"
