import json
import os

import pytest
import xxhash
from on_disk import beside, flip
from store_contract import a_manifest, writer

from lean_magic.store import FORMAT, LocalStore


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return LocalStore(tmp_path / "cache")


def test_a_good_store_has_no_findings(store):
    """Nothing is found in an empty store, nor in one with good entries, opened or not."""
    assert store.check() == []
    for entry in "ab":
        stored = store.put(a_manifest(entry=entry), writer())
    store.open(stored)
    assert store.check(age=-1) == []


@pytest.mark.parametrize(
    ("suffix", "spoil", "words"),
    [
        (".json", flip, "check does not fit"),
        (".json", lambda path: path.write_bytes(b""), "check does not fit"),
        (".json", lambda path: path.chmod(0o606), "written by other users"),
        (".joblib", flip, "digest does not fit"),
        (".joblib", lambda path: os.truncate(path, 3), "3 bytes where 7 were written"),
        (".joblib", lambda path: path.unlink(), "missing"),
        (".joblib", lambda path: path.chmod(0o606), "written by other users"),
    ],
)
def test_a_spoilt_entry_is_found_and_removed(store, suffix, spoil, words):
    """A damaged manifest or payload is found though it was verified before; `fix` removes that entry and no other."""
    good, bad = (store.put(a_manifest(entry=entry, key=key), writer()) for entry, key in ("a0", "b1"))
    store.open(bad)
    spoil(beside(store, bad, suffix))
    (finding,) = store.check()
    assert words in finding
    assert f"{bad.entry}.json" in finding
    assert store.check(fix=True) == [f"{finding} (removed)"]
    assert store.check(age=-1) == []
    assert [*store.list()] == [good]
    assert not beside(store, bad, ".json").parent.exists()


def test_orphans_and_temporary_files_are_found_and_removed(store):
    """What a crash left is found once nobody can be writing it, and removed with its empty folder."""
    stored = store.put(a_manifest(), writer())
    store.open(stored)
    beside(store, stored, ".json").unlink()
    beside(store, stored, ".json.1-2.tmp").write_bytes(b"")
    assert store.check() == []
    assert len(store.check(age=-1)) == 3
    assert all("left by a crash (removed)" in finding for finding in store.check(fix=True, age=-1))
    assert store.check(age=-1) == []
    assert store.size() == 0


def test_entries_of_other_versions_are_left_alone(store):
    """An entry of another format is absent for us, but neither a finding nor removed."""
    stored = store.put(a_manifest(), writer())
    tree = json.loads(stored.to_json()) | {"format": FORMAT + 1}
    del tree["check"]
    body = b'",' + json.dumps(tree).encode()[1:]
    beside(store, stored, ".json").write_bytes(
        b'{"check":"' + xxhash.xxh3_128_hexdigest(body).encode() + body
    )
    assert [*store.list()] == []
    assert store.check(fix=True, age=-1) == []
    assert beside(store, stored, ".joblib").exists()


def test_a_folder_others_can_write_is_found(store):
    """That the folder is not ours alone is a finding, and is not changed."""
    store.put(a_manifest(), writer())
    store.root.chmod(0o777)
    (finding,) = store.check(fix=True)
    assert "chmod go-w" in finding
    assert store.root.stat().st_mode & 0o777 == 0o777
