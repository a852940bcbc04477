"""Whose turn it is: one recording at a time in a process, one computation of a key among all kernels."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lean_magic import clock
from lean_magic.history import Notice
from lean_magic.store import Lease, Leases
from lean_magic.words import duration

__all__ = ["alone", "is_deep", "mixed", "wait"]

_DEEP = 16  # recordings inside each other; each takes frames of Python's, of which there are a thousand
_PAUSE = 0.1  # seconds between two looks at a lease


class _Recording:
    """One recording that goes on; `mixed` tells that others may have done something meanwhile."""

    def __init__(self, *, of_call: bool) -> None:
        self.mixed = bool(_beside)
        self._thread = threading.get_ident()
        # What a call in the main thread waits for has been started by it, and so belongs to it.
        is_main = threading.current_thread() is threading.main_thread()
        self._before = {one.ident for one in threading.enumerate()} if of_call and is_main else None
        self._of_call = of_call

    def may_be_beside(self) -> bool:
        """Whether what this thread does may have nothing to do with what is recorded."""
        now = threading.get_ident()
        if now == self._thread:
            return True  # another task
        return self._of_call and (self._before is None or now in self._before)


@contextlib.contextmanager
def alone(*, of_call: bool = False) -> Iterator[bool]:
    """Tell whether nothing else of this process is being recorded, but for what this runs inside of.

    Streams and settings belong to the process: what two threads or tasks do at once cannot be told apart.
    """
    around = _around.get()
    place = _running.index(around[-1]) + 1 if around and around[-1] in _running else 0
    recording = _Recording(of_call=of_call)
    _running.append(recording)
    try:
        if _running[place] is not recording:
            _running.remove(recording)
            with _as_another(around):
                yield False
            return
        token = _around.set((*around, recording))
        try:
            yield True
        finally:
            _around.reset(token)
    finally:
        if recording in _running:
            _running.remove(recording)


def is_deep() -> bool:
    """Whether so many recordings go on inside each other that a function which calls itself had better just run."""
    return len(_around.get()) >= _DEEP


def mixed() -> bool:
    """Whether another thread or task was in a cached cell or call while this one has been recorded."""
    return any(one.mixed for one in _around.get()[-1:])


@contextlib.contextmanager
def _as_another(around: tuple[_Recording, ...]) -> Iterator[None]:
    """Let the recordings know that somebody else does something, too."""
    for one in _running:
        if one not in around and one.may_be_beside():
            one.mixed = True
    _beside.append(None)
    try:
        yield
    finally:
        _beside.pop()


_running: list[_Recording] = []  # each inside the one before it
_beside: list[None] = []  # one for each that runs unrecorded
_around: contextvars.ContextVar[tuple[_Recording, ...]] = contextvars.ContextVar("around", default=())


def wait(shell: Any, folder: Path, key: str) -> Lease:
    """Wait for the lease of a key, showing for whom; one who holds another may be waited for, and goes on."""
    leases, notice, started = Leases(folder), Notice(shell), clock.perf_counter()
    lease = leases.take(key)
    while lease is None and not leases.holds_any():
        holder, waited = leases.holder(key), duration(clock.perf_counter() - started)
        who = holder.name if holder else "another kernel"
        notice.show(f"◌ waiting for {who}, which is running the same cell · {waited} · interrupt to stop")
        clock.sleep(_PAUSE)
        lease = leases.take(key)
    return lease or Lease()
