"""What every kind of store promises; a test class of a new kind inherits from StoreContract."""

import array
import hashlib
from pathlib import Path

import pytest
import xxhash

from lean_magic.errors import Damaged, Unstorable
from lean_magic.store import Manifest, Part, Payload, Store


def a_manifest(**changes):
    """Return a manifest with plausible content, and `changes`; `entry` may be any text."""
    fields = {
        "family": "fa" * 16,
        "key": "0e" * 16,
        "entry": "one",
        "label": "embed",
        "cell_id": "c-1",
        "source": "x = encode(texts)  # 文\n",
        "parts": {"code": Part("12", "x = encode(…)"), "value texts": Part("34", "list of 3")},
        "observed": {"files": [{"path": "a.csv", "digest": "56"}], "rng": None},
        "effects": {"output": [["stdout", "hi\n"]], "names": {"bound": ["x"]}},
        "seconds": 252.5,
        "created": 1_700_000_000.25,
        "provenance": {"user": "ada", "pid": 7},
    } | changes
    fields["entry"] = hashlib.md5(fields["entry"].encode()).hexdigest()
    return Manifest(**fields)


def writer(content=b"payload", layout=None):
    """Return a `write` that writes `content` and returns `layout`."""

    def write(file):
        file.write(content)
        return layout or {}

    return write


