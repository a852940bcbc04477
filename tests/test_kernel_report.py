"""What a kernel tells about itself: its memory without ever starting CUDA, its cells, its answers."""

import os
import subprocess
import sys
import types
from types import SimpleNamespace

import pytest

from lean_magic import kernel_report, report_files, shutdown_hooks
from lean_magic.kernel_report import Cells, Reporter, gpu_memory
from lean_magic.ledger import Ledger, Record

MIB = 1 << 20


class Cuda:
    """What torch offers, and the calls that were made of it."""

    def __init__(self, initialized=True):
        self.calls = []
        self._initialized = initialized
        self.reserved = [600 * MIB, 0]

    def is_initialized(self):
        """Return whether there is a context."""
        return self._initialized

    def device_count(self):
        """Return the number of GPUs."""
        self.calls.append("device_count")
        return len(self.reserved)

    def memory_reserved(self, index):
        """Return what the allocator reserved."""
        return self.reserved[index]

    def memory_allocated(self, index):
        """Return what of it is in use."""
        return self.reserved[index] // 3

    def get_device_properties(self, index):
        """Return a GPU's name; this would start CUDA."""
        self.calls.append("get_device_properties")
        return SimpleNamespace(uuid=f"5a1c0e6e-0000-4000-8000-{index:012d}")

    def empty_cache(self):
        """Give back what is not in use."""
        self.calls.append("empty_cache")
        self.reserved = [reserved // 3 for reserved in self.reserved]


@pytest.fixture
def cuda(monkeypatch):
    """Yield a torch that has started CUDA."""
    cuda = Cuda()
    torch = types.ModuleType("torch")
    torch.cuda = cuda
    monkeypatch.setitem(sys.modules, "torch", torch)
    return cuda


def test_memory_of_each_gpu(cuda):
    """What torch holds is told by the GPU's UUID, as the driver spells it."""
    assert gpu_memory() == [
        {"uuid": "GPU-5a1c0e6e-0000-4000-8000-000000000000", "reserved": 600 * MIB, "allocated": 200 * MIB}
    ]


def test_cuda_is_never_started(cuda, monkeypatch):
    """Before the user's own code starts CUDA nothing is asked that would start it, nor is torch imported."""
    cuda._initialized = False
    assert gpu_memory() == []
    assert cuda.calls == []
    monkeypatch.delitem(sys.modules, "torch")
    assert gpu_memory() == []
    assert "torch" not in sys.modules


def test_a_half_imported_torch_is_left_alone(monkeypatch):
    """While torch is being imported there is nothing to ask."""
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    assert gpu_memory() == []


def ran(cells, code, cell_id="", success=True, store_history=True):
    """Tell of a cell that ran."""
    cells.begin(None)
    yield
    info = SimpleNamespace(raw_cell=code, cell_id=cell_id, store_history=store_history)
    cells.end(SimpleNamespace(success=success, info=info))


@pytest.fixture
def run(tmp_path):
    """Yield a way to let a cell run, with the line it writes to the ledger; and what is told then."""
    import time

    ledger = Ledger(tmp_path / "ledger.jsonl")
    cells = Cells(lambda: ledger)

    def run(code, cell_id="", outcome=None, seconds=0.0, took=0.0, **options):
        running = ran(cells, code, cell_id, **options)
        next(running)
        cells._began -= took
        if outcome:
            ledger.append(Record(time.time(), outcome, cell_id=cell_id, seconds=seconds).to_json())
        next(running, None)
        return cells.told()

    return run


def test_what_a_restart_would_take(run):
    """Cells that would come back count as cached; the others take the time that they took."""
    assert run("x = 1", "a", took=30) == {
        "hit_cells": 0,
        "cells": 1,
        "restart_seconds": pytest.approx(30, abs=0.1),
    }
    assert run("%%cached\ny = 2", "b", "miss", 100.0, took=100)["hit_cells"] == 1
    told = run("%%cached\nz = 3", "c", "hit", 2.5)
    assert told == {"hit_cells": 2, "cells": 3, "restart_seconds": pytest.approx(30 + 1 + 2.5, abs=0.2)}
    told = run("%%cached\nopen('f')", "d", "bypass", 5.0, took=5)
    assert (told["hit_cells"], told["cells"]) == (2, 4)


def test_a_cell_counts_once(run):
    """A cell that runs again takes the place of its earlier run."""
    run("%%cached\ny = 2", "b", "miss", 100.0, took=100)
    assert run("%%cached\ny = 2", "b", "hit", 0.5) == {"hit_cells": 1, "cells": 1, "restart_seconds": 0.5}


def test_what_does_not_count(run):
    """Failed, silent and empty cells are no part of the notebook's work."""
    assert run("1 / 0", "a", success=False) is None
    assert run("x", "b", store_history=False) is None
    assert run("  ", "c") is None


def shell():
    """Return a shell whose loop does at once what it is told."""
    events = SimpleNamespace(register=lambda *_: None, unregister=lambda *_: None)
    loop = SimpleNamespace(call_soon_threadsafe=lambda function, *args: function(*args))
    return SimpleNamespace(
        events=events, kernel=SimpleNamespace(io_loop=SimpleNamespace(asyncio_loop=loop)), config={}
    )


@pytest.fixture
def reporter(tmp_path, monkeypatch):
    """Yield a reporter that looks only when it is told."""
    monkeypatch.setattr(
        kernel_report, "LeanMagic", lambda parent: SimpleNamespace(ledger_file=tmp_path / "ledger")
    )
    return Reporter(shell(), tmp_path, "k7")


def test_the_report(reporter, tmp_path, cuda):
    """The report names the kernel, its process and what it holds, and is for this user alone."""
    reporter.beat()
    file = report_files.report_path(tmp_path, "k7")
    told = report_files.read(file)
    assert (told["version"], told["kernel_id"], told["pid"]) == (1, "k7", os.getpid())
    assert told["gpus"][0]["reserved"] == 600 * MIB
    assert file.stat().st_mode & 0o077 == 0


def test_nothing_new_is_not_written(reporter, tmp_path, cuda):
    """A report that says the same as the one before is not written again."""
    reporter.beat()
    file = report_files.report_path(tmp_path, "k7")
    first = file.stat().st_ino
    reporter.beat()
    assert file.stat().st_ino == first
    cuda.reserved[1] = MIB
    reporter.beat()
    assert len(report_files.read(file)["gpus"]) == 2


def test_cache_is_given_back(reporter, tmp_path, cuda):
    """Asked to, the kernel gives back what it reserved in vain, and answers."""
    request = report_files.request_path(tmp_path, "k7")
    report_files.write(request, {"id": "1", "action": "release"})
    reporter.beat()
    told = report_files.read(report_files.report_path(tmp_path, "k7"))
    assert told["answer"] == {"id": "1", "done": True}
    assert told["gpus"][0]["reserved"] == 200 * MIB
    assert not request.exists()


@pytest.mark.parametrize("request_", [{}, {"id": "1"}, {"id": "1", "action": "explode"}])
def test_an_odd_request_is_passed_over(reporter, tmp_path, request_):
    """What is not understood is not answered."""
    report_files.write(report_files.request_path(tmp_path, "k7"), request_)
    reporter.beat()
    assert report_files.read(report_files.report_path(tmp_path, "k7"))["answer"] is None


def test_hooks_run_once_and_all(monkeypatch):
    """The last registered runs first, each once; one that fails does not stop the others."""
    monkeypatch.setattr(
        shutdown_hooks, "_hooks", [lambda: None]
    )  # so that none is kept for this process's end
    told = []
    shutdown_hooks.on_shutdown(lambda: told.append("first"))
    shutdown_hooks.on_shutdown(lambda: 1 / 0)

    @shutdown_hooks.on_shutdown
    def last():
        told.append("last")

    assert shutdown_hooks.count() == 4
    with pytest.raises(ZeroDivisionError):
        shutdown_hooks.run()
    shutdown_hooks.run()
    assert told == ["last", "first"]


def test_hooks_run_when_the_process_ends_by_itself():
    """A kernel that ends in the ordinary way runs its hooks, too."""
    code = "import lean_magic; lean_magic.on_shutdown(lambda: print('bye'))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout == "bye\n"


def test_a_shell_without_a_kernel_reports_nothing():
    """In a terminal there is no sidebar to tell anything."""
    bare = SimpleNamespace()
    kernel_report.start(bare)
    kernel_report.stop(bare)
    assert not vars(bare).get("_lean_magic_report")
