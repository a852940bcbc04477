"""Letting go of a GPU: gives back cache, ends a kernel after asking it to finish, and carries out verdicts.

The only file that ends kernels, and it does so through Jupyter's own manager.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jupyter_core.utils import ensure_async

from lean_magic import report_files
from lean_magic.errors import UsageError
from lean_magic.monitor.kernels import Kernels
from lean_magic.monitor.protocol import Countdown, Kernel, State
from lean_magic.monitor.sampler import Sampler
from lean_magic.words import gib

__all__ = ["Busy", "Culler", "Outcome"]

_FREEING = 4.0  # seconds within which the driver should show that memory is free again
_ANSWER = 0.1  # seconds between two looks for a kernel's answer


class Busy(UsageError):
    """The kernel runs a cell, and nobody has said that this may be broken off."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: one sentence, and the bytes that the driver shows as freed, None if it does not tell.

    `asked` is whether the kernel was asked to finish, `finished` whether it said so in time.
    """

    message: str
    freed: int | None = None
    asked: bool = False
    finished: bool = False


class Culler:
    """Acts on kernels. Each method raises KeyError for a kernel that is not there."""

    def __init__(self, sampler: Sampler, kernels: Kernels, session_manager: Any) -> None:
        self._sampler = sampler
        self._kernels = kernels
        self._sessions = session_manager
        self._ends: dict[str, float] = {}  # kernel → when its countdown is over
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def release(self, kernel_id: str) -> Outcome:
        """Let an idle kernel give back memory that it reserved and does not use. Raises Busy, UsageError."""
        row = await self._row(kernel_id)
        if await self._kernels.is_busy(kernel_id):
            raise Busy(f"{row.name} is busy; it can give back its cache once it is idle")
        if not row.reports:
            raise UsageError(
                f"{row.name} has not loaded lean_magic, so it cannot be asked to give anything back"
            )
        before = await self._sampler.fresh()
        if not await self._ask(kernel_id, "release"):
            raise UsageError(f"{row.name} did not answer within {self._grace:.0f} s")
        freed = await self._freed(row, before)
        return Outcome(_sentence(f"{row.name} gave back its cache", freed), freed, asked=True, finished=True)

    async def shut_down(self, kernel_id: str, *, busy_too: bool = False) -> Outcome:
        """Ask a kernel to finish, wait for that, shut it down. Raises Busy for one at work, unless `busy_too`."""
        row = await self._row(kernel_id)
        busy = await self._kernels.is_busy(kernel_id)
        if busy and not busy_too:
            raise Busy(f"{row.name} is busy; shutting it down breaks off what it runs")
        before = await self._sampler.fresh()
        if busy:
            await ensure_async(self._kernels.manager.interrupt_kernel(kernel_id))
        finished = row.reports and await self._ask(kernel_id, "finish")
        await self._end(kernel_id)
        self._ends.pop(kernel_id, None)
        freed = await self._freed(row, before)
        await self._sampler.again()
        return Outcome(_sentence(f"{row.name} is shut down", freed), freed, row.reports, finished)

    async def consider(self, state: State) -> Sequence[Countdown]:
        """Start, stop and end countdowns as the verdicts say; return those that run."""
        self._ending = {name: task for name, task in self._ending.items() if not task.done()}
        stops = {
            one.kernel_id: one
            for one in state.kernels
            if one.verdict == "stop" and one.kernel_id not in self._ending
        }
        length = self._sampler.settings.countdown
        self._ends = {name: self._ends.get(name, state.time + length) for name in stops}
        for kernel_id in [name for name, end in self._ends.items() if end <= state.time]:
            del self._ends[kernel_id]
            self._ending[kernel_id] = asyncio.get_running_loop().create_task(self._stop(kernel_id))
        return [_countdown(stops[name], end, state.time) for name, end in self._ends.items()]

    async def _stop(self, kernel_id: str) -> None:
        # A kernel that has become busy in the last moment, or has gone, is left alone.
        with suppress(Busy, KeyError):
            await self.shut_down(kernel_id)

    @property
    def _grace(self) -> float:
        return float(self._sampler.settings.grace)

    async def _row(self, kernel_id: str) -> Kernel:
        self._sampler.wake()
        state = await self._sampler.again()
        row = next((one for one in state.kernels if one.kernel_id == kernel_id), None)
        if row is None:
            raise KeyError(kernel_id)
        return row

    async def _ask(self, kernel_id: str, action: str) -> bool:
        """Ask something of a kernel; tell whether it said in time that it did it."""
        number, end = uuid.uuid4().hex, time.monotonic() + self._grace
        request = report_files.request_path(self._kernels.runtime, kernel_id)
        report = report_files.report_path(self._kernels.runtime, kernel_id)
        report_files.write(request, {"id": number, "action": action})
        try:
            while time.monotonic() < end and kernel_id in self._kernels.manager:
                answer = (report_files.read(report) or {}).get("answer") or {}
                if answer.get("id") == number:
                    return True
                await asyncio.sleep(_ANSWER)
        finally:
            request.unlink(missing_ok=True)
        return False

    async def _end(self, kernel_id: str) -> None:
        if kernel_id not in self._kernels.manager:
            return  # it ended by itself while it was waited for
        session = (await self._kernels.sessions()).get(kernel_id)
        if session is not None:
            await self._sessions.delete_session(session["id"])
        else:
            await ensure_async(self._kernels.manager.shutdown_kernel(kernel_id))
        report_files.report_path(self._kernels.runtime, kernel_id).unlink(missing_ok=True)

    async def _freed(self, row: Kernel, before: State) -> int | None:
        """Read back from the driver what is in use less than before where the kernel held memory."""
        used = _used(before, row)
        if not used:
            return None
        end, freed = time.monotonic() + _FREEING, None
        while time.monotonic() < end and not freed:
            after = _used(await self._sampler.fresh(), row)
            freed = sum(max(used[uuid] - after[uuid], 0) for uuid in used if uuid in after) if after else None
        return freed


def _used(state: State, row: Kernel) -> Mapping[str, int]:
    if state.status.state != "ok":
        return {}
    mine = {one.uuid for one in row.gpus}
    devices = [(gpu.uuid, gpu.memory_used) for gpu in state.gpus]
    devices += [(one.uuid, one.memory_used) for gpu in state.gpus for one in gpu.mig or ()]
    return {uuid: used for uuid, used in devices if uuid in mine and used is not None}


def _sentence(what: str, freed: int | None) -> str:
    if freed is None:
        return f"{what}."
    return (
        f"{what}; {gib(freed)} of GPU memory are free again." if freed else f"{what}; it freed no GPU memory."
    )


def _countdown(kernel: Kernel, end: float, now: float) -> Countdown:
    return Countdown(kernel.kernel_id, kernel.name, end, max(end - now, 0.0), kernel.reason)
