"""Jupyter cells that never compute the same thing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lean_magic._version import __version__

if TYPE_CHECKING:
    from lean_magic.calls import cached
    from lean_magic.items.mapped import cached_map
    from lean_magic.outcome import Bypass, Hit, Miss, Outcome
    from lean_magic.shutdown_hooks import on_shutdown

__all__ = [
    "Bypass",
    "Hit",
    "Miss",
    "__version__",
    "cached",
    "cached_map",
    "last_outcome",
    "load_ipython_extension",
    "on_shutdown",
    "unload_ipython_extension",
]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "lean_magic.monitor.extension"}]


def load_ipython_extension(shell: Any) -> None:
    """Make `%%cached`, `%cached` and `%lean` known to a shell: `%load_ext lean_magic`."""
    from lean_magic.quiet_gc import no_collections

    with no_collections():
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
    from lean_magic.calls import runner

    return runner().last


def __getattr__(name: str) -> Any:
    if name in {"Hit", "Miss", "Bypass"}:
        from lean_magic import outcome

        return getattr(outcome, name)
    if name == "cached":
        from lean_magic.calls import cached

        return cached
    if name == "cached_map":
        from lean_magic.items.mapped import cached_map

        return cached_map
    if name == "on_shutdown":
        from lean_magic.shutdown_hooks import on_shutdown

        return on_shutdown
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
