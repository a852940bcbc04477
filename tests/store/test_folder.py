import os
import time

import pytest
from store_contract import a_manifest, writer

from lean_magic.errors import Damaged
from lean_magic.store import LocalStore
from lean_magic.store.folder import files_in, folders_in, key_folder, leftovers, mark, new_file, read_manifest


@pytest.fixture
def root(tmp_path):
    """Return a private folder."""
    folder = tmp_path / "cache"
    folder.mkdir(0o700)
    return folder


def names(folder):
    """Return what lies in the folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_appears_whole(root):
    """The name is taken only when the block has ended, and replaces what was there."""
    path = root / "deep" / "one.json"
    for content in (b"old", b"new"):
        with new_file(path) as file:
            file.write(content)
            assert not path.exists() or path.read_bytes() == b"old"
        assert path.read_bytes() == content
    assert names(path.parent) == ["one.json"]


def test_a_new_file_that_fails_leaves_the_old_one(root):
    """If the block raises, the old content stays and nothing lies beside it."""
    path = root / "one.json"
    path.write_bytes(b"old")

    def interrupted():
        with new_file(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert names(root) == ["one.json"]


def test_two_writers_of_one_name_do_not_meet(root):
    """Two at a time write to two temporary files, and the last to end wins whole."""
    with new_file(root / "one") as first, new_file(root / "one") as second:
        first.write(b"first")
        second.write(b"second")
    assert (root / "one").read_bytes() == b"first"
    assert names(root) == ["one"]


def test_listings_of_a_missing_folder_are_empty(root):
    """What is not there has no folders and no files."""
    assert folders_in(root / "missing") == files_in(root / "missing") == []


def test_links_to_folders_are_not_entered(root):
    """A link in the store leads nowhere."""
    (root / "real").mkdir()
    (root / "link").symlink_to(root / "real")
    assert folders_in(root) == [root / "real"]
    assert [file.name for file in files_in(root)] == ["link"]


def test_ids_must_be_hex(root):
    """No family and no key can lead out of the store."""
    assert key_folder(root, "fa", "0e") == root / "entries" / "fa" / "0e"
    for family, key in (("..", "0e"), ("fa", ".."), ("", "0e")):
        with pytest.raises(ValueError, match="hex"):
            key_folder(root, family, key)


def test_leftovers_are_what_no_manifest_answers_for(root):
    """Temporary files, and payloads and seals without a manifest, are leftovers once nobody can be writing them."""
    for name in ("a.json", "a.joblib", "a.ok", "b.joblib", "c.ok", "d.joblib.1-2.tmp", "README"):
        (root / name).write_bytes(b"")
    assert leftovers(root) == []
    assert [path.name for path in leftovers(root, age=-1)] == ["b.joblib", "c.ok", "d.joblib.1-2.tmp"]
    then = time.time() - 90_000
    os.utime(root / "b.joblib", (then, then))
    assert leftovers(root) == [root / "b.joblib"]


def test_files_of_the_future_are_not_leftovers(root):
    """After the clock was put back, no file that is being written is taken for old."""
    (root / "b.joblib").write_bytes(b"")
    then = time.time() + 90_000
    os.utime(root / "b.joblib", (then, then))
    assert leftovers(root, age=0) == []


def test_an_empty_root_is_marked(root):
    """A folder of our own gets both marks, and they are not written twice."""
    (root / "ledger.jsonl").write_text("")
    mark(root)
    assert names(root) == [".gitignore", "CACHEDIR.TAG", "entries", "ledger.jsonl"]
    (root / ".gitignore").write_text("mine")
    mark(root)
    assert (root / ".gitignore").read_text() == "mine"


def test_a_folder_with_other_things_is_not_hidden(root):
    """In a folder that the user keeps other things in, only our part is hidden from git and backups."""
    (root / "thesis.tex").write_text("")
    mark(root)
    assert names(root) == ["entries", "thesis.tex"]
    assert names(root / "entries") == [".gitignore", "CACHEDIR.TAG"]
    assert LocalStore(root).check() == []


def test_a_manifest_must_lie_where_it_says(root):
    """A manifest read from another place than its own is Damaged."""
    stored = LocalStore(root).put(a_manifest(), writer())
    path = key_folder(root, stored.family, stored.key) / f"{stored.entry}.json"
    assert read_manifest(path) == stored
    path.rename(path.with_stem("ab"))
    with pytest.raises(Damaged, match="another entry"):
        read_manifest(path.with_stem("ab"))
