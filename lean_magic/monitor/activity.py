"""What kernels were asked to run, counted from what they publish.

Jupyter's own last activity moves with every widget and every panel that polls a kernel; such a poll ends "busy" while
a cell still runs. Here only cells count: those that start, and whether one runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Activity", "Watched"]

_DELIMITER = b"<IDS|MSG>"


@dataclass(slots=True)
class Watched:
    """What was seen of one kernel: cells that started, and whether one runs; None before the first word of it."""

    stream: Any
    port: int
    executions: int = 0
    busy: bool | None = None

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

    def watch(self, kernel_ids: Collection[str]) -> None:
        """Listen to these kernels, and to no others."""
        for gone in self._watched.keys() - set(kernel_ids):
            self._forget(gone)
        for kernel_id in kernel_ids:
            kernel = self._manager.get_kernel(kernel_id)
            port = getattr(kernel, "iopub_port", 0)
            known = self._watched.get(kernel_id)
            if known is not None and known.port != port:
                self._forget(kernel_id)
            if port and kernel_id not in self._watched and hasattr(kernel, "connect_iopub"):
                self._watched[kernel_id] = watched = Watched(kernel.connect_iopub(), port)
                watched.stream.on_recv(watched.hear)

    def of(self, kernel_id: str) -> Watched | None:
        """Return what was seen of a kernel; None if it is not listened to."""
        return self._watched.get(kernel_id)

    def _forget(self, kernel_id: str) -> None:
        watched = self._watched.pop(kernel_id)
        watched.stream.stop_on_recv()
        watched.stream.close()
