"""The probe as a process: what it says, and what becomes of it when the driver does not start, hangs or dies."""

import os
import sys
import time

import pytest

from lean_magic.monitor import versions
from lean_magic.monitor.probe_client import ProbeClient

pytest.importorskip("pynvml")


@pytest.fixture
def probe(driver, monkeypatch):
    """Yield a factory of clients whose probes find the fake driver; they are stopped with the test."""
    started = []

    def start(**options):
        for name, value in driver.environ.items():
            monkeypatch.setenv(name, value)
        driver.write()
        options = {"interval": 0.1, "silence": 1.5, "back_off": (0.3, 0.3)} | options
        started.append(ProbeClient(**options))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


def pid_of(command="lean_magic.monitor.probe"):
    """Return the numbers of this process's children that are probes."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stat, open(f"/proc/{name}/cmdline") as line:
                parts = stat.read().rpartition(")")[2].split()
                if int(parts[1]) == os.getpid() and parts[0] != "Z" and command in line.read():
                    found.append(int(name))
        except OSError:
            continue
    return found


def test_samples_arrive(driver, probe, eventually):
    """Started, the probe tells all GPUs, and what changes arrives within moments."""
    driver.gpu(util=10)
    driver.gpu(util=20)
    client = probe()
    assert eventually(lambda: client.report.status == "ok")
    assert [gpu["utilization"] for gpu in client.report.line["gpus"]] == [10, 20]
    assert client.report.line["driver"] == "580.95.05"
    driver.gpus[0]["util"] = 99
    driver.write()
    assert eventually(lambda: client.report.line["gpus"][0]["utilization"] == 99)


def test_no_gpu(probe, eventually):
    """A driver without GPUs is no failure."""
    client = probe()
    assert eventually(lambda: client.report.status == "no_gpu")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("driver_not_loaded", "driver_not_loaded"),
        ("no_permission", "no_permission"),
        ("mismatch", "driver_mismatch"),
        ("unknown", "probe_failed"),
    ],
)
def test_each_failure_to_start_has_its_word(driver, probe, eventually, error, status):
    """Why the driver does not start is told, in a word for each cause."""
    driver.fail("nvmlInitWithFlags", error)
    client = probe()
    assert eventually(lambda: client.report.status == status)


def test_the_two_versions_of_a_mismatch(tmp_path):
    """Where library and module differ, both versions are found: in /proc, and in the name of the library's file."""
    (tmp_path / "driver" / "nvidia").mkdir(parents=True)
    (tmp_path / "self").mkdir()
    assert (versions.loaded(tmp_path), versions.installed(tmp_path)) == (None, None)
    (tmp_path / "driver" / "nvidia" / "version").write_text(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder@U22)\n"
        "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
    )
    (tmp_path / "self" / "maps").write_text(
        "7f00-7f01 r-xp 00000000 08:01 1  /usr/lib/libc.so.6\n"
        "7f02-7f03 r-xp 00000000 08:01 2  /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.580.95.05\n"
    )
    assert (versions.loaded(tmp_path), versions.installed(tmp_path)) == ("570.86.15", "580.95.05")


def test_no_driver_at_all(probe, eventually, monkeypatch, tmp_path):
    """Where there is no driver library, the probe says so."""
    client = probe()
    client.stop()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    client.start()
    assert eventually(lambda: client.report.status == "driver_missing")


def test_a_hanging_start_is_seen_and_mended(driver, probe, eventually):
    """A driver that hangs at its start is called so, and once it answers the figures come."""
    driver.gpu()
    driver.delay("nvmlInitWithFlags", 600)
    client = probe()
    assert eventually(lambda: client.report.status == "driver_hanging")
    driver.rules.clear()
    driver.write()
    assert eventually(lambda: client.report.status == "ok")


def test_a_hang_keeps_the_last_figures(driver, probe, eventually):
    """While the driver hangs, what it said last is still there, with its time."""
    driver.gpu(util=33)
    client = probe()
    assert eventually(lambda: client.report.status == "ok")
    driver.delay("nvmlDeviceGetUtilizationRates", 600)
    driver.write()
    assert eventually(lambda: client.report.status == "driver_hanging")
    assert client.report.line["gpus"][0]["utilization"] == 33
    assert client.report.heard < client.report.since <= time.time()


def test_a_probe_that_is_killed_comes_back(driver, probe, eventually):
    """A probe that dies is started again."""
    driver.gpu()
    client = probe()
    assert eventually(lambda: client.report.status == "ok")
    (first,) = pid_of()
    os.kill(first, 9)
    assert eventually(lambda: client.report.status == "probe_failed")
    assert eventually(lambda: client.report.status == "ok")
    assert pid_of() != [first]


def test_nothing_runs_after_stop(driver, probe, eventually):
    """Stopped, the probe's process ends."""
    driver.gpu()
    client = probe()
    assert eventually(lambda: client.report.status == "ok")
    client.stop()
    assert not client.running
    assert eventually(lambda: not pid_of())


def test_the_probe_ends_with_its_reader(driver, monkeypatch):
    """A probe whose server is gone ends by itself."""
    import subprocess

    driver.gpu()
    driver.write()
    process = subprocess.Popen(
        [sys.executable, "-m", "lean_magic.monitor.probe", "0.05"], stdout=subprocess.PIPE,
        env={**os.environ, **driver.environ},
    )  # fmt: skip
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 0


@pytest.mark.parametrize("text", ["raise ImportError('not here')", "nvmlInit = None"])
def test_no_binding_or_another_module_of_its_name(driver, probe, eventually, monkeypatch, tmp_path, text):
    """Where nvidia-ml-py is missing, or a module of another package has its name, the probe says so."""
    driver.gpu()
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "pynvml.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    client = probe()
    assert eventually(lambda: client.report.status == "bindings_missing")
    assert client.report.detail


def test_gpus_that_come_and_go(driver, probe, eventually):
    """A GPU that is plugged in or taken away is there, or gone, in the next samples."""
    driver.gpu()
    client = probe()
    assert eventually(lambda: client.report.status == "ok")
    driver.gpu(util=44)
    driver.write()
    assert eventually(lambda: len(client.report.line["gpus"]) == 2)
    assert client.report.line["gpus"][1]["utilization"] == 44
    driver.gpus.clear()
    driver.write()
    assert eventually(lambda: client.report.status == "no_gpu")


def test_a_driver_that_is_installed_later(driver, probe, eventually):
    """A driver that did not start is tried again, and found once it does."""
    driver.gpu()
    driver.fail("nvmlInitWithFlags", "driver_not_loaded")
    client = probe(command=(sys.executable, "-P", "-c", IMPATIENT))
    assert eventually(lambda: client.report.status == "driver_not_loaded")
    driver.rules.clear()
    driver.write()
    assert eventually(lambda: client.report.status == "ok")


IMPATIENT = """
import sys
from lean_magic.monitor import probe
probe._RETRY = 0.5
sys.exit(probe.main(sys.argv[1:]))
"""
