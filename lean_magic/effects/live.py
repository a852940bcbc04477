"""Things a cell may leave running, which no replay can bring back: threads, processes, tasks; and what it sets."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from lean_magic import clock
from lean_magic.effects.callers import Callers
from lean_magic.effects.hooks import PUT, hooks
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unstorable
from lean_magic.values.origin import origin

__all__ = ["Live", "others_run"]


_HUNG = "was set, entered or registered for the whole kernel", "do it in an uncached cell"
_TOLD = {
    "pyplot's open figures": (
        "are others than before",
        "plt.show() them in the cell, or plt.close() them; in an uncached cell they may stay open",
    ),
    "a context of torch": ("was entered and not left", "enter it by `with`"),
    "warnings.catch_warnings": ("was entered and not left", "enter it by `with`"),
}


class Live(Recorder):
    """Counts what runs before and after."""

    name = "live"

    def __init__(self) -> None:
        self._before: set[Any] = set()
        self._hooks: dict[str, Any] = {}
        self._callers: Callers | None = None

    def begin(self, run: Run) -> None:
        """Take down what runs already."""
        self._before = _running()
        self._hooks = hooks(run)
        self._callers = Callers(run)

    def cancel(self, run: Run) -> None:
        """Listen no more."""
        del run
        if self._callers is not None:
            self._callers.stop()

    def end(self, run: Run) -> Record:
        """Collect what the cell set. Raises Unstorable naming what it left running or hung into the process."""
        self.cancel(run)
        if self._callers is not None:
            self._callers.check()
        changed = {name: now for name, now in hooks(run).items() if now != self._hooks.get(name, now)}
        for name in changed:
            if name not in PUT:
                raise Unstorable(name, *_TOLD.get(name, _HUNG))
        for left in _running() - self._before:
            if not _harmless(left):
                raise Unstorable(
                    _name(left),
                    "was left running",
                    "wait for its end in the cell, or start it in an uncached one",
                )
        return Record(None, sorted(changed), changed)

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Set what the cell set."""
        before = hooks(run) if record.values else {}
        for name, value in record.values.items():
            if name in before:
                undo.callback(PUT[name], before[name])
            PUT[name](value)


def others_run() -> bool:
    """Whether a thread of the user's own runs beside this one, which may change and show anything at any moment."""
    others = (one for one in threading.enumerate() if one is not threading.current_thread())
    return any(origin(_home(one)).own for one in others)


def _home(left: Any) -> str:
    """Name the module whose code a thread or process runs."""
    target = getattr(left, "_target", None)
    return str(getattr(target, "__module__", None) or type(left).__module__)


def _running() -> set[Any]:
    found: set[Any] = {thread for thread in threading.enumerate() if thread.is_alive()}
    # Who has not loaded these has started nothing with them.
    processes: Any = sys.modules.get("multiprocessing.process")
    tasks: Any = sys.modules.get("asyncio.tasks")
    if processes is not None:
        found |= set(processes.active_children())
    if tasks is not None:
        with contextlib.suppress(RuntimeError):  # outside an event loop there are no tasks
            found |= {task for task in tasks.all_tasks() if not task.done()}
    return found


def _harmless(left: Any) -> bool:
    """Whether it is joblib's pool, which waits for more, or a daemon thread of a library (a progress bar's clock)."""
    tasks: Any = sys.modules.get("asyncio.tasks")
    if tasks is not None and isinstance(left, tasks.Task):
        return False
    home = _home(left)
    if origin(home).own:
        return False
    if _waits(left):
        return True
    is_daemon = isinstance(left, threading.Thread) and left.daemon and home != "threading"
    return is_daemon or home.startswith(("joblib", "loky"))


def _waits(left: Any) -> bool:
    """Whether it is a thread with nothing to do of a pool that a library keeps, and makes when it needs one."""
    pool = next((pool for pool in _pools() if left in pool._threads), None)  # noqa: SLF001  there is no public way to ask
    if pool is None:
        return False
    for _ in range(_TRIES):  # what it did is done a moment before it says so
        if pool._work_queue.empty() and pool._idle_semaphore._value >= len(pool._threads):  # noqa: SLF001
            return True
        clock.sleep(0.001)
    return False


_TRIES = 50


def _pools() -> Iterator[Any]:
    """Give the event loop's pool, in which it looks up hosts, and those of dask."""
    events: Any = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events is not None else None  # noqa: SLF001  else there may be none
    dask: Any = sys.modules.get("dask.threaded")
    by_size = [pool for pools in list(dask.pools.values()) for pool in pools.values()] if dask else []
    for pool in (getattr(loop, "_default_executor", None), getattr(dask, "default_pool", None), *by_size):
        if isinstance(getattr(pool, "_threads", None), AbstractSet):
            yield pool


def _name(left: Any) -> str:
    name = left.get_name() if hasattr(left, "get_name") else getattr(left, "name", "")
    return str(name or type(left).__name__)
