"""The index: a list of entries that saves looking at each, and is never believed where it matters."""

import shutil

import pytest
from store_contract import a_manifest, writer

from lean_magic.store import LocalStore
from lean_magic.store.index import Index, Line

LINES = [Line(f"{number:x}", "f" * 32, f"{number:032x}", 1000.5 + number, number) for number in range(5)]


@pytest.fixture
def store(tmp_path):
    """Give a store in a folder that does not exist yet."""
    return LocalStore(tmp_path / "cache")


def stored(store, count=3, **more):
    """Store some entries of as many families."""
    made = [
        a_manifest(**more)._replace(family=f"{number + 1:032x}", entry=f"{number + 1:x}")
        for number in range(count)
    ]
    return [store.put(manifest, writer()) for manifest in made]


def ids(store):
    """Return the ids in the index."""
    return {line.entry for line in store.lines()}


def test_lines_come_back(tmp_path):
    """What is added is read again, what is removed is not, and the rest keeps its values to the last digit."""
    index = Index(tmp_path / "index")
    index.write(LINES[:3])
    index.add(LINES[3])
    index.remove(LINES[0].entry)
    assert list(index.read().values()) == LINES[1:4]


def test_an_index_never_starts_in_the_middle(tmp_path):
    """Where there is no index, adding makes none, which would pass for a whole one."""
    index = Index(tmp_path / "index")
    index.add(LINES[0])
    assert index.read() is None


@pytest.mark.parametrize("harm", [b"+ 1 2", b"\xff", b"- ", b"+ a b c d e\n"])
def test_a_damaged_index_is_none(tmp_path, harm):
    """A line that was cut, or is none, makes the whole index count as missing."""
    index = Index(tmp_path / "index")
    index.write(LINES)
    with index.path.open("ab") as file:
        file.write(harm)
    assert index.read() is None


def test_a_store_keeps_its_index(store):
    """Entries that are stored and deleted are in the index and out of it, with their sizes."""
    made = stored(store)
    assert ids(store) == {each.entry for each in made}
    assert sum(line.size for line in store.lines()) == sum(each.payload.size for each in made)
    assert store.at_most() >= store.size()
    store.delete(made[0])
    assert ids(store) == {each.entry for each in made[1:]}


def test_what_lies_beside_the_entries_counts(store):
    """The bytes that a cache does not exceed include those of items."""
    stored(store)
    before = store.at_most()
    place = store.root / "items" / "a"
    place.mkdir(parents=True)
    (place / "segment").write_bytes(bytes(1000))
    assert store.at_most() == before + 1000


def test_a_folder_without_an_index_gets_one(store):
    """An index that is missing or damaged is written anew from the manifests."""
    made = stored(store)
    (store.root / "index").write_bytes(b"?")
    assert ids(store) == {each.entry for each in made}
    (store.root / "index").unlink()
    assert store.at_most() is None
    assert ids(store) == {each.entry for each in made}
    assert store.at_most() is not None


def test_families_are_compared_with_the_folder(store, tmp_path):
    """A family that was removed by hand is out of the list, one that was copied in is in it."""
    made = stored(store)
    shutil.rmtree(store.root / "entries" / made[0].family)
    other = LocalStore(tmp_path / "other")
    new = other.put(a_manifest()._replace(family="e" * 32), writer())
    shutil.copytree(other.root / "entries" / new.family, store.root / "entries" / new.family)
    assert ids(store) == {made[1].entry, made[2].entry, new.entry}


def test_fixing_forgets_the_index(store):
    """After `check --fix` the list is made of what is really there."""
    made = stored(store)
    (store.root / "entries" / made[0].family / made[0].key / f"{made[0].entry}.json").unlink()
    assert made[0].entry in ids(store)
    store.check(fix=True, age=-1)
    assert ids(store) == {each.entry for each in made[1:]}


def test_no_store_no_index(store):
    """Listing a folder that does not exist lists nothing, and does not make it."""
    assert store.lines() == []
    assert not store.root.exists()
