"""Whose turn it is: one recording at a time in a process, one computation of a key among all kernels."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lean_magic.history import Notice
from lean_magic.store import Lease, Leases
from lean_magic.words import duration

__all__ = ["alone", "wait"]

_PAUSE = 0.1  # seconds between two looks at a lease


@contextlib.contextmanager
def alone() -> Iterator[bool]:
    """Tell whether nothing else of this process is being recorded, but for what this runs inside of.

    Streams and settings belong to the process: what two threads or tasks do at once cannot be told apart.
    """
    depth = _depth.get()
    if _running and depth != len(_running):
        yield False
        return
    _running.append(depth)
    token = _depth.set(depth + 1)
    try:
        yield True
    finally:
        _running.pop()
        _depth.reset(token)


_running: list[int] = []
_depth: contextvars.ContextVar[int] = contextvars.ContextVar("depth", default=0)


def wait(shell: Any, folder: Path, key: str) -> Lease:
    """Wait for the lease of a key, showing for whom; one who holds another may be waited for, and goes on."""
    leases, notice, started = Leases(folder), Notice(shell), time.perf_counter()
    lease = leases.take(key)
    while lease is None and not leases.holds_any():
        holder, waited = leases.holder(key), duration(time.perf_counter() - started)
        who = holder.name if holder else "another kernel"
        notice.show(f"◌ waiting for {who}, which is running the same cell · {waited} · interrupt to stop")
        time.sleep(_PAUSE)
        lease = leases.take(key)
    return lease or Lease()
