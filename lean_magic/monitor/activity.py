"""What kernels were asked to run, counted from what they publish.

Jupyter's own last activity moves with every widget and every panel that polls a kernel; such a poll ends "busy" while
a cell still runs. Here only cells count: those that start, and whether one runs. A kernel that nothing was heard of yet
is asked something trivial, which one that runs a cell answers only when it is done.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Activity", "Watched"]

_DELIMITER = b"<IDS|MSG>"
_ANSWER = 1.5  # seconds within which a kernel that runs nothing answers


@dataclass(slots=True)
class Watched:
    """What was seen of one kernel: cells that started, and whether one runs; None before the first word of it."""

    stream: Any
    process: tuple[int, Any]  # its port, and its number: after a restart it is another
    executions: int = 0
    busy: bool | None = None
    question: Any = None  # the stream of what it was asked, until it answers
    asked: float = 0.0

    def runs(self) -> bool | None:
        """Tell whether a cell runs; who does not answer runs one. None is not known yet."""
        if self.busy is None and self.question is not None and time.monotonic() - self.asked > _ANSWER:
            return True
        return self.busy

    def ask(self, kernel: Any) -> None:
        """Ask a kernel something that one which runs a cell does not answer, and that Jupyter counts as no activity."""
        self.question, self.asked = kernel.connect_shell(), time.monotonic()
        self.question.on_recv(self.answer)
        kernel.session.send(self.question, "kernel_info_request")

    def answer(self, _message: Sequence[bytes]) -> None:
        """Take in that the kernel answered: at that moment it ran nothing."""
        if self.busy is None:
            self.busy = False
        self.hush()

    def hush(self) -> None:
        """Wait for no answer any more."""
        if self.question is not None:
            _close(self.question)
            self.question = None

    def hear(self, message: Sequence[bytes]) -> None:
        """Take in one message that the kernel published."""
        try:
            start = list(message).index(_DELIMITER) + 2  # the signature stands between
            kind = json.loads(message[start])["msg_type"]
            if kind == "execute_input":
                self.executions += 1
                self.busy = True
            elif kind == "status" and json.loads(message[start + 1]).get("msg_type") == "execute_request":
                self.busy = json.loads(message[start + 3])["execution_state"] == "busy"
        except (ValueError, KeyError, IndexError):
            return  # not a message as Jupyter's protocol has it


class Activity:
    """Listens to the kernels of `manager`."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._watched: dict[str, Watched] = {}
        self._counted: dict[str, int] = {}  # what kernels that are not listened to now had started by then

    def watch(self, kernel_ids: Collection[str]) -> None:
        """Listen to these kernels, and to no others."""
        for gone in self._watched.keys() - set(kernel_ids):
            self._forget(gone)
        for kernel_id in kernel_ids:
            self._watch(kernel_id, self._manager.get_kernel(kernel_id))

    def of(self, kernel_id: str) -> Watched | None:
        """Return what was seen of a kernel; None if it is not listened to."""
        return self._watched.get(kernel_id)

    async def settle(self, kernel_id: str) -> None:
        """Wait until it is known whether a kernel runs a cell, or until it has had its time to answer."""
        watched, kernel = self.of(kernel_id), self._manager.get_kernel(kernel_id)
        if watched is None or not _is_up(kernel):
            return
        if watched.busy is None and watched.question is None:
            watched.ask(kernel)
        while watched.runs() is None and watched is self.of(kernel_id):  # noqa: ASYNC110 - at most a moment
            await asyncio.sleep(0.02)

    def _watch(self, kernel_id: str, kernel: Any) -> None:
        port = getattr(kernel, "iopub_port", 0)
        process = (port, getattr(getattr(kernel, "provisioner", None), "pid", None))
        known = self._watched.get(kernel_id)
        if known is not None and known.process != process:
            self._forget(kernel_id)
        elif known is not None and known.busy is None and known.question is None and _is_up(kernel):
            known.ask(kernel)  # not before the second look: by now it is listened to for sure
        if port and kernel_id not in self._watched and hasattr(kernel, "connect_iopub"):
            # Counting goes on: a count that began anew would look like a cell that was started.
            watched = Watched(kernel.connect_iopub(), process, self._counted.pop(kernel_id, 0))
            self._watched[kernel_id] = watched
            watched.stream.on_recv(watched.hear)

    def _forget(self, kernel_id: str) -> None:
        watched = self._watched.pop(kernel_id)
        if kernel_id in self._manager:
            self._counted[kernel_id] = watched.executions
        watched.hush()
        _close(watched.stream)


def _is_up(kernel: Any) -> bool:
    # One that starts answers nobody yet, one that died never will.
    return getattr(kernel, "execution_state", None) in ("idle", "busy")


def _close(stream: Any) -> None:
    stream.stop_on_recv()
    stream.close()
