"""What keeps a view live: a thread that looks every two seconds, while somebody sees the view, and not for ever.

It never holds the kernel busy, and goes on while a cell runs. A message to the front end makes a kernel look active,
so the view sends one only when its figures have changed.
"""

from __future__ import annotations

import atexit
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from lean_magic import clock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Refresh"]

_EVERY = 2.0  # seconds
_UNSEEN = 30.0  # seconds without anybody who looks, after which it ends
_LONGEST = 1800.0  # seconds, after which it ends although somebody may look


class Refresh:
    """Calls `look` in a daemon thread until `stop`, until nobody `sees`, or for half an hour; then `ended`."""

    def __init__(
        self,
        look: Callable[[], None],
        sees: Callable[[], bool],
        ended: Callable[[], None],
        every: float = _EVERY,
        unseen: float = _UNSEEN,
        longest: float = _LONGEST,
    ) -> None:
        self._look, self._sees, self._ended = look, sees, ended
        self._every, self._unseen, self._longest = every, unseen, longest
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_live(self) -> bool:
        """Whether it looks now."""
        return self._thread is not None and self._thread.is_alive() and not self._stopped.is_set()

    def start(self) -> None:
        """Begin to look; one that looks already goes on."""
        if self.is_live:
            return
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopped,), name="lean_magic view", daemon=True
        )
        atexit.register(self.stop)  # what a front end is sent while Python ends goes nowhere
        self._thread.start()

    def stop(self) -> None:
        """End; a look that is under way is waited for, but for no longer than it should take."""
        self._stopped.set()
        atexit.unregister(self.stop)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self, stopped: threading.Event) -> None:
        began = seen = clock.monotonic()
        while not stopped.wait(self._every):
            now = clock.monotonic()
            seen = now if self._sees() else seen
            if now - seen > self._unseen or now - began > self._longest:
                break
            # CUDA after an error, a front end that went away: the next look may be better.
            with suppress(OSError, RuntimeError):
                self._look()
        if not stopped.is_set():
            stopped.set()
            self._ended()
