"""Who holds what inside and outside of containers, on each behaviour that drivers have there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lean_magic.monitor.holders import Holders
from lean_magic.monitor.kernels import KernelInfo
from lean_magic.monitor.processes import Proc

GIB = 1 << 30
MIB = 1 << 20
TESTS = Path(__file__).parents[1]


def kernel(kernel_id, pid, reserved=None, uuid="g", namespace=None, inner=None):
    """Return a kernel; with `reserved` it reports that."""
    report = {
        "version": 1,
        "pid": inner or pid,
        "namespace": namespace,
        "gpus": [] if reserved is None else [{"uuid": uuid, "reserved": reserved, "allocated": 0}],
    }
    return KernelInfo(
        kernel_id=kernel_id, path=None, name=kernel_id, execution_state="idle", busy=False, executions=0,
        last_activity=None, pid=pid, culled_in=None, report=report if reserved is not None else None,
    )  # fmt: skip


def gpu(*processes, loads=None):
    """Return what the probe tells of a GPU with these (number, bytes)."""
    listed = [{"uuid": "g", "pid": pid, "memory_used": memory} for pid, memory in processes]
    return {"uuid": "g", "processes": listed, "loads": loads}


class Contained(Proc):
    """A /proc as in a container."""

    def is_first_namespace(self):
        """Return that numbers of processes here are not the machine's."""
        return False


def told(found, kernel_id="k"):
    """Return (bytes, load, evidence) of what a kernel holds."""
    return [(one.memory_used, one.utilization, one.evidence) for one in found.assignment.holdings[kernel_id]]


def test_on_the_machine_itself(sleepers):
    """Outside of containers a number is a number."""
    child = sleepers()
    found = Holders().find([gpu((child.pid, GIB), loads={str(child.pid): 30})], [kernel("k", child.pid)])
    assert told(found) == [(GIB, 30, "pid")]
    assert found.cpu_seconds["k"] is not None


def test_an_orphan_says_whose_it_is(sleepers, eventually):
    """A process that left the kernel's tree is known by what it inherited."""
    child = sleepers()
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, "LEAN_MAGIC_KERNEL_ID": "k"}
    )
    try:
        assert eventually(lambda: Proc().marker(stray.pid) == "k")
        found = Holders().find([gpu((stray.pid, GIB))], [kernel("k", child.pid)])
        assert told(found) == [(GIB, None, "pid")]
    finally:
        stray.kill()
        stray.wait()


def test_a_number_of_the_host_is_not_believed_in_a_container(sleepers):
    """In a container a number counts only with proof; the kernel's own word is a lower bound."""
    child = sleepers()
    holders = Holders(Contained())
    found = holders.find([gpu((child.pid, GIB), (999_999_999, GIB))], [kernel("k", child.pid, 300 * MIB)])
    assert told(found) == [(300 * MIB, None, "self")]


def test_steps_find_the_process(sleepers):
    """Over some samples the memory of a process of the host moves with the kernel's, which gives it away."""
    child, holders = sleepers(), Holders(Contained())
    for level in (500, 500, 900, 900, 700, 700, 1500, 1500, 1500, 1500):
        foreign = gpu((777_777_777, (level + 431) * MIB), (888_888_888, 5 * GIB), loads={"777777777": 12})
        found = holders.find([foreign], [kernel("k", child.pid, level * MIB)])
    assert told(found) == [((1500 + 431) * MIB, 12, "deltas")]


def test_a_kernel_in_a_container_seen_from_outside(sleepers):
    """A kernel that knows itself by another number in another namespace is found by that."""

    class Outside(Proc):
        def is_first_namespace(self):
            """Return that this is the machine."""
            return True

        def namespace(self, pid):
            """Return a container's namespace for the child."""
            return (4242, 17) if pid == child.pid else (1, pid)

    child = sleepers()
    here = kernel("k", 2**22 + 1, 300 * MIB, namespace=4242, inner=17)
    found = Holders(Outside()).find([gpu((child.pid, GIB))], [here])
    assert told(found) == [(GIB, None, "nspid")]


