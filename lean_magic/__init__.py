"""Jupyter cells that never compute the same thing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lean_magic._version import __version__

if TYPE_CHECKING:
    from lean_magic.outcome import Bypass, Hit, Miss, Outcome

__all__ = [
    "Bypass",
    "Hit",
    "Miss",
    "__version__",
    "last_outcome",
    "load_ipython_extension",
    "unload_ipython_extension",
]


def load_ipython_extension(shell: Any) -> None:
    """Make `%%cached`, `%cached` and `%lean` known to a shell: `%load_ext lean_magic`."""
    from lean_magic.magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Leave the shell as it was: `%unload_ext lean_magic`."""
    from lean_magic.magic import unload

    unload(shell)


def last_outcome() -> Outcome | None:
    """Tell what became of the last cached cell: Hit, Miss or Bypass with its figures.

    None before the first, and after one that raised.
    """
    from lean_magic.magic import current

    return current().last


def __getattr__(name: str) -> Any:
    if name in {"Hit", "Miss", "Bypass"}:
        from lean_magic import outcome

        return getattr(outcome, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
