"""Leases: one computes, the others wait, and a holder that dies holds nothing."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from lean_magic.store import Leases

KEY = "ab" * 16
HOLD = """
import sys
from pathlib import Path
from lean_magic.store import Leases
lease = Leases(Path(sys.argv[1])).take(sys.argv[2])
print("has it" if lease is not None else "waits", flush=True)
sys.stdin.read()
if lease is not None:
    lease.close()
"""
FORKS = HOLD.replace(
    "sys.stdin.read()", "import os, time\nif os.fork() == 0:\n    time.sleep(60)\nsys.stdin.read()"
)


@pytest.fixture
def others(cache_dir):
    """Yield a factory of other processes that try to take the lease and hold it while their input is open."""
    started = []

    def start(source=HOLD, key=KEY):
        process = subprocess.Popen(
            [sys.executable, "-c", source, str(cache_dir), key],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "JPY_SESSION_NAME": "/home/ada/analysis.ipynb"},
        )  # fmt: skip
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        with_group(process)
        process.communicate()


def with_group(process):
    """End a process and all that it forked."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_one_has_it_and_others_wait(cache_dir, others):
    """While one process has the lease no other gets it; once it is closed the next one does."""
    process, said = others()
    assert said == "has it"
    assert others()[1] == "waits"
    assert Leases(cache_dir).take(KEY) is None
    process.communicate("")
    Leases(cache_dir).take(KEY).close()


def test_another_key_is_free(cache_dir, others):
    """A lease is of one key alone."""
    others()
    Leases(cache_dir).take("cd" * 16).close()


def test_holder_is_named(cache_dir, others):
    """Who waits learns for which notebook and process."""
    process, _ = others()
    holder = Leases(cache_dir).holder(KEY)
    assert holder.pid == process.pid
    assert holder.name == f"analysis.ipynb (process {process.pid})"


@pytest.mark.parametrize("source", [HOLD, FORKS], ids=["alone", "with a child that lives on"])
def test_killed_holder_holds_nothing(cache_dir, others, source):
    """A holder killed by the system is dead at once, even if a process that it forked lives on."""
    process, said = others(source)
    assert said == "has it"
    process.kill()
    process.wait()
    Leases(cache_dir).take(KEY).close()


def test_reading_the_holder_keeps_the_lease(cache_dir, others):
    """Asking who holds a lease, from the process that holds it too, does not lose it."""
    lease = Leases(cache_dir).take(KEY)
    assert Leases(cache_dir).holder(KEY).pid == os.getpid()
    assert others()[1] == "waits"
    lease.close()
    assert others()[1] == "has it"


def test_a_thread_that_has_it_does_not_wait_for_itself(cache_dir):
    """A cell met inside itself goes on; another thread of the process waits like another process."""
    leases, found = Leases(cache_dir), []
    lease = leases.take(KEY)
    assert leases.holds_any()
    inner = leases.take(KEY)
    inner.close()
    thread = threading.Thread(target=lambda: found.extend([leases.take(KEY), leases.holds_any()]))
    thread.start()
    thread.join()
    assert found == [None, False]
    lease.close()
    lease.close()
    assert not leases.holds_any()


def test_folder_that_cannot_be_used_binds_nobody(tmp_path):
    """Where no lease can be had everybody computes: slower, and never wrong."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert Leases(blocked).take(KEY) is not None
    assert not Leases(blocked).holds_any()


def test_closed_lease_leaves_no_file(cache_dir):
    """Leases do not pile up in the folder."""
    Leases(cache_dir).take(KEY).close()
    assert list((cache_dir / "leases").iterdir()) == []


def test_key_that_is_no_key_is_refused(cache_dir):
    """A key is a name of hex digits, never a path."""
    with pytest.raises(ValueError, match="hex"):
        Leases(cache_dir).take("../a")
