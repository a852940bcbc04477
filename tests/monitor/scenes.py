"""States of the panel, as the server would send them: the golden JSON is made from these, by running this file."""

import json
from dataclasses import replace
from pathlib import Path

from lean_magic.monitor.probe_client import Report
from lean_magic.monitor.protocol import (
    Cached,
    Countdown,
    Gpu,
    Guard,
    Holding,
    Kernel,
    Other,
    Point,
    Sample,
    Saved,
    Savings,
    Slice,
    State,
    Status,
    to_wire,
)
from lean_magic.monitor.sentences import gpu_message, status_of

NOW = 1_790_000_000.0
MIB = 1 << 20
GIB = 1 << 30
H100 = ("GPU-5a1c0e6e-0000-4000-8000-000000000000", "GPU-5a1c0e6e-0000-4000-8000-000000000001")
SLICES = ("MIG-7d0a2f10-0000-4000-8000-000000000001", "MIG-7d0a2f10-0000-4000-8000-000000000002")
TRAIN, EMBED, SCRATCH = (
    "0a8f1b9e-6d3c-4c57-9a53-0d2f4c1b7e01",
    "1b9e2c0f-7e4d-4d68-8b64-1e305d2c8f02",
    "2c0f3d10-8f5e-4e79-9c75-2f416e3d9003",
)

GUARD = Guard(
    notice_seconds=600.0,
    warn_seconds=1800.0,
    warn_dollars=0.5,
    stop=False,
    stop_seconds=3600.0,
    countdown_seconds=300.0,
)
SAVINGS = Savings(today=Saved(11520.0, 12.6, 41), total=Saved(402_310.5, 301.75, 1288))
NOTHING_SAVED = Savings(today=Saved(0.0, None, 0), total=Saved(0.0, None, 0))


def points(loads, memory, power):
    """Return one point for each load, two seconds apart, the last one now."""
    first = 150 - len(loads)
    return tuple(
        Point(first + i + 1, NOW - 2.0 * (len(loads) - 1 - i), load, memory, power)
        for i, load in enumerate(loads)
    )


def gpu(index, **changes):
    """Return an H100 that works hard."""
    usual = Gpu(
        uuid=H100[index],
        index=index,
        name="NVIDIA H100 80GB HBM3",
        state="ok",
        message=None,
        utilization=87.0,
        memory_used=61 * GIB + 400 * MIB,
        memory_total=80 * GIB,
        unified=False,
        power=412.3,
        power_limit=700.0,
        temperature=62.0,
        energy=123_456.0,
        price_per_hour=3.99,
        mig=None,
        history=points((81.0, 90.0, 86.0, 87.0), 61 * GIB + 400 * MIB, 412.3),
    )
    return replace(usual, **changes)


def kernel(kernel_id, path, **changes):
    """Return a kernel that holds nothing."""
    usual = Kernel(
        kernel_id=kernel_id,
        path=path,
        name=path.rpartition("/")[2] if path else "Python 3 (ipykernel)",
        execution_state="idle",
        remote=False,
        idle_seconds=4.0,
        idle_since=NOW - 4.0,
        verdict="keep",
        reason="holds no GPU memory",
        cost_per_hour=None,
        cost=None,
        idle_cost=None,
        pinned=False,
        snoozed_until=None,
        culled_in=None,
        reports=True,
        cached=None,
        releasable_bytes=None,
        gpus=(),
    )
    return replace(usual, **changes)


def training():
    """Return a kernel that works."""
    return kernel(
        TRAIN,
        "train_reranker.ipynb",
        execution_state="busy",
        idle_seconds=None,
        idle_since=None,
        reason="at work",
        cost_per_hour=1.9,
        cost=0.38,
        cached=Cached(2, 7, 725.0),
        releasable_bytes=200 * MIB,
        gpus=(Holding(H100[0], 38 * GIB, 85.0, "pid"),),
    )


