"""What a kernel does before it is shut down: `lean_magic.on_shutdown(callback)`.

An ordinary shutdown of a busy kernel kills it within half a second. The sidebar asks first, and waits for them.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

__all__ = ["count", "on_shutdown", "run"]

_Hook = TypeVar("_Hook", bound=Callable[[], object])
_hooks: list[Callable[[], object]] = []


def on_shutdown(callback: _Hook) -> _Hook:
    """Call `callback`, without arguments, when this kernel is shut down; also usable as a decorator.

    The last registered is called first, each once, on the main thread: when the sidebar shuts the kernel down, which
    waits some seconds for all of them together, or when the kernel ends by itself. One that raises does not keep the
    others from being called.
    """
    if not _hooks:
        atexit.register(run)
    _hooks.append(callback)
    return callback


def count() -> int:
    """Return how many callbacks are waiting."""
    return len(_hooks)


def run() -> None:
    """Call all callbacks that were not called yet. Raises what the last one to fail raised."""
    with ExitStack() as stack:
        while _hooks:
            stack.callback(_hooks.pop(0))
