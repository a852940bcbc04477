"""Segments: written whole, read by ranges, and nothing believed that is not what was written."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lean_magic.errors import Damaged, NotPrivate, StoreError
from lean_magic.store.segments import CHUNK, Segments, maps

NAME = "ab" * 16
BYTES = np.random.default_rng(0).bytes(3 * CHUNK + 17)


@pytest.fixture
def home(tmp_path):
    """Yield the segments of one map."""
    return Segments(tmp_path / "cache", NAME)


def put(home, **blocks):
    """Write a segment with some blocks."""
    return home.put({"count": 1}, blocks or {"a": BYTES, "empty": b"", "b": np.arange(5)})


def test_what_is_written_is_read(home):
    """Blocks of any length come back, whole or by ranges."""
    segment = home.open(put(home))
    assert segment.meta == {"count": 1, "map": NAME}
    with segment.opened() as reader:
        assert bytes(reader.read("a")) == BYTES
        assert bytes(reader.read("empty")) == b""
        assert np.array_equal(np.frombuffer(reader.read("b"), int), np.arange(5))
        for start, stop in [(0, 1), (5, 5), (CHUNK - 1, CHUNK + 1), (2 * CHUNK, len(BYTES)), (3, 2 * CHUNK)]:
            assert bytes(reader.read("a", start, stop)) == BYTES[start:stop]
        target = bytearray(len(BYTES))
        reader.read_into("a", memoryview(target))
        assert target == BYTES


@pytest.mark.parametrize("start", [0, 9, 40, 300, 2000, CHUNK, -1])
def test_a_flipped_bit_is_seen(home, start):
    """One bit that is not what was written, wherever it is, is never given out."""
    name = put(home)
    path = home.folder / name
    data = bytearray(path.read_bytes())
    data[start] ^= 4
    path.write_bytes(data)
    with pytest.raises(Damaged):
        home.open(name).verify()


@pytest.mark.parametrize("length", [0, 10, 200, CHUNK, 3 * CHUNK])
def test_a_file_that_ends_too_early(home, length):
    """A file that was cut is damaged, not short."""
    name = put(home)
    with open(home.folder / name, "r+b") as file:
        file.truncate(length)
    with pytest.raises(Damaged):
        home.open(name).verify()


def test_another_maps_segment_is_none_of_ours(home):
    """A file that was moved to another map's folder is not believed."""
    name = put(home)
    other = Segments(home.root, "cd" * 16)
    other.folder.mkdir(parents=True)
    (home.folder / name).rename(other.folder / name)
    with pytest.raises(Damaged, match="another map"):
        other.open(name)


def test_links_are_not_followed(home, tmp_path):
    """A link where a segment belongs is not opened."""
    name = put(home)
    (home.folder / name).rename(tmp_path / "elsewhere")
    (home.folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Damaged):
        home.open(name)


def test_a_folder_that_others_can_write(home):
    """Nothing is listed, opened or written where somebody else could have written."""
    name = put(home)
    (home.folder / name).chmod(0o666)
    with pytest.raises(NotPrivate):
        home.open(name)
    home.root.chmod(0o777)
    with pytest.raises(NotPrivate):
        home.names()
    with pytest.raises(NotPrivate):
        Segments(home.root, NAME).put({}, {})


def test_files_are_the_users_alone(home):
    """Files have mode 0600 and folders 0700, whatever the umask."""
    before = os.umask(0)
    try:
        name = put(home)
    finally:
        os.umask(before)
    assert (home.folder / name).stat().st_mode & 0o777 == 0o600
    assert home.folder.stat().st_mode & 0o777 == 0o700


def test_a_writer_that_fails_leaves_nothing(home, monkeypatch):
    """If the disk is full, the error says so, and no half file is there."""
    import errno

    import lean_magic.store.segments as module

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    put(home)
    monkeypatch.setattr(module, "new_file", full)
    with pytest.raises(StoreError, match="the disk is full"):
        put(home)
    assert len(home.names()) == 1


def test_a_map_is_listed_until_it_is_cleared(home):
    """A map's folder goes with its last file."""
    put(home)
    put(home)
    assert [one.name for one in maps(home.root)] == [NAME]
    assert home.clear() > 2 * len(BYTES)
    assert maps(home.root) == []
    assert home.names() == []


def test_a_segment_that_is_open_stays_readable(home):
    """Who reads a segment while it is deleted reads it to the end."""
    name = put(home)
    segment = home.open(name)
    with segment.opened() as reader:
        home.remove([name])
        assert bytes(reader.read("a")) == BYTES
    with pytest.raises(Damaged), segment.opened():
        pass


def test_the_store_brings_no_numpy():
    """Segments are bytes to the store, which imports no large library for them."""
    code = "import sys, lean_magic.store.segments; print('numpy' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout.strip() == "False"
