"""A local store on bad days: kills, full disks, removed and closed folders."""

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from on_disk import beside, files, make_old
from store_contract import a_manifest, writer

from lean_magic.errors import Damaged, NotPrivate, StoreError, Unstorable
from lean_magic.store import LocalStore

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return LocalStore(tmp_path / "cache")


def test_a_failure_after_the_payload_leaves_nothing(store, monkeypatch):
    """If the manifest cannot be put into place, the payload goes too."""
    replace = Path.replace

    def no_manifest(path, target):
        if target.suffix == ".json":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", no_manifest)
    with pytest.raises(StoreError, match="the disk is full"):
        store.put(a_manifest(), writer())
    assert files(store) == [".gitignore", "CACHEDIR.TAG", "index"]


@pytest.mark.parametrize(
    "error", [ValueError(), KeyboardInterrupt(), OSError(28, "No space left"), Unstorable("x", "no")]
)
def test_a_failure_while_writing_leaves_nothing(store, error):
    """No temporary file survives an exception in `write`."""

    def write(file):
        file.write(b"half" * 100_000)
        raise error

    with pytest.raises(StoreError if isinstance(error, OSError) else type(error)):
        store.put(a_manifest(), write)
    assert files(store) == [".gitignore", "CACHEDIR.TAG", "index"]


def test_a_full_disk_is_put_in_words(store):
    """A disk without room is a StoreError that says what, where, and what to do."""

    def write(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(
        StoreError, match=f"{store.root}: the disk is full; free some space.*LEAN_MAGIC"
    ) as raised:
        store.put(a_manifest(), write)
    assert raised.value.errno == 28


def test_a_file_larger_than_the_system_allows(store):
    """When the system really refuses to write on, the error is in words and nothing is left."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(StoreError, match="larger than the system allows"):
            store.put(a_manifest(), writer(bytes(4 << 20)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(store) == [".gitignore", "CACHEDIR.TAG", "index"]


def test_kill_in_mid_write(store):
    """A process killed while it writes leaves no entry, and what it leaves is removed a day later."""
    code = (
        "import os, sys, store_contract; from pathlib import Path; from lean_magic.store import LocalStore\n"
        "def write(file):\n"
        "    file.write(bytes(1 << 20)); file.flush(); os.kill(os.getpid(), 9)\n"
        "LocalStore(Path(sys.argv[1])).put(store_contract.a_manifest(), write)\n"
    )
    paths = os.pathsep.join([str(PROJECT), str(PROJECT / "tests" / "contracts")])
    result = subprocess.run(
        [sys.executable, "-c", code, store.root], check=False, env=os.environ | {"PYTHONPATH": paths}
    )
    assert result.returncode == -9
    assert [*store.list()] == store.get(a_manifest().family, a_manifest().key) == []
    (left,) = store.root.rglob("*.tmp")
    assert left.stat().st_size == 1 << 20
    store.put(a_manifest(entry="two", key="0f"), writer())
    assert left.exists()
    make_old(left)
    LocalStore(store.root).put(a_manifest(entry="three", key="0f"), writer())
    assert not left.exists()
    assert len([*store.list()]) == 2


def test_a_removed_folder_is_made_again(store):
    """A folder removed under a running process is an empty store, and is made again."""
    stored = store.put(a_manifest(), writer())
    store.open(stored)
    subprocess.run(["rm", "-r", store.root], check=True)
    assert store.get(stored.family, stored.key) == [*store.list()] == store.check() == []
    assert store.size() == 0
    with pytest.raises(Damaged):
        store.open(stored)
    store.delete(stored)
    assert store.get(stored.family, stored.key) == []
    assert store.open(store.put(a_manifest(), writer())).read_bytes() == b"payload"


def test_a_removed_file_is_a_miss(store):
    """An entry that lost its manifest is absent; one that lost its payload is Damaged."""
    stored = store.put(a_manifest(), writer())
    beside(store, stored, ".joblib").unlink()
    with pytest.raises(Damaged, match="missing"):
        store.open(stored)
    beside(store, stored, ".json").unlink()
    assert store.get(stored.family, stored.key) == []


def test_nothing_is_stored_in_a_folder_others_can_write(store):
    """A root that others can write takes no entries."""
    store.root.mkdir()
    store.root.chmod(0o777)
    with pytest.raises(NotPrivate):
        store.put(a_manifest(), writer())
    assert files(store) == []


def test_a_folder_that_cannot_be_written(plain_folder):
    """A read-only folder refuses to store in words, and still gives what it has."""
    store = LocalStore(plain_folder / "cache")
    stored = store.put(a_manifest(), writer())
    folders = [store.root, *[path for path in store.root.rglob("*") if path.is_dir()]]
    for folder in folders:
        folder.chmod(0o500)
    try:
        with pytest.raises(StoreError, match=r"not writable.*LEAN_MAGIC_CACHE_DIR"):
            store.put(a_manifest(entry="two"), writer())
        with pytest.raises(StoreError, match="no right"):
            store.delete(stored)
        assert store.get(stored.family, stored.key) == [stored]
        assert store.open(stored).read_bytes() == b"payload"
    finally:
        for folder in folders:
            folder.chmod(0o700)


def test_a_folder_that_cannot_be_listed(plain_folder):
    """A folder that we may not look into is an error in words, not an empty store."""
    store = LocalStore(plain_folder / "cache")
    stored = store.put(a_manifest(), writer())
    folder = beside(store, stored, ".json").parent
    folder.chmod(0)
    try:
        with pytest.raises(StoreError, match="cannot list"):
            store.get(stored.family, stored.key)
    finally:
        folder.chmod(0o700)


def test_a_file_for_a_root(tmp_path):
    """A file where the root belongs is an error in words for every method."""
    (tmp_path / "cache").write_text("")
    store = LocalStore(tmp_path / "cache")
    for use in (
        lambda: store.get("fa", "0e"),
        lambda: store.put(a_manifest(), writer()),
        lambda: [*store.list()],
        lambda: store.delete(a_manifest()),
        store.size,
    ):
        with pytest.raises(StoreError, match="not a folder"):
            use()


def test_two_kernels_store_and_delete_in_one_folder(tmp_path):
    """Storing never fails because another kernel removes the folder that it found empty."""
    store, failures, end = LocalStore(tmp_path / "cache"), [], time.monotonic() + 1

    def work(name):
        try:
            while time.monotonic() < end:
                other = LocalStore(store.root)
                other.delete(other.put(a_manifest(entry=name), writer()))
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[name]) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [*store.list()] == []
