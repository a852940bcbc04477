"""Processes as /proc tells of them."""

import os
import subprocess
import sys

from lean_magic.monitor.processes import MARKER, Proc

PROC = Proc()


def test_a_tree_holds_children_and_their_children(eventually):
    """A kernel's processes are it, its children, and what those started."""
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        assert eventually(lambda: len(PROC.all().of(child.pid)) == 2)
        assert PROC.all().of(child.pid) < PROC.all().of(os.getpid())
        assert os.getpid() in PROC.all().lineage(child.pid)
    finally:
        os.killpg(child.pid, 9)
        child.wait()


def test_an_orphan_stays_in_its_session(eventually):
    """A process whose parent has ended still belongs to the kernel that leads its session."""
    orphan = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    code = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {orphan!r}]); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        assert eventually(lambda: [
            one.pid
            for one in map(PROC.all().by_pid.get, PROC.all().of(child.pid))
            if one and one.pid != child.pid and one.parent not in PROC.all().of(child.pid)
        ])  # fmt: skip
    finally:
        os.killpg(child.pid, 9)
        child.wait()


def test_processor_time_grows():
    """Processor time of a tree is told in seconds; that of processes that are not there is not known."""
    before = PROC.all().cpu_seconds(frozenset({os.getpid()}))
    sum(range(20_000_000))
    assert PROC.all().cpu_seconds(frozenset({os.getpid()})) > before
    assert PROC.all().cpu_seconds(frozenset({2**22 + 5})) is None


def test_the_marker_is_inherited(eventually):
    """A child says in its environment which kernel it comes from."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, MARKER: "kernel 7"}
    )
    try:
        assert eventually(lambda: PROC.marker(child.pid) == "kernel 7")
        assert PROC.marker(2**22 + 5) is None
    finally:
        child.kill()
        child.wait()


def test_an_open_device_is_seen(tmp_path):
    """A process that has a GPU's device open is known by that."""
    device = tmp_path / "dev" / "nvidia-uvm"
    device.parent.mkdir()
    device.touch()
    assert not PROC.has_gpu_open(os.getpid())
    with device.open():
        assert PROC.has_gpu_open(os.getpid())


def test_namespaces():
    """A process's own namespace, and its number in there, are told."""
    assert PROC.namespace(os.getpid())[1] == os.getpid()
    assert PROC.namespace(2**22 + 5) is None


def test_no_proc_folder(tmp_path):
    """Where there is no /proc a kernel is its one process, and nothing else is known."""
    proc = Proc(tmp_path / "none")
    assert proc.all().of(5) == {5}
    assert proc.all().cpu_seconds(frozenset({5})) is None
    assert not proc.is_first_namespace()
