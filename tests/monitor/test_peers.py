"""Other tools read the same figures from the fake driver, so it is not only our own reading that it pleases."""

import json
import subprocess
import sys

import pytest

GIB = 1 << 30
MIB = 1 << 20


def asked(driver, code):
    """Run code in a process that finds the fake driver, and return the JSON that it prints."""
    import os

    environ = {**os.environ, **driver.environ}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.fixture
def busy(driver, sleepers):
    """Yield a driver of two GPUs with a process on each."""
    one, two = sleepers(), sleepers()
    driver.gpu(util=87, power=412_000, temp=62)
    driver.gpu(name="NVIDIA A40", total=48 * GIB, util=3, power=31_000, limit=300_000, temp=29)
    driver.process(one.pid, 6 * GIB, sm=80)
    driver.process(two.pid, GIB, gpu=1, sm=2)
    driver.write()
    return driver, [one.pid, two.pid]


OURS = """
import json, pynvml
from lean_magic.monitor.devices import Devices
devices = Devices(pynvml)
devices.open()
print(json.dumps([[gpu["name"], gpu["utilization"], gpu["memory_used"] >> 20, gpu["memory_total"] >> 20, gpu["power"], gpu["temperature"],
                   [[one["pid"], one["memory_used"] >> 20] for one in gpu["processes"]]] for gpu in devices.sample()]))
"""
NVITOP = """
import json
from nvitop import Device
print(json.dumps([[device.name(), device.gpu_utilization(), device.memory_used() >> 20, device.memory_total() >> 20,
                   device.power_usage() / 1000, device.temperature(),
                   [[pid, one.gpu_memory() >> 20] for pid, one in device.processes().items()]] for device in Device.all()]))
"""
GPUSTAT = """
import json, gpustat
print(json.dumps([[gpu.name, gpu.utilization, gpu.memory_used, gpu.memory_total, gpu.power_draw, gpu.temperature,
                   [[one["pid"], one["gpu_memory_usage"]] for one in gpu.processes]] for gpu in gpustat.new_query()]))
"""


def test_ours(busy):
    """We read what the driver was told."""
    driver, pids = busy
    assert asked(driver, OURS) == [
        ["NVIDIA H100 80GB HBM3", 87, 6 * 1024 + 500, 80 * 1024, 412, 62, [[pids[0], 6 * 1024]]],
        ["NVIDIA A40", 3, 1024 + 500, 48 * 1024, 31, 29, [[pids[1], 1024]]],
    ]


@pytest.mark.parametrize(("name", "code"), [("nvitop", NVITOP), ("gpustat", GPUSTAT)])
def test_peers_agree(busy, name, code):
    """Another tool, where it is installed, reads the same."""
    pytest.importorskip(name)
    driver, _ = busy
    assert asked(driver, code) == asked(driver, OURS)
