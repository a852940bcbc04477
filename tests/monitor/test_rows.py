"""The rows of the panel: what a kernel's holdings cost, whether they matter, and what its load is known by."""

import pytest

from lean_magic.monitor.attribution import Assignment, GpuProcess
from lean_magic.monitor.choices import Choices
from lean_magic.monitor.gpus import Gpus, Place, cost_per_hour, places
from lean_magic.monitor.holders import Found
from lean_magic.monitor.kernels import KernelInfo
from lean_magic.monitor.protocol import Holding
from lean_magic.monitor.rows import Rows
from lean_magic.monitor.settings import LeanMagicServer

GIB = 1 << 30
MIB = 1 << 20
WHOLE = Place(used=40 * GIB, total=80 * GIB, price=4.0, utilization=0.0, is_slice=False)


def kernel(**changes):
    """Return a kernel with a notebook."""
    usual = {
        "kernel_id": "k", "path": "a/b.ipynb", "name": "b.ipynb", "execution_state": "idle", "busy": False,
        "executions": 1, "last_activity": 1000.0, "pid": 7, "culled_in": None, "report": None,
    }  # fmt: skip
    return KernelInfo(**(usual | changes))


@pytest.fixture
def rows(tmp_path):
    """Yield the maker of rows."""
    return Rows(LeanMagicServer(), Choices(tmp_path / "sidebar.json"), "/root")


def made(rows, holdings, time=1000.0, where=None, unmatched=(), cpu=0.0, **changes):
    """Return the row of a kernel that holds this."""
    found = Found(Assignment({"k": tuple(holdings)}, tuple(unmatched)), {"k": cpu})
    (row,) = rows.make(time, [kernel(**changes)], found, where or {"g": WHOLE}, LeanMagicServer().guard)
    return row


def test_dollars_add_up(rows):
    """What a kernel holds is charged from the first sample on, at the price of its share."""
    held = [Holding("g", 20 * GIB, 0.0, "pid")]
    assert made(rows, held).cost == 0.0
    row = made(rows, held, 1000.0 + 1800)
    assert (row.cost_per_hour, row.cost) == (1.0, 0.5)
    assert made(rows, [], 1000.0 + 3600).cost == 0.5


def test_what_has_no_price_has_no_cost(rows):
    """Where the price, or the size of what is held, is not known, there is no cost; not 0."""
    assert made(rows, [Holding("g", None, 0.0, "pid")]).cost_per_hour is None
    nameless = {"g": Place(GIB, 80 * GIB, None, 0.0, is_slice=False)}
    row = made(rows, [Holding("g", GIB, 0.0, "pid")], where=nameless)
    assert (row.cost_per_hour, row.cost, row.idle_cost) == (None, None, None)


def test_a_full_gpu_is_paid_by_its_holders():
    """Where too little is left for anybody, its holders pay for all of the GPU; who holds a slice pays for the slice."""
    full = {"g": Place(79 * GIB, 80 * GIB, 4.0, 0.0, is_slice=False)}
    assert cost_per_hour([Holding("g", 40 * GIB, None, "pid")], full, {"g": 80 * GIB}) == 2.0
    slices = {"s": Place(GIB, 10 * GIB, 0.5, None, is_slice=True)}
    assert cost_per_hour([Holding("s", MIB, None, "pid")], slices, {"s": MIB}) == 0.5


@pytest.mark.parametrize(
    ("memory", "total", "much"),
    [
        (300 * MIB, 80 * GIB, False),
        (GIB, 80 * GIB, False),
        (2 * GIB, 80 * GIB, True),
        (600 * MIB, 8 * GIB, True),
        (400 * MIB, 700 * MIB, True),
    ],
)
def test_what_is_worth_a_warning(rows, memory, total, much):
    """Half a gigabyte or two per cent of a GPU, whichever is more, is worth a warning; of a small slice, half of it."""
    where = {"g": Place(memory, total, 1.0, 0.0, is_slice=False)}
    told = made(rows, [Holding("g", memory, 0.0, "pid")], where=where)
    assert ("holds no GPU memory" not in told.reason) == much


def test_the_load_of_a_lonely_holder_is_the_gpus(rows):
    """Where the driver tells no load of processes, the GPU's own counts for who is alone on it, and for nobody else."""
    alone = [Holding("g", 20 * GIB, None, "pid")]
    for second in range(0, 4000, 10):
        row = made(rows, alone, 1000.0 + second)
    assert "cannot be told" not in row.reason
    for second in range(4000, 4100, 10):
        row = made(rows, alone, 1000.0 + second, unmatched=[GpuProcess("g", 99, GIB)])
    assert "whether it works cannot be told for sure" in row.reason


