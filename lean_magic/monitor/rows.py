"""The kernels as the panel shows them: what each holds, for how long in vain, at what cost, and the verdict."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lean_magic import cost
from lean_magic.monitor.attribution import others
from lean_magic.monitor.choices import Choices
from lean_magic.monitor.gpus import Place, cost_per_hour
from lean_magic.monitor.holders import Found
from lean_magic.monitor.idle import Judgement, Observation, Track, follow, judge
from lean_magic.monitor.kernels import KernelInfo
from lean_magic.monitor.protocol import Cached, Guard, Holding, Kernel
from lean_magic.monitor.settings import LeanMagicServer

__all__ = ["Rows"]

_CERTAIN = {"pid", "nspid", "deltas"}


@dataclass(slots=True)
class _Account:
    """What is remembered of one kernel from sample to sample."""

    track: Track = field(default_factory=Track)
    time: float | None = None  # of the last sample
    dollars: float | None = None


class Rows:
    """Makes one row a kernel; `root` is the folder that notebooks' paths are in."""

    def __init__(self, settings: LeanMagicServer, choices: Choices, root: str) -> None:
        self._settings = settings
        self._root = root
        self._accounts: dict[str, _Account] = {}
        self._is_current = True  # whether the driver has just said so
        self.choices = choices

    def name_of(self, kernel: KernelInfo | Kernel) -> str:
        """Return the name that people's choices for a kernel are kept under."""
        return posixpath.join(self._root, kernel.path) if kernel.path else kernel.kernel_id

    def make(
        self,
        time: float,
        kernels: Sequence[KernelInfo],
        found: Found,
        where: Mapping[str, Place],
        guard: Guard,
        *,
        is_current: bool = True,
    ) -> list[Kernel]:
        """Return the rows at this moment; figures that are not current are shown, and not believed."""
        self._is_current = is_current
        self._accounts = {one.kernel_id: self._accounts.get(one.kernel_id, _Account()) for one in kernels}
        return [self._row(time, kernel, found, where, guard) for kernel in kernels]

    def _row(
        self, time: float, kernel: KernelInfo, found: Found, where: Mapping[str, Place], guard: Guard
    ) -> Kernel:
        account = self._accounts[kernel.kernel_id]
        holdings = found.assignment.holdings.get(kernel.kernel_id, ())
        per_hour = cost_per_hour(holdings, where, _held_by_all(found))
        account.track = follow(account.track, self._observation(time, kernel, holdings, found, where))
        pinned, until = self._chosen(kernel)
        told = judge(account.track, guard, cost_per_hour=per_hour, pinned=pinned, snoozed_until=until)
        if self._is_current or holdings:  # what is held while nobody tells is charged once somebody does
            _charge(account, time, per_hour)
        report = kernel.report or {}
        return Kernel(
            kernel_id=kernel.kernel_id,
            path=kernel.path,
            name=kernel.name,
            execution_state="busy" if kernel.busy else kernel.execution_state,
            remote=kernel.pid is None,
            idle_seconds=told.idle_seconds,
            idle_since=told.idle_since,
            verdict=told.verdict,
            reason=_reason(told, kernel, holdings),
            cost_per_hour=per_hour,
            cost=account.dollars,
            idle_cost=told.idle_cost,
            pinned=pinned,
            snoozed_until=until,
            culled_in=kernel.culled_in,
            reports=kernel.report is not None,
            cached=_cached(report.get("cached")),
            releasable_bytes=_releasable(report.get("gpus")) if kernel.report is not None else None,
            gpus=tuple(holdings),
        )

    def _chosen(self, kernel: KernelInfo) -> tuple[bool, float | None]:
        name = self.name_of(kernel)
        return self.choices.pinned(name), self.choices.snoozed_until(name)

    def _observation(
        self,
        time: float,
        kernel: KernelInfo,
        holdings: Sequence[Holding],
        found: Found,
        where: Mapping[str, Place],
    ) -> Observation:
        loads = [_load(one, found, where) for one in holdings]
        known = [load for load in loads if load is not None]
        return Observation(
            time=time,
            busy=kernel.busy,
            executions=kernel.executions,
            last_activity=kernel.last_activity,
            cpu_seconds=found.cpu_seconds.get(kernel.kernel_id),
            memory=self._memory(kernel, holdings),
            utilization=max(known, default=0.0) if len(known) == len(loads) and self._is_current else None,
            holds=self._holds(holdings, where),
            certain=self._is_current and all(one.evidence in _CERTAIN for one in holdings),
        )

    def _memory(self, kernel: KernelInfo, holdings: Sequence[Holding]) -> Mapping[str, int | None]:
        """Return what is held; before the driver has said so, what was: to know nothing is not to hold nothing."""
        last = self._accounts[kernel.kernel_id].track.last
        if not self._is_current and last is not None:
            return last.memory
        return {one.uuid: one.memory_used for one in holdings}

    def _holds(self, holdings: Sequence[Holding], where: Mapping[str, Place]) -> bool | None:
        """Tell whether a kernel holds enough of some GPU to matter; None if that is not known."""
        if any(self._is_much(one, where.get(one.uuid)) for one in holdings):
            return True
        return None if any(one.memory_used is None for one in holdings) else False

    def _is_much(self, holding: Holding, place: Place | None) -> bool:
        total = (place.total if place else None) or 0
        least = max(self._settings.hold_bytes, self._settings.hold_share * total)
        # Of a small instance half a gigabyte may be all there is.
        return bool((holding.memory_used or 0) >= (min(least, total / 2) if total else least))


def _load(holding: Holding, found: Found, where: Mapping[str, Place]) -> float | None:
    """Return a kernel's load on one GPU: its own, or the GPU's if nobody else is there to cause it."""
    place = where.get(holding.uuid)
    if holding.utilization is not None or place is None or place.used is None:
        return holding.utilization
    holders = sum(
        one.uuid == holding.uuid for holdings in found.assignment.holdings.values() for one in holdings
    )
    strangers = others({holding.uuid: None}, found.assignment)
    alone = holders == 1 and not strangers and holding.evidence in _CERTAIN
    return place.utilization if alone else None


def _held_by_all(found: Found) -> dict[str, int]:
    sums: dict[str, int] = {}
    held = [one for holdings in found.assignment.holdings.values() for one in holdings]
    sizes = [(one.uuid, one.memory_used) for one in held]
    sizes += [(one.uuid, one.memory_used) for one in found.assignment.unmatched]
    for uuid, size in sizes:
        sums[uuid] = sums.get(uuid, 0) + (size or 0)
    return sums


def _charge(account: _Account, time: float, per_hour: float | None) -> None:
    spent = cost.dollars(max(time - account.time, 0.0) if account.time is not None else 0.0, per_hour)
    if spent is not None:
        account.dollars = (account.dollars or 0.0) + spent
    account.time = time


def _reason(told: Judgement, kernel: KernelInfo, holdings: Sequence[Holding]) -> str:
    if kernel.pid is None and not holdings:
        return "runs on another machine; what it holds there is not known"
    return told.reason


def _cached(told: Any) -> Cached | None:
    if not isinstance(told, Mapping) or not told.get("cells"):
        return None
    return Cached(told.get("hit_cells", 0), told["cells"], told.get("restart_seconds"))


def _releasable(told: Any) -> int:
    return sum(max(one["reserved"] - one["allocated"], 0) for one in told or ())
