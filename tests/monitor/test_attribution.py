"""Whose memory it is, by evidence: the strongest counts, a doubt stays a doubt."""

import random

import pytest

from lean_magic.monitor.attribution import Candidate, GpuProcess, assign, loads_of, others
from lean_magic.monitor.protocol import Holding
from lean_magic.monitor.steps import StepMatcher

GIB = 1 << 30
MIB = 1 << 20


def assigned(processes, candidates, own=(), namespaces=None, steps=None):
    """Return the assignment of processes to kernels."""
    return assign(processes, candidates, own=own, namespaces=namespaces or {}, steps=steps or {})


def test_a_process_of_the_kernel():
    """A process of a kernel's tree, by a number that is proved to be ours, is the kernel's."""
    result = assigned([GpuProcess("g", 7, GIB, 40.0)], [Candidate("k", {5, 7}), Candidate("l", {9})], own={7})
    assert result.holdings == {"k": (Holding("g", GIB, 40.0, "pid"),), "l": ()}


def test_a_number_without_proof_is_not_believed():
    """A number that may be one of the host's is nobody's, though a kernel here has the same."""
    result = assigned([GpuProcess("g", 7, GIB)], [Candidate("k", {7})])
    assert result.holdings == {"k": ()}
    assert len(result.unmatched) == 1


def test_children_count_to_the_kernel():
    """What several processes of one kernel hold on a GPU is added up."""
    processes = [
        GpuProcess("g", 7, GIB, 70.0),
        GpuProcess("g", 8, 2 * GIB, 60.0),
        GpuProcess("h", 8, GIB, 1.0),
    ]
    result = assigned(processes, [Candidate("k", {7, 8})], own={7, 8})
    assert result.holdings["k"] == (
        Holding("g", 3 * GIB, 100.0, "pid"),
        Holding("h", GIB, 1.0, "pid"),
    )


def test_a_kernel_in_a_container():
    """A kernel in a container is found by its namespace and its number in there."""
    result = assigned([GpuProcess("g", 4711, GIB)], [Candidate("k", namespaces={(99, 12)})],
                      namespaces={4711: [(99, 40), (99, 12)]})  # fmt: skip
    assert result.holdings["k"] == (Holding("g", GIB, None, "nspid"),)


def test_steps_in_common():
    """A foreign process whose memory moves with a kernel's report is the kernel's."""
    result = assigned([GpuProcess("g", 4711, GIB)], [Candidate("k")], steps={("g", 4711): "k"})
    assert result.holdings["k"] == (Holding("g", GIB, None, "deltas"),)


def test_the_last_kernel_and_the_last_process():
    """One kernel that says to hold some of a GPU, and one process left on it, belong together."""
    result = assigned([GpuProcess("g", 4711, GIB, 3.0)], [Candidate("k", reported={"g": 400 * MIB})])
    assert result.holdings["k"] == (Holding("g", GIB, 3.0, "single"),)


@pytest.mark.parametrize(
    "processes",
    [
        [GpuProcess("g", 1, GIB), GpuProcess("g", 2, GIB)],
        [GpuProcess("g", 1, 100 * MIB)],  # less than the kernel says
        [GpuProcess("h", 1, GIB)],
        [],
    ],
)
def test_a_report_alone_is_a_lower_bound(processes):
    """Where no process can be told to be the kernel's, what it says of itself is shown as that."""
    result = assigned(processes, [Candidate("k", reported={"g": 400 * MIB})])
    assert result.holdings["k"] == (Holding("g", 400 * MIB, None, "self"),)


def test_a_driver_that_does_not_tell_memory():
    """A process without bytes is shown with what the kernel says, or as not known; never as 0."""
    process = [GpuProcess("g", 7, None, 5.0)]
    assert assigned(process, [Candidate("k", {7})], own={7}).holdings["k"] == (
        Holding("g", None, 5.0, "pid"),
    )
    known = assigned(process, [Candidate("k", {7}, reported={"g": GIB})], own={7})
    assert known.holdings["k"] == (Holding("g", GIB, 5.0, "self"),)


def test_loads_that_fit():
    """A listed process without a sample had no load; samples of others make all loads unknown."""
    assert loads_of([1, 2], {1: 30.0}) == {1: 30.0, 2: 0.0}
    assert loads_of([1, 2], {}) == {1: 0.0, 2: 0.0}
    assert loads_of([1, 2], {100_001: 30.0}) == {1: None, 2: None}
    assert loads_of([1, 2], None) == {1: None, 2: None}


def test_what_is_no_kernels():
    """The rest of a GPU's memory is other, unless it is too little to matter."""
    result = assigned([GpuProcess("g", 7, GIB), GpuProcess("g", 8, GIB)], [Candidate("k", {7})], own={7})
    assert others({"g": 3 * GIB, "h": 20 * MIB}, result) == {"g": 2 * GIB}
    assert others({"g": None}, result) == {"g": GIB}


def history(seed):
    """Return random histories: bytes reserved by each kernel, and of each foreign process, poll by poll."""
    pick = random.Random(seed)
    kernels = [f"k{index}" for index in range(pick.randint(2, 4))]
    reserved, overhead, stranger, rows = dict.fromkeys(kernels, GIB), {}, 3 * GIB, []
    for index, kernel in enumerate(kernels):
        overhead[kernel] = (index, pick.randint(200, 900) * MIB)
    for _ in range(12):
        for kernel in kernels:
            if pick.random() < 0.4:
                reserved[kernel] = max(0, reserved[kernel] + 2 * MIB * pick.randint(-300, 500))
        if pick.random() < 0.3:
            stranger += 2 * MIB * pick.randint(-100, 400)
        processes = {
            ("g", 1000 + index): reserved[kernel] + extra for kernel, (index, extra) in overhead.items()
        }
        rows.append(
            (processes | {("g", 999): stranger}, {("g", kernel): reserved[kernel] for kernel in kernels})
        )
    return rows


@pytest.mark.parametrize("late", [False, True])
def test_steps_never_name_the_wrong_kernel(late):
    """Over many histories most kernels are found by their steps, and none is confused with another."""
    right = wrong = 0
    for seed in range(100):
        matcher, before = StepMatcher(), None
        for processes, kernels in history(seed) + [history(seed)[-1]] * 3:
            matched = matcher.update(processes, before or kernels if late else kernels)
            before = kernels
        for (_, pid), kernel in matched.items():
            right += kernel == f"k{pid - 1000}"
            wrong += kernel != f"k{pid - 1000}"
    assert wrong == 0
    assert right > 150
