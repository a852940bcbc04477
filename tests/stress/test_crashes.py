"""Bad moments: kills at every write, a disk that is really full, another user, ten thousand entries."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def crashes(what, cache):
    """Run the program of crashes and return what it found."""
    command = [sys.executable, str(HERE / "crashes.py"), what, str(cache)]
    environ = {**os.environ, "LEAN_MAGIC_CACHE_DIR": str(cache)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_at_every_write(tmp_path):
    """Wherever a process is killed while it stores, the next one gives the right values."""
    found = crashes("points", tmp_path / "cache")
    assert found["wrong"] == []
    assert found["got through"]
    assert found["killed"] >= 10


def test_killed_at_random(tmp_path):
    """Workers on the same keys that are killed at random never make another one wrong, nor keep it waiting."""
    found = crashes("random", tmp_path / "cache")
    assert found["wrong"] == 0
    assert found["killed"] > 3


@pytest.fixture
def small_disk(tmp_path):
    """Yield a file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", folder], check=False)
    if done.returncode != 0:
        pytest.skip("this system does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=False)


def test_full_disk(shell, small_disk, monkeypatch):
    """On a disk that is full the cell runs, the line says so in words, and nothing half stands in the store."""
    monkeypatch.setenv("LEAN_MAGIC_CACHE_DIR", str(small_disk / "cache"))
    full = shell.run("%%cached\nimport os\nx = os.urandom(4_000_000)")
    assert full.kind == "bypass"
    assert "the disk is full" in full.outcome.reason
    assert len(shell.ns["x"]) == 4_000_000
    small = "%%cached\ny = [1] * 10"
    assert [shell.run(small).kind for _ in range(2)] == ["miss", "hit"]
    assert not list((small_disk / "cache").rglob("*.tmp"))


OTHER = """
import os, sys
import lean_magic
@lean_magic.cached
def f(x): return x + 1
f(0)  # whatever Python has to load is loaded while it may be read
os.setuid(65534)
os.environ["LEAN_MAGIC_CACHE_DIR"] = sys.argv[1]
print(f(1), type(lean_magic.last_outcome()).__name__)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_folder_of_another_user(tmp_path):
    """A cache that belongs to somebody else is neither read nor written; the call just runs."""
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o777)
    for folder in (cache, *cache.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    environ = {**os.environ, "LEAN_MAGIC_CACHE_DIR": str(tmp_path / "own")}
    command = [sys.executable, "-c", OTHER, str(cache)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout == "2 Bypass\n", done.stderr
    assert list(cache.iterdir()) == []


def test_entry_removed_while_it_is_mapped(shell):
    """Arrays of a hit go on living when their entry is deleted under them."""
    cell = "%%cached\nimport numpy as np\nx = np.arange(1_000_000)"
    shell.run(cell)
    del shell.ns["x"]
    assert shell.run(cell).kind == "hit"
    shell.run("%lean clear --yes")
    assert shell.run("s = int(x.sum())").error is None
    assert shell.ns["s"] == 499999500000


def test_clock_that_jumps(shell, monkeypatch):
    """An entry made in the future, as the clock now sees it, is right; with --ttl its age is unknown, so it is stale."""
    from lean_magic import clock

    now = clock.time
    monkeypatch.setattr(clock, "time", lambda: now() + 86400 * 365)
    plain, limited = "%%cached\nx = 1", "%%cached --ttl 1h\ny = 2"
    assert [shell.run(cell).kind for cell in (plain, limited)] == ["miss", "miss"]
    monkeypatch.setattr(clock, "time", now)
    assert [shell.run(cell).kind for cell in (plain, limited)] == ["hit", "miss"]


def test_ten_thousand_entries(cache_dir):
    """With ten thousand entries finding, listing, sizing and pruning go on working, and pruning keeps the best."""
    from lean_magic.store import LocalStore, eviction
    from lean_magic.store.manifest import Manifest

    store = LocalStore(cache_dir)
    for number in range(10_000):
        manifest = Manifest(
            family=f"{number % 100:032x}", key=f"{number:032x}", entry=f"{number:032x}", label="", cell_id="",
            source="", parts={}, observed={}, effects={}, seconds=float(number), created=1e9 + number, provenance={},
        )  # fmt: skip
        store.put(manifest, lambda file: {"n": file.write(b"x" * 100)})
    assert sum(1 for _ in store.list()) == 10_000
    assert len(store.get(f"{77:032x}", f"{77:032x}")) == 1
    size = store.size()
    gone = eviction.prune(store, [], size // 2, 1e9 + 20_000, ())
    assert store.size() <= size // 2
    left = [entry.seconds for entry in store.list()]
    assert len(left) + len(gone) == 10_000
    assert min(left) > 1000