class MemoryStore:
    """The smallest store that keeps the contract; payloads come out as files in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.entries = {}

    def get(self, family, key):
        """Return the entries of one key, newest first."""
        found = [manifest for manifest in self.list(family) if manifest.key == key]
        return sorted(found, key=lambda manifest: manifest.created, reverse=True)

    def put(self, manifest, write):
        """Keep what `write` writes."""
        file = _Bytes()
        layout = write(file)
        payload = Payload(len(file.content), xxhash.xxh3_128_hexdigest(bytes(file.content)), layout)
        stored = Manifest.from_json(manifest._replace(payload=payload).to_json())
        self.entries[stored.entry] = (stored, file.content)
        return stored

    def list(self, family=None):
        """Return all entries, or those of one family."""
        return (found for found, _ in [*self.entries.values()] if family in (None, found.family))

    def delete(self, manifest):
        """Forget the entry."""
        self.entries.pop(manifest.entry, None)

    def open(self, manifest):
        """Return the path of a file with the payload."""
        _, content = self.entries.get(manifest.entry, (None, b""))
        if manifest.payload is None or xxhash.xxh3_128_hexdigest(bytes(content)) != manifest.payload.digest:
            raise Damaged(f"{manifest.entry} is not what was written")
        path = self.folder / manifest.entry
        path.write_bytes(content)
        return path


class _Bytes:
    def __init__(self):
        self.content = bytearray()

    def write(self, data):
        self.content += memoryview(data).tobytes()
        return memoryview(data).nbytes

    def tell(self):
        return len(self.content)

    def flush(self):
        pass


class StoreContract:
    """Inherit, and override the two methods that say how to make a store and how to spoil an entry of it."""

    def make(self, folder: Path) -> Store:
        """Return an empty store; it may use `folder`, which is not there yet."""
        raise NotImplementedError

    def spoil(self, store: Store, manifest: Manifest) -> None:
        """Change one byte of the entry's payload behind the store's back."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path):
        """Return an empty store."""
        return self.make(tmp_path / "cache")

    def test_is_a_store(self, store):
        """The class has the methods of the protocol."""
        assert isinstance(store, Store)

    def test_an_empty_store_has_nothing(self, store):
        """Looking into a store that was never written to finds nothing and raises nothing."""
        assert store.get("fa", "0e") == []
        assert [*store.list()] == [*store.list("fa")] == []

    def test_what_is_put_is_got(self, store):
        """`get` returns exactly the manifest that `put` returned, in every field."""
        stored = store.put(a_manifest(), writer(layout={"buffers": [[0, 7]], "packed": None}))
        assert store.get(stored.family, stored.key) == [stored]
        assert stored._replace(payload=None) == a_manifest()
        assert stored.payload == Payload(
            7, xxhash.xxh3_128_hexdigest(b"payload"), {"buffers": [[0, 7]], "packed": None}
        )

    def test_open_gives_the_bytes_written(self, store):
        """The path that `open` returns holds what was written, the second time too."""
        stored = store.put(a_manifest(), writer(b"a" * 100_000))
        assert store.open(stored).read_bytes() == store.open(stored).read_bytes() == b"a" * 100_000

    def test_an_empty_payload(self, store):
        """A payload of no bytes is stored and opened like any other."""
        stored = store.put(a_manifest(), lambda _: {})
        assert stored.payload.size == 0
        assert store.open(stored).read_bytes() == b""

    def test_the_file_counts_positions(self, store):
        """While it is written, the file takes any buffer and tells how many bytes went through it."""
        told = []

        def write(file):
            for piece in (b"ab", memoryview(b"cd"), bytearray(b"ef"), array.array("d", [1.0, 2.0])):
                file.write(piece)
                told.append(file.tell())
            file.flush()
            return {}

        stored = store.put(a_manifest(), write)
        assert told == [2, 4, 6, 22]
        assert store.open(stored).read_bytes() == b"abcdef" + array.array("d", [1.0, 2.0]).tobytes()

    def test_newest_first(self, store):
        """One key may own several entries, and the newest comes first."""
        for entry, created in (("a", 2.0), ("b", 3.0), ("c", 1.0)):
            store.put(a_manifest(entry=entry, created=created), writer())
        assert [found.created for found in store.get("fa" * 16, "0e" * 16)] == [3.0, 2.0, 1.0]

    def test_other_keys_are_absent(self, store):
        """An entry is found under its own family and key only."""
        store.put(a_manifest(), writer())
        assert store.get("fa" * 16, "0f" * 16) == store.get("fb" * 16, "0e" * 16) == []

    def test_list(self, store):
        """`list` yields every entry, or those of one family."""
        for entry, family in (("a", "f1"), ("b", "f2"), ("c", "f2")):
            store.put(a_manifest(entry=entry, family=family, key="0" + entry), writer())
        assert len([*store.list()]) == 3
        assert {found.key for found in store.list("f2")} == {"0b", "0c"}

    def test_delete(self, store):
        """A deleted entry is gone, the others stay, and deleting it again is fine."""
        kept, gone = (store.put(a_manifest(entry=entry), writer()) for entry in "ab")
        for _ in range(2):
            store.delete(gone)
            assert store.get(kept.family, kept.key) == [kept]
        assert store.open(kept).read_bytes() == b"payload"
        with pytest.raises(Damaged):
            store.open(gone)

    @pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
    def test_a_failed_write_stores_nothing(self, store, error):
        """Whatever `write` raises is raised as it is, and nothing is stored."""

        def write(file):
            file.write(b"half")
            raise error

        with pytest.raises(type(error)) as raised:
            store.put(a_manifest(), write)
        assert raised.value is error
        assert [*store.list()] == []

    def test_what_is_not_json_is_not_stored(self, store):
        """A layout that JSON cannot hold is refused, and nothing is stored."""
        with pytest.raises(Unstorable):
            store.put(a_manifest(), writer(layout={"set": {1}}))
        assert [*store.list()] == []

    def test_a_changed_payload_is_never_opened(self, store):
        """A payload of which one byte changed raises Damaged, also if it was opened before."""
        fresh, used = (store.put(a_manifest(entry=entry), writer()) for entry in "ab")
        store.open(used)
        for stored in (fresh, used):
            self.spoil(store, stored)
            with pytest.raises(Damaged):
                store.open(stored)

    def test_an_entry_without_payload_is_never_opened(self, store):
        """A manifest that was never stored has no payload to open."""
        with pytest.raises(Damaged):
            store.open(a_manifest())

    def test_the_same_entry_again_replaces_it(self, store):
        """An entry stored under the id of an older one takes its place."""
        store.put(a_manifest(), writer(b"old"))
        stored = store.put(a_manifest(), writer(b"new"))
        assert store.get(stored.family, stored.key) == [stored]
        assert store.open(stored).read_bytes() == b"new"
