"""The server's end of the probe: starts it, listens, and starts it again when it dies or falls silent.

All waiting is done on a thread, so the server's event loop never waits for the driver, nor for the probe.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ProbeClient", "Report"]

SILENCE = 5.0  # seconds without a line after which the driver counts as not answering
BACK_OFF = (
    5.0,
    30.0,
    120.0,
)  # seconds until the probe is started again, after the first, second, further failures


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the driver: the newest line, its status, and when this status began."""

    status: str
    since: float  # seconds since the epoch
    detail: str = ""
    line: dict[str, Any] | None = None  # the newest that had GPUs in it, if any
    heard: float | None = None  # when that line was written


class ProbeClient:
    """Runs the probe between `start` and `stop`, which may both be called at any time, and often."""

    def __init__(
        self,
        interval: float = 2.0,
        command: Sequence[str] = (sys.executable, "-P", "-m", "lean_magic.monitor.probe"),
        silence: float = SILENCE,
        back_off: Sequence[float] = BACK_OFF,
    ) -> None:
        self._command = (*command, str(interval))
        self._silence = max(silence, 2.5 * interval)
        self._back_off = back_off
        self.listener: Callable[[], None] = lambda: None  # called on the probe's thread when there is news
        self._lock = threading.Lock()
        self._report = Report("starting", time.time())
        self._stopped: threading.Event | None = None  # of the thread that runs now

    @property
    def running(self) -> bool:
        """Whether a probe is meant to be there."""
        return self._stopped is not None

    @property
    def report(self) -> Report:
        """What is known now; never waits."""
        return self._report

    def start(self) -> None:
        """Let a probe run."""
        with self._lock:
            if self._stopped is None:
                self._stopped = threading.Event()
                self._report = Report("starting", time.time())
                threading.Thread(
                    target=self._keep, args=(self._stopped,), name="lean_magic probe", daemon=True
                ).start()

    def stop(self) -> None:
        """End the probe; returns at once."""
        with self._lock:
            if self._stopped is not None:
                self._stopped.set()
                self._stopped = None

    # What follows runs on the probe's own thread.

    def _keep(self, stopped: threading.Event) -> None:
        failures = 0
        while not stopped.is_set():
            began = time.monotonic()
            failed = self._once(stopped)
            if time.monotonic() - began > 10 * self._silence:
                failures = 0
            if failed:
                stopped.wait(self._back_off[min(failures, len(self._back_off) - 1)])
                failures += 1

    def _once(self, stopped: threading.Event) -> bool:
        """Run one probe to its end; tell whether it failed."""
        try:
            process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that ^C in the server's terminal is the server's alone
            )
        except OSError as error:
            self._say(stopped, "probe_failed", str(error))
            return True
        lines = threading.Thread(target=self._listen, args=(process, stopped), daemon=True)
        self._heard = time.monotonic()
        lines.start()
        silent = self._wait(process, stopped)
        process.kill()
        # A process that sits in the driver cannot be killed before the driver lets go of it: it is left behind.
        lines.join(1.0)
        if process.poll() is None and not silent:
            lines.join(1.0)
        ended = process.poll()
        if not silent and ended != 0 and not stopped.is_set():
            self._say(stopped, "probe_failed", f"it ended with status {ended}")
        return silent or ended != 0

    def _wait(self, process: subprocess.Popen[bytes], stopped: threading.Event) -> bool:
        """Wait until the probe ends or is to end; tell whether it is because it fell silent."""
        while process.poll() is None and not stopped.wait(0.25):
            if time.monotonic() - self._heard > self._silence:
                self._say(stopped, "driver_hanging", "")
                return True
        return False

    def _listen(self, process: subprocess.Popen[bytes], stopped: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for text in lines:
                try:
                    line = json.loads(text)
                except ValueError:
                    continue
                self._heard = time.monotonic()
                self._say(stopped, line["status"], line.get("detail", ""), line)

    def _say(
        self, stopped: threading.Event, status: str, detail: str, line: dict[str, Any] | None = None
    ) -> None:
        before = self._report
        if status == "starting":  # a probe that was started again knows no better than the one before
            return
        with self._lock:
            if self._stopped is not stopped:
                return
            fresh = line is not None and "gpus" in line
            self._report = Report(
                status=status,
                since=before.since if before.status == status else time.time(),
                detail=detail,
                line=line if fresh else before.line,
                heard=line["time"] if fresh and line else before.heard,
            )
        self.listener()