def holder(**changes):
    """Return a kernel that holds a GPU and does nothing."""
    usual = kernel(
        EMBED,
        "research/embed_corpus.ipynb",
        idle_seconds=2040.0,
        idle_since=NOW - 2040.0,
        verdict="warn",
        reason="holds 21.8 GiB and has been idle for 34 min (about $0.62)",
        cost_per_hour=1.09,
        cost=1.06,
        idle_cost=0.62,
        cached=Cached(9, 11, 40.0),
        releasable_bytes=9 * GIB + 307 * MIB,
        gpus=(Holding(H100[0], 21 * GIB + 820 * MIB, 0.0, "pid"),),
    )
    return replace(usual, **changes)


def scratching():
    """Return a kernel in a container, known only by what it says of itself."""
    return kernel(
        SCRATCH,
        "scratch/try it.ipynb",
        idle_seconds=240.0,
        idle_since=NOW - 240.0,
        reason="idle for 4 min",
        cost_per_hour=0.35,
        cost=0.02,
        idle_cost=0.02,
        reports=True,
        releasable_bytes=0,
        gpus=(Holding(H100[1], 7 * GIB, None, "self"),),
    )


def state(**changes):
    """Return two GPUs and three kernels."""
    usual = State(
        seq=150,
        time=NOW,
        status=Status("ok", "2 GPUs, driver 580.95.05", NOW - 300.0),
        guard=GUARD,
        savings=SAVINGS,
        gpus=(
            gpu(0),
            gpu(
                1,
                utilization=0.0,
                memory_used=7 * GIB + 210 * MIB,
                power=74.0,
                temperature=41.0,
                energy=22_000.0,
                history=points((12.0, 0.0, 0.0, 0.0), 7 * GIB + 210 * MIB, 74.0),
            ),
        ),
        kernels=(training(), holder(idle_seconds=240.0, idle_since=NOW - 240.0, verdict="keep",
                                    reason="idle for 4 min", idle_cost=0.07), scratching()),
        other=(Other(H100[0], 1 * GIB + 604 * MIB), Other(H100[1], 210 * MIB)),
        history=tuple(
            Sample(147 + i, NOW - 2.0 * (3 - i), 3.34,
                   {TRAIN: 38 * GIB, EMBED: 21 * GIB + 820 * MIB, SCRATCH: 7 * GIB})
            for i in range(4)
        ),
    )  # fmt: skip
    return replace(usual, **changes)


def empty(status, detail=""):
    """Return a state without GPUs, with one kernel."""
    only = kernel(SCRATCH, "scratch/try it.ipynb", reports=False)
    return state(
        status=status_of(Report(status, NOW - 38.0, detail)), gpus=(), other=(), kernels=(only,),
        history=(Sample(150, NOW, None, {}),), savings=NOTHING_SAVED,
    )  # fmt: skip


def mig():
    """Return one GPU cut in slices, a kernel on one of them."""
    slices = (
        Slice(SLICES[0], "1g.10gb", 7, 0, None, 3 * GIB, 9 * GIB + 768 * MIB, 1 / 7),
        Slice(SLICES[1], "2g.20gb", 3, 0, None, 100 * MIB, 19 * GIB + 512 * MIB, 2 / 7),
    )
    holding = holder(
        verdict="keep", reason="idle for 4 min; its load cannot be told, so it is never stopped automatically",
        idle_seconds=240.0, idle_since=NOW - 240.0, cost_per_hour=0.57, cost=0.04, idle_cost=0.04,
        gpus=(Holding(SLICES[0], 3 * GIB, None, "pid"),),
    )  # fmt: skip
    cut = gpu(
        0, utilization=None, memory_used=3 * GIB + 100 * MIB, power=96.0, mig=slices, energy=None,
        history=points((None, None), 3 * GIB + 100 * MIB, 96.0),
    )  # fmt: skip
    return state(
        status=Status("ok", "1 GPU, driver 580.95.05", NOW - 300.0), gpus=(cut,), kernels=(holding,),
        other=(Other(SLICES[1], 100 * MIB),), history=(Sample(150, NOW, 0.57, {EMBED: 3 * GIB}),),
    )  # fmt: skip


