"""When does a kernel hold a GPU without using it? Observations are folded into a `Track`, and this is judged. Pure.

Idle is who does nothing of all this: runs a cell, starts one, loads a GPU in more than two polls of forty, takes five
per cent of a processor core, changes what it holds. Widgets and panels that poll a kernel do none of it, and a thread
that trains silently does. What cannot be known counts against stopping, never for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lean_magic.cost import dollars
from lean_magic.monitor.protocol import Guard, Verdict
from lean_magic.words import duration, gib

__all__ = ["Judgement", "Observation", "Track", "follow", "judge"]

_LOADED = 1.0  # per cent of a GPU: more is work
_LOOKED_AT = 40  # polls of which one in twenty may be loaded; the driver tells the load of a moment ago
_CORE = 0.05  # of a processor core: as much is work
_CORE_SECONDS = 20.0  # over which the processor's load is taken
_STEP = 8 << 20  # bytes: a larger change of what is held is work
_GAP = 60.0  # seconds without an observation after which what happened meanwhile is not known
_WATCHED = 15.0  # seconds a kernel is watched before anything is said about it, unless that is wanted sooner
_SOONEST = 120.0  # seconds before which no warning is worth its interruption, whatever it costs


@dataclass(frozen=True, slots=True)
class Observation:
    """One kernel at one moment; None is not known."""

    time: float  # seconds since the epoch
    busy: bool
    executions: int | None = None  # cells that were started, so far
    last_activity: float | None = None  # the last moment that Jupyter noticed anything
    cpu_seconds: float | None = None  # of all its processes, so far
    memory: Mapping[str, int | None] = field(default_factory=dict)  # bytes held, by UUID
    utilization: float | None = None  # per cent: its load where it is highest
    holds: bool | None = None  # whether it holds enough of some GPU to matter
    certain: bool = False  # whether it is beyond doubt that these figures are this kernel's


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of a kernel from its observations."""

    idle_since: float | None = None  # None while at work
    watched_since: float | None = None  # from when on there is no gap in the observations
    certain_since: float | None = None  # from when on every observation was certain
    last: Observation | None = None
    loads: tuple[bool, ...] = ()
    cpu: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be done about a kernel, and why, in a sentence for the screen; seconds and dollars of idleness."""

    verdict: Verdict
    reason: str
    idle_seconds: float | None = None
    idle_since: float | None = None
    idle_cost: float | None = None


def follow(track: Track, now: Observation) -> Track:
    """Return the track with one more observation."""
    last = track.last
    gap = last is None or not 0 <= now.time - last.time <= _GAP
    anew = gap or (last is not None and last.busy)  # what a cell did ends with it
    loads = () if anew else track.loads
    loads = (*loads, now.utilization is not None and now.utilization > _LOADED)[-_LOOKED_AT:]
    cpu = _window(() if anew else track.cpu, now)
    works = now.busy or _is_loaded(loads) or _computes(cpu)
    worked = last is not None and _changed(last, now)
    certain = now.certain and now.cpu_seconds is not None and now.utilization is not None
    return Track(
        idle_since=None if works else now.time if worked else _idle_since(track, now, gap),
        watched_since=now.time if gap else track.watched_since,
        certain_since=(now.time if gap or track.certain_since is None else track.certain_since)
        if certain
        else None,
        last=now,
        loads=loads,
        cpu=cpu,
    )


def judge(
    track: Track,
    guard: Guard,
    *,
    cost_per_hour: float | None = None,
    pinned: bool = False,
    snoozed_until: float | None = None,
) -> Judgement:
    """Return what is to be done about a kernel now, which is the time of its last observation."""
    now = track.last
    if now is None or now.busy or track.idle_since is None:
        return Judgement("keep", "at work" if now else "not seen yet")
    idle = max(now.time - track.idle_since, 0.0)
    spent = dollars(idle, cost_per_hour)
    reason = f"idle for {duration(idle)}" if idle >= 1 else "idle"
    quiet = Judgement("keep", reason, idle, track.idle_since, spent)
    if not now.holds:
        return replace(quiet, reason=_nothing_held(now), idle_cost=None)
    if pinned:
        return replace(quiet, reason="pinned")
    if snoozed_until is not None and now.time < snoozed_until:
        return replace(quiet, reason=f"snoozed for {duration(snoozed_until - now.time)}")
    if track.watched_since is None or now.time - track.watched_since < min(_WATCHED, guard.notice_seconds):
        return quiet
    verdict = _verdict(track, guard, idle, spent)
    return quiet if verdict == "keep" else replace(quiet, verdict=verdict, reason=_held(now, idle, spent))


def _verdict(track: Track, guard: Guard, idle: float, spent: float | None) -> Verdict:
    if guard.stop and _witnessed(track) >= guard.stop_seconds:
        return "stop"
    costly = guard.warn_dollars is not None and spent is not None and spent >= guard.warn_dollars
    if idle >= guard.warn_seconds or (costly and idle >= _SOONEST):
        return "warn"
    return "notice" if idle >= guard.notice_seconds else "keep"


def _witnessed(track: Track) -> float:
    """Return for how many seconds it is beyond doubt that this kernel has done nothing."""
    if None in (track.idle_since, track.watched_since, track.certain_since) or track.last is None:
        return 0.0
    return track.last.time - max(track.idle_since or 0, track.watched_since or 0, track.certain_since or 0)


def _idle_since(track: Track, now: Observation, gap: bool) -> float:
    if not gap:
        return now.time if track.idle_since is None else track.idle_since
    # What nobody watched, Jupyter did: too often rather than too seldom, so the kernel has been idle for longer.
    last = track.last
    worked = last.time if last is not None and track.idle_since is None else None
    known = [moment for moment in (track.idle_since, now.last_activity, worked) if moment is not None]
    return min(max(known), now.time) if known else now.time


def _window(samples: tuple[tuple[float, float], ...], now: Observation) -> tuple[tuple[float, float], ...]:
    if now.cpu_seconds is None:
        return ()
    samples = (*samples, (now.time, now.cpu_seconds))
    # The oldest that is kept is the youngest that is old enough.
    while len(samples) > 2 and now.time - samples[1][0] >= _CORE_SECONDS:
        samples = samples[1:]
    return samples


def _computes(cpu: tuple[tuple[float, float], ...]) -> bool:
    if len(cpu) < 2:
        return False
    (start, before), (end, after) = cpu[0], cpu[-1]
    # Within the first seconds a little looks like much, so it is compared with all of the time to come.
    return after - before >= _CORE * max(end - start, _CORE_SECONDS)


def _is_loaded(loads: tuple[bool, ...]) -> bool:
    return sum(loads) > _LOOKED_AT / 20


def _changed(last: Observation, now: Observation) -> bool:
    known = None not in (last.executions, now.executions)
    computed = _computes(
        tuple((one.time, one.cpu_seconds) for one in (last, now) if one.cpu_seconds is not None)
    )
    return computed or (known and last.executions != now.executions) or _moved(last, now)


def _moved(last: Observation, now: Observation) -> bool:
    return any(
        abs((now.memory.get(uuid) or 0) - (last.memory.get(uuid) or 0)) > _STEP
        for uuid in now.memory.keys() | last.memory.keys()
        if None not in (now.memory.get(uuid, 0), last.memory.get(uuid, 0))
    )


def _nothing_held(now: Observation) -> str:
    return "what it holds is not known" if now.holds is None else "holds no GPU memory worth mentioning"


def _held(now: Observation, idle: float, spent: float | None) -> str:
    least = "at least " if None in now.memory.values() else ""
    held = least + gib(sum(memory or 0 for memory in now.memory.values()))
    money = "" if spent is None else f" (about ${spent:.2f})"
    doubt = (
        "" if now.certain and now.utilization is not None else "; whether it works cannot be told for sure"
    )
    return f"holds {held} and has been idle for {duration(idle)}{money}{doubt}"