def test_figures_from_before_a_hang_stop_nobody(rows):
    """While the driver does not answer, what it said before is shown, and leads to no stop."""
    from dataclasses import replace

    guard = replace(LeanMagicServer().guard, stop=True)
    held = Found(Assignment({"k": (Holding("g", 20 * GIB, 0.0, "pid"),)}, ()), {"k": 0.0})
    for is_current, verdict in ((True, "stop"), (False, "warn")):
        for second in range(0, 4000, 10):
            (row,) = rows.make(1000.0 + second, [kernel()], held, {"g": WHOLE}, guard, is_current=is_current)
        assert (row.verdict, len(row.gpus)) == (verdict, 1)


def test_a_pause_is_no_work(rows):
    """Who looks again after hours sees for how long a kernel has been idle, and what all of that time cost."""
    held = Found(Assignment({"k": (Holding("g", 20 * GIB, 0.0, "pid"),)}, ()), {"k": 0.0})
    nobody, guard = Found(Assignment({"k": ()}, ()), {"k": 0.0}), LeanMagicServer().guard
    for second in (0, 10, 20):
        rows.make(1000.0 + second, [kernel()], held, {"g": WHOLE}, guard)
    rows.make(1000.0 + 7200, [kernel()], nobody, {}, guard, is_current=False)  # the driver is being asked
    for second in (7202, 7220):
        (row,) = rows.make(1000.0 + second, [kernel()], held, {"g": WHOLE}, guard)
    assert (row.verdict, row.idle_seconds) == ("warn", 7220)
    assert row.cost == pytest.approx(7220 / 3600)


def test_another_machine(rows):
    """A kernel whose processes are elsewhere is called remote, and nothing is said about what it holds."""
    row = made(rows, [], pid=None)
    assert (row.remote, row.verdict) == (True, "keep")
    assert "another machine" in row.reason


def test_a_report_is_shown(rows):
    """What a kernel tells of its cells and its allocator is in its row."""
    report = {
        "cached": {"hit_cells": 9, "cells": 11, "restart_seconds": 40.0},
        "gpus": [{"uuid": "g", "reserved": 5 * GIB, "allocated": 2 * GIB}],
    }
    row = made(rows, [], report=report)
    assert (row.cached.hit_cells, row.cached.cells, row.releasable_bytes) == (9, 11, 3 * GIB)
    assert (made(rows, []).cached, made(rows, []).releasable_bytes) == (None, None)


def test_choices_are_the_notebooks(rows, tmp_path):
    """A pin belongs to the notebook, so another kernel of the same notebook has it as well."""
    rows.choices.pin("/root/a/b.ipynb", pinned=True)
    assert made(rows, []).pinned
    assert not made(rows, [], path=None).pinned


def told_of(**changes):
    """Return what the probe tells of a GPU."""
    return {
        "uuid": "g", "index": 0, "name": "NVIDIA H100 80GB HBM3", "state": "ok", "utilization": 5, "memory_used": GIB,
        "memory_total": 80 * GIB, "unified": False, "power": 500.0, "power_limit": 700.0, "temperature": 40, "energy": None,
        "mig": None, "processes": [], "loads": {},
    } | changes  # fmt: skip


def test_prices_can_be_set():
    """A GPU costs its list price, one's own, or its electricity."""
    assert Gpus(LeanMagicServer()).show([told_of()], 0.0)[0].price_per_hour == 3.99
    assert Gpus(LeanMagicServer(price_per_hour=2.0)).show([told_of()], 0.0)[0].price_per_hour == 2.0
    mine = LeanMagicServer(price_per_hour={"H100": 1.5})
    assert Gpus(mine).show([told_of()], 0.0)[0].price_per_hour == 1.5
    assert Gpus(LeanMagicServer(price_per_kwh=0.3)).show([told_of()], 0.0)[0].price_per_hour == 0.15


def test_slices_are_places():
    """Of a cut GPU each instance is a place with its share of the price; the whole is none."""
    one = {
        "uuid": "s", "name": "1g.10gb", "gpu_instance": 1, "utilization": None, "compute_instance": 0, "memory_used": GIB,
        "memory_total": 10 * GIB, "share": 1 / 7,
    }  # fmt: skip
    where = places(Gpus(LeanMagicServer(price_per_hour=7.0)).show([told_of(mig=[one])], 0.0))
    assert list(where) == ["s"]
    assert where["s"].price == pytest.approx(1.0)