class Counted(Proc):
    """A /proc that counts how often all of it is read."""

    reads = 0

    def all(self):
        """Read all."""
        self.reads += 1
        return super().all()


def test_all_processes_are_read_now_and_then(sleepers):
    """With every sample only kernels and what is on GPUs is read; all there is when somebody new is there, or in time."""
    now, proc = [0.0], Counted()
    holders = Holders(proc, lambda: now[0])
    first, second = sleepers(), sleepers()

    def look(*on_gpu, kernels=(first,)):
        now[0] += 2.0
        held = gpu(*((pid, GIB) for pid in on_gpu))
        return holders.find([held], [kernel(str(one.pid), one.pid) for one in kernels])

    for _ in range(3):
        assert told(look(first.pid, 999_999_999), str(first.pid)) == [(GIB, None, "pid")]
    assert proc.reads == 1  # the number of somebody elsewhere does not lead to looking for him each time
    found = look(first.pid, second.pid)
    assert (proc.reads, [one.pid for one in found.assignment.unmatched]) == (2, [second.pid])
    assert told(look(first.pid, second.pid, kernels=(first, second)), str(second.pid)) == [(GIB, None, "pid")]
    assert proc.reads == 3
    for _ in range(5):
        found = look(first.pid, kernels=(first, second))
    assert proc.reads == 4
    assert found.cpu_seconds[str(second.pid)] is not None
    second.kill()
    second.wait()
    assert look(kernels=(first, second)).cpu_seconds[str(second.pid)] is None


INSIDE = """
import json, os, pathlib, subprocess, sys, time
import pynvml
sys.path[:0] = [{tests!r} + "/monitor", {tests!r} + "/fake_nvml"]
from driver import Driver
from test_containers import kernel
from lean_magic.monitor.devices import Devices
from lean_magic.monitor.holders import Holders
folder = pathlib.Path({folder!r})
device = folder / "dev" / "nvidia-uvm"
device.parent.mkdir()
device.touch()
child = subprocess.Popen([sys.executable, "-c", f"file = open({{str(device)!r}}); import time; time.sleep(60)"])
time.sleep(0.5)
driver = Driver(folder / "nvml", folder)
uuid = driver.gpu()
driver.regime, driver.offset = {regime!r}, 100_000
driver.process(child.pid, {size}, sm=25)
driver.process(77, {size}, sm=50, foreign=1)
driver.write()
devices = Devices(pynvml)
devices.open()
found = Holders().find(devices.sample(), [kernel("k", child.pid, {reported}, uuid)])
held = found.assignment.holdings["k"]
print(json.dumps([[one.memory_used, one.utilization, one.evidence] for one in held]))
child.kill()
"""


@pytest.mark.parametrize(
    ("regime", "held"),
    [
        (
            "all",
            [300 * MIB, None, "self"],
        ),  # the host's numbers, of everybody: only the kernel's word is left
        ("zero", [300 * MIB, None, "self"]),  # its own numbers without memory
        ("mixed", [GIB, None, "pid"]),  # its own numbers; the loads are the host's
        ("own", [GIB, 25.0, "pid"]),
    ],
)
def test_in_a_real_namespace(nvml_library, tmp_path, regime, held):
    """In a namespace of its own a kernel is found as well as the driver there allows, and never wrongly."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("no right to make a namespace for processes here")
    pytest.importorskip("pynvml")
    code = INSIDE.format(tests=str(TESTS), folder=str(tmp_path), regime=regime, size=GIB, reported=300 * MIB)
    environ = {
        **os.environ, "LD_LIBRARY_PATH": str(nvml_library.parent), "FAKE_NVML": str(tmp_path / "nvml"),
        "PYTHONPATH": str(TESTS.parent),
    }  # fmt: skip
    told = subprocess.run(
        [unshare, "--pid", "--fork", "--mount-proc", sys.executable, "-c", code], env=environ, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout) == [held]
