"""What goes over the wire: the JSON of `GET lean-magic/api/state`, as records.

Units are bytes, watts, per cent, degrees Celsius, joules, seconds and US dollars; moments are seconds since the epoch.
What is not known is null, never 0. Money and energy are estimates, wherever they stand.

VERSION rises when a member changes its meaning or goes away; members may be added without that, so a reader passes
over the ones it does not know. The files in `tests/golden/wire/` show the whole; Python and TypeScript read both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal

__all__ = [
    "VERSION",
    "Cached",
    "Countdown",
    "Gpu",
    "Guard",
    "Holding",
    "Kernel",
    "Other",
    "Point",
    "Sample",
    "Saved",
    "Savings",
    "Slice",
    "State",
    "Status",
    "to_wire",
]

VERSION = 1

StatusState = Literal[
    "ok",
    "starting",  # the probe has not answered yet
    "no_gpu",  # the driver answers, and knows no GPU
    "driver_missing",  # there is no NVIDIA driver library
    "driver_not_loaded",  # the library is there, its kernel module is not
    "driver_mismatch",  # library and kernel module are of different versions
    "no_permission",  # this user may not ask the driver
    "driver_hanging",  # the driver was asked and has not answered
    "bindings_missing",  # nvidia-ml-py is not installed
    "probe_failed",  # the probe process ends again and again
]
GpuState = Literal[
    "ok", "asleep", "lost", "reset_required", "failed"
]  # asleep: powered down, and not woken to ask
Verdict = Literal["keep", "notice", "warn", "stop"]
Evidence = Literal[
    "pid",  # a process of the kernel, by its number
    "nspid",  # a process of a kernel in a container, by its number in there
    "deltas",  # memory that went up and down together with what the kernel reported
    "single",  # the only kernel and the only process left on that GPU
    "self",  # what the kernel itself says: a lower bound
]


@dataclass(frozen=True, slots=True)
class Status:
    """How the driver is: `message` is one sentence for the screen, `since` the moment this state began."""

    state: StatusState
    message: str
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One GPU at one sample: load in per cent, memory in bytes, power in watts."""

    seq: int
    time: float
    utilization: float | None
    memory_used: int | None
    power: float | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A MIG instance. `name` is its profile, as "1g.10gb"; `share` its part of the GPU, from 0 to 1."""

    uuid: str
    name: str
    gpu_instance: int | None
    compute_instance: int | None
    utilization: float | None  # per cent; told from Hopper on
    memory_used: int | None
    memory_total: int | None
    share: float | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU now, and its points since the sample that the client asked for."""

    uuid: str
    index: int
    name: str
    state: GpuState
    message: str | None  # one sentence for the screen where `state` is not "ok"
    utilization: float | None  # per cent of the time that some kernel ran
    memory_used: int | None  # bytes; of the machine where `unified`
    memory_total: int | None
    unified: bool  # whether GPU and machine share one memory
    power: float | None  # watts
    power_limit: float | None  # watts
    temperature: float | None  # degrees Celsius
    energy: float | None  # joules since the panel began to look; an estimate
    price_per_hour: float | None  # dollars for the whole GPU; an estimate
    mig: tuple[Slice, ...] | None  # null where MIG is off
    history: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """What a kernel holds on one GPU or MIG instance, and what this is known by.

    `memory_used` is null where the process is there and its memory is not told. Evidence "self" makes it a lower bound.
    """

    uuid: str
    memory_used: int | None
    utilization: float | None
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Cached:
    """How much of a notebook would come back from the cache: cells stored, cells run, seconds that a restart takes."""

    hit_cells: int
    cells: int
    restart_seconds: float | None


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel, its notebook, and the verdict on its idleness."""

    kernel_id: str
    path: str | None  # of the notebook, from the server's root; null for a kernel without one
    name: str  # for the screen: the notebook's file name, else the kernel's display name
    execution_state: str  # Jupyter's word: "idle", "busy", "starting", …
    remote: bool  # its processes are not on this machine
    idle_seconds: float | None  # without user's work on processor and GPU; null while at work
    idle_since: float | None  # the moment; a warning is one for each (kernel_id, idle_since)
    verdict: Verdict
    reason: str  # one sentence for the screen
    cost_per_hour: float | None  # dollars for what it holds; an estimate
    cost: float | None  # dollars since it first held a GPU; an estimate
    idle_cost: float | None  # dollars since `idle_since`; an estimate
    pinned: bool
    snoozed_until: float | None
    culled_in: float | None  # seconds until Jupyter's own culling ends it; null where that is off
    reports: bool  # whether lean_magic is loaded in it, so that it can give back cache and run its hooks
    cached: Cached | None
    releasable_bytes: int | None  # reserved by the allocator, allocated to nothing
    gpus: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """Memory on one GPU or MIG instance that no kernel here holds."""

    uuid: str
    memory_used: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What hits of the cache saved."""

    seconds: float
    dollars: float | None
    hits: int


@dataclass(frozen=True, slots=True)
class Savings:
    """What hits saved since midnight, and since the ledger began."""

    today: Saved
    total: Saved


@dataclass(frozen=True, slots=True)
class Countdown:
    """An automatic stop that is on its way; any client cancels it by snoozing or pinning the kernel."""

    kernel_id: str
    name: str
    ends_at: float
    seconds_left: float
    reason: str


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule in force: seconds of idleness, and dollars of it, until each step."""

    notice_seconds: float
    warn_seconds: float
    warn_dollars: float | None
    stop: bool  # whether kernels are stopped automatically
    stop_seconds: float
    countdown_seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One earlier sample: dollars an hour of all kernels, and bytes held by each kernel."""

    seq: int
    time: float
    cost_per_hour: float | None
    kernels: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class State:
    """All that the panel shows. `seq` is the number of the newest sample: ask for `?since=` it the next time."""

    seq: int
    time: float
    status: Status
    guard: Guard
    savings: Savings
    gpus: Sequence[Gpu] = ()
    kernels: Sequence[Kernel] = ()
    other: Sequence[Other] = ()
    countdowns: Sequence[Countdown] = ()
    history: Sequence[Sample] = field(default=())  # samples after `since`, oldest first


def to_wire(state: State) -> dict[str, Any]:
    """Return the state as the JSON object that clients get."""
    return {"version": VERSION, **_plain(state)}


def _plain(value: Any) -> Any:
    # Like `dataclasses.asdict`, in a quarter of its time: nothing is copied that cannot change.
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _names(type(value))}
    return [_plain(one) for one in value] if isinstance(value, tuple | list) else value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))
