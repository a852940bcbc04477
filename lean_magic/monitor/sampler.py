"""One background task that samples, one ring of samples, many readers. It sleeps when nobody looks and no guard is on.

Whatever may wait, waits elsewhere: for the driver the probe, for files a thread. So a reader is answered at once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from lean_magic.monitor.aside import Aside
from lean_magic.monitor.attribution import others
from lean_magic.monitor.gpus import Gpus, places
from lean_magic.monitor.holders import NOBODY, Holders
from lean_magic.monitor.kernels import Kernels
from lean_magic.monitor.probe_client import ProbeClient, Report
from lean_magic.monitor.protocol import Countdown, Gpu, Kernel, Other, Point, Sample, State
from lean_magic.monitor.rows import Rows
from lean_magic.monitor.savings import NOTHING_SAVED, Sums
from lean_magic.monitor.sentences import status_of
from lean_magic.monitor.settings import LeanMagicServer

__all__ = ["Sampler"]

_LOOKS = 15.0  # seconds for which a reader is taken to be still looking
_FIRST = 1.5  # seconds that the first reader waits for figures: a probe takes half a second to start

Listener = Callable[[State], Awaitable[Sequence[Countdown]]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """One sample of the ring."""

    seq: int
    points: dict[str, Point]
    sample: Sample


class Sampler:
    """Samples while it is awake. Its methods are for the server's event loop alone."""

    def __init__(
        self, settings: LeanMagicServer, kernels: Kernels, rows: Rows, sums: Sums, probe: ProbeClient
    ) -> None:
        self.settings = settings
        self.probe = probe
        self.listener: Listener | None = None  # told of every sample; answers with the countdowns that run
        self._kernels = kernels
        self._rows = rows
        self._sums = Aside(sums.savings, NOTHING_SAVED)
        self._gpus = Gpus(settings)
        self._shown: list[Gpu] = []
        self._holders = Aside(Holders().find, NOBODY)
        # Numbers go on after a restart of the server, so that a client never takes new samples for old ones.
        self._seq = int(time.time())
        self._heard: float | None = None
        self._ring: deque[_Kept] = deque(maxlen=max(int(settings.history / settings.interval), 1))
        self._state: State | None = None
        self._awake_until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._ticking = asyncio.Lock()
        self._news = asyncio.Event()

    @property
    def awake(self) -> bool:
        """Whether samples are taken now."""
        return self._task is not None and not self._task.done()

    async def state(self, since: int | None = None, looks: float = _LOOKS) -> State:
        """Return what is known now, with the samples after `since`; wakes the sampler for `looks` seconds."""
        self.wake(looks)
        state = self._state or await self._first()
        known = since if since is not None and since <= self._seq else 0
        kept = [one for one in self._ring if one.seq > known]
        return replace(
            state,
            time=time.time(),
            gpus=[
                replace(gpu, history=tuple(one.points[gpu.uuid] for one in kept if gpu.uuid in one.points))
                for gpu in state.gpus
            ],
            history=[one.sample for one in kept],
        )

    def wake(self, seconds: float = _LOOKS) -> None:
        """Sample for so many seconds at least."""
        self._awake_until = max(self._awake_until, time.monotonic() + seconds)
        if not self.awake:
            self._state = None
            loop = asyncio.get_running_loop()
            self.probe.listener = lambda: _tell(loop, self._news)
            self.probe.start()  # now, so that nobody takes what it said hours ago for what it says
            self._task = loop.create_task(self._run())

    async def _first(self) -> State:
        end = time.monotonic() + _FIRST
        while self.probe.report.status == "starting" and time.monotonic() < end:  # noqa: ASYNC110 - another thread hears it
            await asyncio.sleep(0.02)
        return await self._tick()

    async def fresh(self) -> State:
        """Return the state after one more sample of the probe, or as it is if none comes."""
        self.wake()
        before, end = self.probe.report.heard, time.monotonic() + 2.5 * self.settings.interval
        while self._is_awaited(before) and time.monotonic() < end:  # noqa: ASYNC110 - another thread hears it
            await asyncio.sleep(0.05)
        return await self._tick()

    async def again(self) -> State:
        """Return the state looked at anew, with the probe's newest figures."""
        return await self._tick()

    def close(self) -> None:
        """Stop sampling."""
        self.probe.stop()
        if self._task is not None:
            self._task.cancel()

    def _is_awaited(self, before: float | None) -> bool:
        report = self.probe.report
        return report.heard == before and report.status in ("ok", "starting")

    async def _run(self) -> None:
        try:
            while self.settings.stop_idle or time.monotonic() < self._awake_until:
                self._news.clear()
                await self._tick()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 2 * self.settings.interval)
        finally:
            self.probe.stop()
            self._kernels.rest()

    async def _tick(self) -> State:
        async with self._ticking:
            state = await self._look()
            if self.listener is not None:
                state = replace(state, countdowns=await self.listener(state))
            self._state = state
        return state

    async def _look(self) -> State:
        now, report = time.time(), self.probe.report
        kernels = await self._kernels.list()
        told, is_current = _told(report), report.status == "ok"
        found, is_fresh = await self._holders.ask(told, kernels)
        is_current = is_current and is_fresh
        is_new = report.heard != self._heard and report.line is not None
        if is_new:
            self._shown, self._heard = self._gpus.show((report.line or {})["gpus"], now), report.heard
        where = places(self._shown) if told else {}
        guard = self.settings.guard
        rows = self._rows.make(now, kernels, found, where, guard, is_current=is_current)
        state = State(
            seq=self._seq + is_new,
            time=now,
            status=status_of(report),
            guard=guard,
            savings=(await self._sums.ask(dt.datetime.now().astimezone().date(), self._price()))[0],
            gpus=self._shown if told else [],
            kernels=rows,
            other=[
                Other(uuid, rest)
                for uuid, rest in others(
                    {uuid: one.used for uuid, one in where.items()}, found.assignment
                ).items()
            ],
        )
        if is_new:
            self._keep(state)
        return state

    def _price(self) -> float | None:
        return next((gpu.price_per_hour for gpu in self._shown if gpu.price_per_hour is not None), None)

    def _keep(self, state: State) -> None:
        self._seq = state.seq
        points = {
            gpu.uuid: Point(state.seq, state.time, gpu.utilization, gpu.memory_used, gpu.power)
            for gpu in state.gpus
        }
        costs = [one.cost_per_hour for one in state.kernels if one.cost_per_hour is not None]
        sample = Sample(
            seq=state.seq,
            time=state.time,
            cost_per_hour=sum(costs) if costs else None,
            kernels={one.kernel_id: _held(one) for one in state.kernels if one.gpus},
        )
        self._ring.append(_Kept(state.seq, points, sample))


def _told(report: Report) -> list[dict[str, object]]:
    """Return the probe's figures; those from before while the driver does not answer."""
    if report.status not in ("ok", "driver_hanging", "probe_failed") or report.line is None:
        return []
    gpus: list[dict[str, object]] = report.line["gpus"]
    return gpus


def _tell(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the server has just ended
        loop.call_soon_threadsafe(news.set)


def _held(kernel: Kernel) -> int | None:
    sizes = [one.memory_used for one in kernel.gpus]
    return None if None in sizes else sum(size or 0 for size in sizes)
