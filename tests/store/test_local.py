import os
from pathlib import Path

import pytest
from on_disk import beside, files, flip
from store_contract import MemoryStore, StoreContract, a_manifest, writer

from lean_magic.store import LocalStore, Manifest


class TestMemoryStore(StoreContract):
    """The contract can be kept by something that is no folder."""

    def make(self, folder):
        """Return an empty store in `folder`."""
        folder.mkdir()
        return MemoryStore(folder)

    def spoil(self, store, manifest):
        """Change one byte of the payload."""
        store.entries[manifest.entry][1][0] ^= 1


class TestLocalStore(StoreContract):
    """A folder keeps the contract."""

    def make(self, folder):
        """Return an empty store in `folder`."""
        return LocalStore(folder)

    def spoil(self, store, manifest):
        """Change one byte of the payload."""
        flip(beside(store, manifest, ".joblib"))


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return LocalStore(tmp_path / "cache")


def test_the_layout(store):
    """An entry is two files in the folder of its family and key, in a folder that git and backups pass over."""
    stored = store.put(a_manifest(), writer())
    place = f"entries/{stored.family}/{stored.key}/{stored.entry}"
    assert files(store) == [".gitignore", "CACHEDIR.TAG", f"{place}.joblib", f"{place}.json", "index"]
    assert (store.root / ".gitignore").read_text() == "*\n"
    assert (store.root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_modes(store):
    """Folders have mode 0700 and files 0600, whatever the umask."""
    before = os.umask(0)
    try:
        store.open(store.put(a_manifest(), writer()))
    finally:
        os.umask(before)
    for path in store.root.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_the_payload_comes_first(store):
    """While the payload is written no file of the entry is there, and the manifest is the last to come."""
    seen = []

    def write(file):
        file.write(b"x")
        seen.extend(files(store))
        return {}

    store.put(a_manifest(), write)
    assert [name for name in seen if name.endswith((".json", ".joblib"))] == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", None])
def test_damaged_manifests_are_absent(store, content):
    """A manifest that is truncated, garbled, or a folder hides itself only."""
    good, bad = (store.put(a_manifest(entry=entry), writer()) for entry in "ab")
    path = beside(store, bad, ".json")
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    assert store.get(good.family, good.key) == [*store.list()] == [good]


def test_a_manifest_out_of_place_is_absent(store):
    """A manifest copied to another key, or under another name, does not answer for it."""
    stored = store.put(a_manifest(), writer())
    data = beside(store, stored, ".json").read_bytes()
    other = store.root / "entries" / stored.family / "0f"
    other.mkdir()
    for path in (other / f"{stored.entry}.json", beside(store, stored, ".json").with_stem("ab")):
        path.write_bytes(data)
        path.chmod(0o600)
    assert store.get(stored.family, "0f") == []
    assert store.get(stored.family, stored.key) == [stored]


def test_a_manifest_others_can_write_is_absent(store):
    """A manifest that somebody else could have written is not believed."""
    stored = store.put(a_manifest(), writer())
    beside(store, stored, ".json").chmod(0o606)
    assert store.get(stored.family, stored.key) == []


def test_get_looks_at_its_own_folder_only(store, monkeypatch):
    """Looking up a key lists no other folder than that of the key."""
    stored = store.put(a_manifest(), writer())
    store.put(a_manifest(key="0f"), writer())
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(Path(path)) or scandir(path))
    store.get(stored.family, stored.key)
    assert listed == [beside(store, stored, ".json").parent]


def test_ids_that_are_no_hex_reach_no_file(store):
    """Nothing outside the folder can be asked for, stored or deleted."""
    for name in ("..", "a/b", "/etc"):
        with pytest.raises(ValueError, match="hex"):
            store.get(name, "0e")
        with pytest.raises(ValueError, match="hex"):
            store.put(a_manifest(family=name), writer())
        with pytest.raises(ValueError, match="hex"):
            store.delete(a_manifest(key=name))
        with pytest.raises(ValueError, match="hex"):
            [*store.list(name)]


def test_delete_removes_all_of_an_entry(store):
    """Deleting the last entry of a family leaves no file and no folder of it."""
    stored = store.put(a_manifest(), writer())
    store.open(stored)
    store.delete(stored)
    assert [*(store.root / "entries").iterdir()] == []


def test_a_mapped_payload_survives_its_deletion(store):
    """What a live kernel has mapped stays readable for it after the entry is deleted."""
    mmap = pytest.importorskip("mmap")
    stored = store.put(a_manifest(), writer(b"m" * 10_000))
    with (
        store.open(stored).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped,
    ):
        store.delete(stored)
        assert mapped[:] == b"m" * 10_000


def test_size(store):
    """`size` counts the bytes of payloads and manifests of all families, and is 0 when they are gone."""
    stored = [store.put(a_manifest(entry=name, family=name), writer(b"x" * 5000)) for name in "ab"]
    assert store.size() == 10_000 + sum(len(manifest.to_json()) for manifest in stored)
    for manifest in stored:
        store.delete(manifest)
    assert store.size() == 0


def test_the_root_stays_where_it_was(tmp_path, monkeypatch):
    """A relative root is resolved once, so a cell that changes the working folder does not move the cache."""
    monkeypatch.chdir(tmp_path)
    store = LocalStore(Path("cache"))
    monkeypatch.chdir("/")
    store.put(a_manifest(), writer())
    assert (tmp_path / "cache" / "entries").is_dir()


def test_looking_up_reads_manifests_only(store, monkeypatch):
    """However many entries a key has, looking it up opens their manifests once and no payload."""
    for number in range(20):
        store.put(a_manifest(entry=str(number)), writer())
    opened, open_file = [], os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest: opened.append(Path(path).suffix) or open_file(path, *rest)
    )
    assert len(store.get(a_manifest().family, a_manifest().key)) == 20
    assert opened == [".json"] * 20


def test_what_is_read_can_be_written_elsewhere(store, tmp_path):
    """A manifest that was read goes into another store unchanged, payload aside."""
    stored = store.put(a_manifest(), writer(layout={"a": (1, 2)}))
    other = LocalStore(tmp_path / "other")
    copied = other.put(stored, writer(store.open(stored).read_bytes(), stored.payload.layout))
    assert copied == stored == Manifest.from_json(stored.to_json())
