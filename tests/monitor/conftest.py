"""What the tests of the monitor share: a fake driver, and processes that hold its memory."""

import ctypes
import subprocess
import sys
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path.append(str(TESTS / "fake_nvml"))
sys.path.append(str(TESTS / "monitor"))


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory):
    """Yield the compiled fake driver library."""
    from driver import COMPILER, build

    if COMPILER is None:
        pytest.skip("no C compiler to build the fake driver with")
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def driver(nvml_library, tmp_path):
    """Yield a fake driver without GPUs; it is not written yet."""
    from driver import Driver

    return Driver(tmp_path / "nvml", nvml_library)


@pytest.fixture
def nvml(driver, monkeypatch):
    """Yield the real pynvml over the fake driver, in this process."""
    pynvml = pytest.importorskip("pynvml")
    for name, value in driver.environ.items():
        if name == "FAKE_NVML":
            monkeypatch.setenv(name, value)
    # The dynamic linker answers the binding's own call with the library that has this name already.
    ctypes.CDLL(str(driver.library))
    return pynvml


@pytest.fixture
def sleepers():
    """Yield a factory of processes that do nothing; they end with the test."""
    started = []

    def start():
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def eventually():
    """Yield a way to wait for something to become true."""

    def wait(question, seconds=30.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = question()
            if answer:
                return answer
            time.sleep(0.02)
        return question()

    return wait
