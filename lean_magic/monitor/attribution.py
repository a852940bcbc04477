"""Whose is which memory: processes on GPUs and kernels → what each kernel holds, and what that is known by.

Pure. Evidence is taken in the order of its strength, and what none of it reaches is "other".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lean_magic.monitor.protocol import Evidence, Holding

__all__ = ["Assignment", "Candidate", "GpuProcess", "assign", "loads_of", "others"]

_WORTH_SAYING = 64 << 20  # bytes of other processes; less is the driver's own


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that the driver lists on a GPU or instance: bytes and per cent, None where they are not told."""

    uuid: str
    pid: int
    memory_used: int | None
    utilization: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kernel that may hold memory.

    `pids` are its processes here, `namespaces` those (namespace, number) that its own report names, and `reported`
    the bytes that it says to have reserved, by UUID.
    """

    kernel_id: str
    pids: Collection[int] = ()
    namespaces: Collection[tuple[int, int]] = ()
    reported: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What each kernel holds, and the processes that are no kernel's."""

    holdings: Mapping[str, tuple[Holding, ...]]
    unmatched: tuple[GpuProcess, ...]


def assign(
    processes: Sequence[GpuProcess],
    candidates: Sequence[Candidate],
    *,
    own: Collection[int],
    namespaces: Mapping[int, Collection[tuple[int, int]]],
    steps: Mapping[tuple[str, int], str],
) -> Assignment:
    """Give each process on a GPU to the kernel that it belongs to.

    `own` are the numbers that are proved to be of processes here; `namespaces` gives, for a process here, the
    namespaces and numbers of it and its forebears; `steps` gives, for a UUID and a number, the kernel whose report
    went up and down with it.
    """
    found: dict[str, list[Holding]] = {one.kernel_id: [] for one in candidates}
    left = []
    for process in processes:
        owner = _owner(process, candidates, own, namespaces, steps)
        if owner:
            found[owner[0]].append(_holding(process, owner[1]))
        else:
            left.append(process)
    merged = {kernel_id: _merged(holdings) for kernel_id, holdings in found.items()}
    left = _single(left, candidates, merged)
    for candidate in candidates:
        _trust_report(candidate, merged[candidate.kernel_id])
    return Assignment(
        {kernel_id: tuple(holdings.values()) for kernel_id, holdings in merged.items()}, tuple(left)
    )


def loads_of(pids: Collection[int], loads: Mapping[int, float] | None) -> dict[int, float | None]:
    """Return the load of each listed process, in per cent; None for all where numbers do not fit together.

    Some drivers list the numbers of a container and sample those of the host. Then no load can be told, except that
    nobody had any.
    """
    if loads is None or not loads.keys() <= set(pids):
        return dict.fromkeys(pids)
    return {pid: loads.get(pid, 0.0) for pid in pids}


def others(
    used: Mapping[str, int | None], assignment: Assignment, held: Mapping[str, int | None] | None = None
) -> dict[str, int]:
    """Return the bytes that no kernel holds, by UUID, where there are any worth saying.

    `used` are the bytes in use of each GPU or instance, None where only what the processes say can count; `held` adds
    bytes that are accounted for otherwise.
    """
    sums: dict[str, int] = {}
    for holdings in assignment.holdings.values():
        for one in holdings:
            sums[one.uuid] = sums.get(one.uuid, 0) + (one.memory_used or 0)
    listed: dict[str, int] = {}
    for process in assignment.unmatched:
        listed[process.uuid] = listed.get(process.uuid, 0) + (process.memory_used or 0)
    found = {}
    for uuid, total in used.items():
        mine = sums.get(uuid, 0) + ((held or {}).get(uuid) or 0)
        found[uuid] = listed.get(uuid, 0) if total is None else max(total - mine, 0)
    return {uuid: rest for uuid, rest in found.items() if rest >= _WORTH_SAYING}


def _owner(
    process: GpuProcess,
    candidates: Sequence[Candidate],
    own: Collection[int],
    namespaces: Mapping[int, Collection[tuple[int, int]]],
    steps: Mapping[tuple[str, int], str],
) -> tuple[str, Evidence] | None:
    for candidate in candidates:
        if process.pid in own and process.pid in candidate.pids:
            return candidate.kernel_id, "pid"
    for candidate in candidates:
        if set(candidate.namespaces) & set(namespaces.get(process.pid, ())):
            return candidate.kernel_id, "nspid"
    matched = steps.get((process.uuid, process.pid))
    if matched and any(one.kernel_id == matched for one in candidates):
        return matched, "deltas"
    return None


def _holding(process: GpuProcess, evidence: Evidence) -> Holding:
    return Holding(process.uuid, process.memory_used, process.utilization, evidence)


def _merged(holdings: Sequence[Holding]) -> dict[str, Holding]:
    """Add up what several processes of one kernel hold on one GPU."""
    merged: dict[str, Holding] = {}
    for one in holdings:
        before = merged.get(one.uuid)
        if before is not None:
            one = replace(  # noqa: PLW2901 - the sum takes its place
                one,
                memory_used=_sum(before.memory_used, one.memory_used),
                utilization=_capped(_sum(before.utilization, one.utilization)),
                evidence=max(before.evidence, one.evidence, key=_STRENGTH.index),
            )
        merged[one.uuid] = one
    return merged


_STRENGTH: tuple[Evidence, ...] = ("pid", "nspid", "deltas", "single", "self")  # the weakest last


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other


def _capped(load: float | None) -> float | None:
    return None if load is None else min(load, 100.0)


def _single(
    left: Sequence[GpuProcess], candidates: Sequence[Candidate], merged: Mapping[str, dict[str, Holding]]
) -> list[GpuProcess]:
    """Give the last process on a GPU to the last kernel that says to hold some of it; return those that stay."""
    rest = []
    for process in left:
        rivals = [one for one in left if one.uuid == process.uuid]
        claims = [
            one
            for one in candidates
            if one.reported.get(process.uuid) and process.uuid not in merged[one.kernel_id]
        ]
        if len(rivals) == len(claims) == 1 and _holds(process, claims[0].reported[process.uuid]):
            merged[claims[0].kernel_id][process.uuid] = _holding(process, "single")
        else:
            rest.append(process)
    return rest


def _holds(process: GpuProcess, reported: int) -> bool:
    return process.memory_used is None or process.memory_used >= reported


def _trust_report(candidate: Candidate, holdings: dict[str, Holding]) -> None:
    """Where nothing better is known, take what the kernel says of itself: it holds at least that."""
    for uuid, reserved in candidate.reported.items():
        known = holdings.get(uuid)
        if reserved and known is None:
            holdings[uuid] = Holding(uuid, reserved, None, "self")
        elif reserved and known and known.memory_used is None:
            holdings[uuid] = replace(known, memory_used=reserved, evidence="self")