def lost():
    """Return two GPUs, one of which fell off the bus, and one that shares the machine's memory."""
    gone = gpu(
        0, state="lost", message="This GPU has fallen off the bus; the machine needs a restart.", utilization=None,
        memory_used=None, memory_total=None, power=None, power_limit=None, temperature=None, energy=None,
        history=points((None,), None, None),
    )  # fmt: skip
    shared = gpu(
        1, name="NVIDIA GB10", unified=True, utilization=35.0, memory_used=40 * GIB, memory_total=119 * GIB, power=None,
        power_limit=None, price_per_hour=None, energy=None, history=points((35.0,), 40 * GIB, None),
    )  # fmt: skip
    quiet = kernel(
        EMBED, "research/embed_corpus.ipynb", reason="what it holds is not known", idle_seconds=2040.0,
        idle_since=NOW - 2040.0, gpus=(Holding(H100[0], None, None, "pid"),),
    )  # fmt: skip
    return state(
        gpus=(gone, shared), kernels=(quiet,), other=(), history=(Sample(150, NOW, None, {EMBED: None}),)
    )


def counting_down():
    """Return an automatic stop that is on its way, beside a pinned and a snoozed kernel."""
    stop = holder(
        verdict="stop", reason="holds 21.8 GiB and has been idle for 1 h 1 min (about $1.11)", idle_seconds=3660.0,
        idle_since=NOW - 3660.0, idle_cost=1.11,
    )  # fmt: skip
    countdown = Countdown(EMBED, "embed_corpus.ipynb", NOW + 240.0, 240.0, stop.reason)
    pinned = replace(training(), execution_state="idle", idle_seconds=4000.0, idle_since=NOW - 4000.0, idle_cost=2.1,
                     reason="pinned", pinned=True)  # fmt: skip
    snoozed = replace(scratching(), idle_seconds=2400.0, idle_since=NOW - 2400.0, idle_cost=0.23,
                      reason="snoozed for 20 min", snoozed_until=NOW + 1200.0)  # fmt: skip
    return state(guard=replace(GUARD, stop=True), kernels=(pinned, stop, snoozed), countdowns=(countdown,))


def elsewhere():
    """Return a server without a GPU whose kernels run on another machine."""
    return replace(empty("driver_missing"), kernels=(
        kernel(TRAIN, "train_reranker.ipynb", execution_state="busy", remote=True, reports=False, idle_seconds=None,
               idle_since=None, reason="runs on another machine; what it holds there is not known"),
        kernel(SCRATCH, "scratch/try it.ipynb", remote=True, reports=False,
               reason="runs on another machine; what it holds there is not known"),
    ))  # fmt: skip


def laptop():
    """Return a GPU that is powered down, and nobody who holds it."""
    asleep = gpu(
        0, name="NVIDIA GeForce RTX 4060 Laptop GPU", state="asleep", message=gpu_message("asleep"), utilization=None,
        memory_used=None, memory_total=None, power=None, power_limit=None, temperature=None, energy=None,
        price_per_hour=None, history=(),
    )  # fmt: skip
    status = status_of(Report("ok", NOW - 300.0, line={"gpus": [0], "driver": "580.95.05"}))
    return state(
        status=status,
        gpus=(asleep,),
        kernels=(),
        other=(),
        history=(Sample(150, NOW, None, {}),),
        savings=NOTHING_SAVED,
    )


def scenes():
    """Return all scenes, by the name of their golden file."""
    return {
        "two_gpus_three_kernels": state(),
        "idle_warning": state(kernels=(training(), holder(), scratching())),
        "countdown": counting_down(),
        "mig": mig(),
        "lost_and_unified": lost(),
        "laptop": laptop(),
        "elsewhere": elsewhere(),
        "no_gpu": empty("no_gpu"),
        "driver_missing": empty("driver_missing"),
        "driver_not_loaded": empty("driver_not_loaded"),
        "driver_mismatch": empty("driver_mismatch", "570.86.15 is loaded, 580.95.05 is installed"),
        "no_permission": empty("no_permission"),
        "bindings_missing": empty("bindings_missing"),
        "probe_failed": empty("probe_failed", "it ended with status -11"),
        "driver_hanging": state(status=status_of(Report("driver_hanging", NOW - 38.0)), history=()),
        "starting": empty("starting"),
    }


if __name__ == "__main__":  # writes the golden files anew
    folder = Path(__file__).parents[1] / "golden" / "wire"
    for name, scene in scenes().items():
        (folder / f"{name}.json").write_text(
            json.dumps(to_wire(scene), indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
