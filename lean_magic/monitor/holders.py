"""Who holds the GPUs: what the probe says, with what /proc and the kernels say. Reads files, so it runs on a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lean_magic.monitor.attribution import Assignment, Candidate, GpuProcess, assign, loads_of
from lean_magic.monitor.kernels import KernelInfo
from lean_magic.monitor.processes import Proc, Processes
from lean_magic.monitor.steps import StepMatcher

__all__ = ["NOBODY", "Found", "Holders"]

_ALL = 10.0  # seconds between two times that all processes are read


@dataclass(frozen=True, slots=True)
class Found:
    """Whose is which memory, and the processor time of each kernel's processes, in seconds."""

    assignment: Assignment
    cpu_seconds: Mapping[str, float | None]


NOBODY = Found(Assignment({}, ()), {})


class Near:
    """The processes that matter: those of kernels, and those on GPUs. All there are is read only now and then.

    A machine may have thousands, and to read them all with every sample would cost more than all the rest.
    """

    def __init__(self, proc: Proc, clock: Callable[[], float]) -> None:
        self._proc = proc
        self._clock = clock
        self._due = float("-inf")
        self._roots: set[int] = set()
        self._listed: set[int] = set()
        self._pids: set[int] = set()

    def read(self, roots: set[int], listed: set[int], *, whole: bool) -> Processes:
        """Read what has become of kernels with these numbers and of what GPUs list; all processes if `whole`."""
        now = self._clock()
        if not whole and now < self._due and roots == self._roots and listed <= self._listed:
            return self._proc.some(self._pids)
        everything = self._proc.all()
        self._due, self._roots, self._listed = now + _ALL, roots, listed
        self._pids = (listed & everything.by_pid.keys()).union(*(everything.of(root) for root in roots))
        return everything


class Holders:
    """Finds the holders, sample by sample."""

    def __init__(self, proc: Proc | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc or Proc()
        self._near = Near(self._proc, clock)
        self._steps = StepMatcher()
        self._markers: dict[int, str | None] = {}

    def find(self, gpus: Sequence[Mapping[str, Any]], kernels: Sequence[KernelInfo]) -> Found:
        """Return who holds what."""
        on_gpus = _on_gpus(gpus)
        everything = self._near.read(
            {one.pid for one in kernels if one.pid},
            {one.pid for one in on_gpus},
            whole=any(_place(one) for one in kernels),  # found by their forebears, who may be anybody
        )
        trees = {one.kernel_id: everything.of(one.pid) if one.pid else frozenset() for one in kernels}
        strays = self._strays({one.pid for one in on_gpus}, everything, trees)
        candidates = [
            _candidate(one, trees[one.kernel_id] | strays.get(one.kernel_id, set())) for one in kernels
        ]
        own = self._own(on_gpus, everything)
        namespaces = self._namespaces(on_gpus, everything, candidates)
        assignment = assign(
            on_gpus,
            candidates,
            own=own,
            namespaces=namespaces,
            steps=self._steps.update(*_levels(on_gpus, candidates, own)),
        )
        cpu = {
            kernel_id: everything.cpu_seconds(frozenset(pids)) for kernel_id, pids in trees.items() if pids
        }
        return Found(assignment, cpu)

    def _own(self, on_gpus: Sequence[GpuProcess], everything: Processes) -> set[int]:
        """Return the listed numbers that are surely those of processes here."""
        here = {one.pid for one in on_gpus} & everything.by_pid.keys()
        # In a container the same number may be that of a process of the host.
        return (
            here if self._proc.is_first_namespace() else {pid for pid in here if self._proc.has_gpu_open(pid)}
        )

    def _strays(
        self, pids: set[int], everything: Processes, trees: Mapping[str, frozenset[int]]
    ) -> dict[str, set[int]]:
        """Return the processes that went their own way and only say in their environment whose they are."""
        outside = pids & everything.by_pid.keys() - set().union(*trees.values())
        self._markers = {
            pid: self._markers[pid] if pid in self._markers else self._proc.marker(pid) for pid in outside
        }
        found: dict[str, set[int]] = {}
        for pid, kernel_id in self._markers.items():
            if kernel_id is not None and kernel_id in trees:
                found.setdefault(kernel_id, set()).add(pid)
        return found

    def _namespaces(
        self, on_gpus: Sequence[GpuProcess], everything: Processes, candidates: Sequence[Candidate]
    ) -> dict[int, list[tuple[int, int]]]:
        if not any(one.namespaces for one in candidates):
            return {}
        return {
            one.pid: [
                place
                for pid in everything.lineage(one.pid)
                if (place := self._proc.namespace(pid)) is not None
            ]
            for one in on_gpus
            if one.pid in everything.by_pid
        }


def _on_gpus(gpus: Sequence[Mapping[str, Any]]) -> list[GpuProcess]:
    found = []
    for gpu in gpus:
        pids = [one["pid"] for one in gpu["processes"]]
        told = gpu["loads"]
        # JSON knows no numbers as names.
        loads = loads_of(pids, None if told is None else {int(pid): load for pid, load in told.items()})
        found += [
            GpuProcess(one["uuid"], one["pid"], one["memory_used"], loads[one["pid"]])
            for one in gpu["processes"]
        ]
    return found


def _candidate(kernel: KernelInfo, pids: frozenset[int] | set[int]) -> Candidate:
    report, place = kernel.report or {}, _place(kernel)
    reported = {str(one["uuid"]): int(one["reserved"]) for one in report.get("gpus") or ()}
    return Candidate(kernel.kernel_id, pids, [place] if place else [], reported)


def _place(kernel: KernelInfo) -> tuple[int, int] | None:
    """Return namespace and number of a kernel that knows itself by another number than the server does."""
    report = kernel.report or {}
    namespace, pid = report.get("namespace"), report.get("pid")
    if namespace is None or pid is None or pid == kernel.pid:
        return None
    return int(namespace), int(pid)


def _levels(
    on_gpus: Sequence[GpuProcess], candidates: Sequence[Candidate], own: set[int]
) -> tuple[dict[tuple[str, int], int], dict[tuple[str, str], int]]:
    """Return the bytes of foreign processes, and those that kernels report, for their steps to be compared."""
    mine = {pid for one in candidates for pid in one.pids} & own
    processes = {
        (one.uuid, one.pid): one.memory_used
        for one in on_gpus
        if one.pid not in mine and one.memory_used is not None
    }
    kernels = {
        (uuid, one.kernel_id): reserved
        for one in candidates
        for uuid, reserved in one.reported.items()
        if not mine & set(one.pids)
    }
    return processes, kernels
