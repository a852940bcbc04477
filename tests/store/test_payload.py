import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import xxhash

from lean_magic.errors import Damaged, NotPrivate
from lean_magic.store import Payload
from lean_magic.store.payload import PayloadWriter, open_own, read_seal, seal_of, verify

CONTENT = bytes(range(256)) * 40_000  # 10 MB: several chunks
PAYLOAD = Payload(len(CONTENT), xxhash.xxh3_128_hexdigest(CONTENT), {})


@pytest.fixture
def file(tmp_path):
    """Return a file with CONTENT."""
    path = tmp_path / "one.joblib"
    path.write_bytes(CONTENT)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"abc",
        CONTENT,
        np.arange(12.0).reshape(3, 4),
        np.zeros((0, 4)),
        np.ones(3, dtype=">i4"),
        np.ones(3, dtype=complex),
        np.array(5),
        np.ones(2, dtype=[("a", "i4"), ("b", "f8")]),
    ],
    ids=["empty", "bytes", "chunks", "table", "no rows", "foreign order", "complex", "scalar", "record"],
)
def test_any_buffer_is_written(data):
    """Bytes and buffers of any item type go through whole, and size and digest are theirs."""
    target = io.BytesIO()
    out = PayloadWriter(target)
    raw = data if isinstance(data, bytes) else data.tobytes()
    assert out.write(data) == out.tell() == len(raw)
    assert target.getvalue() == raw
    assert out.hexdigest() == xxhash.xxh3_128_hexdigest(raw)


def test_writes_add_up():
    """The digest is that of all writes together."""
    out = PayloadWriter(io.BytesIO())
    for start in range(0, 1000, 7):
        out.write(CONTENT[start : min(start + 7, 1000)])
    assert out.tell() == 1000
    assert out.hexdigest() == xxhash.xxh3_128_hexdigest(CONTENT[:1000])


def test_joblib_dumps_into_it():
    """A dump by joblib goes through the writer as through any file, and can be loaded."""
    joblib = pytest.importorskip("joblib")
    target = io.BytesIO()
    joblib.dump({"a": np.arange(1000.0), "b": ["text"]}, PayloadWriter(target))
    target.seek(0)
    loaded = joblib.load(target)
    assert loaded["a"].sum() == 499_500
    assert loaded["b"] == ["text"]


def test_it_is_a_file_that_can_only_be_written():
    """The writer says what it can do, and closing it leaves the file under it open."""
    target = io.BytesIO()
    with PayloadWriter(target) as out:
        assert out.writable()
        assert not out.seekable()
    assert not target.closed


def test_a_full_disk_is_told():
    """A disk without room raises in write or flush, not later."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="No space"):
        PayloadWriter(full).write(b"x")


def test_verify_reports_progress(file):
    """Progress is told in bytes, rising, and ends with all of them."""
    told = []
    verify(file, PAYLOAD, lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert len(told) > 1
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_seal_fits_one_exact_file(file, tmp_path):
    """A seal fits until the file is written to, or another lies in its place."""
    seal = verify(file, PAYLOAD)
    assert seal == seal_of(file, PAYLOAD) == json.loads(json.dumps(seal))
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    other.chmod(0o600)
    os.utime(other, ns=(seal["mtime_ns"], seal["mtime_ns"]))
    assert seal_of(other, PAYLOAD) != seal
    os.utime(file, ns=(1, 1))
    assert seal_of(file, PAYLOAD) != seal


def test_a_changed_byte_is_damage(file):
    """A file of the right size with one other byte is Damaged."""
    content = bytearray(CONTENT)
    content[5_000_000] ^= 1
    file.write_bytes(content)
    with pytest.raises(Damaged, match="digest"):
        verify(file, PAYLOAD)


def test_a_file_that_changes_while_read_is_damage(file):
    """A file that is written to while it is verified is not trusted, whatever its digest says."""
    with pytest.raises(Damaged):
        verify(file, PAYLOAD, lambda *_: os.utime(file, ns=(1, 1)))


@pytest.mark.parametrize("size", [0, len(CONTENT) - 1, len(CONTENT) + 1])
def test_another_size_is_damage(file, size):
    """A file that is shorter or longer than what was written is Damaged without being read."""
    os.truncate(file, size)
    with pytest.raises(Damaged, match="bytes where"):
        seal_of(file, PAYLOAD)


def test_what_is_no_file_is_damage(file, tmp_path):
    """A link, a folder, and nothing at all are Damaged, even a link to the right bytes."""
    link, folder = tmp_path / "link", tmp_path / "folder"
    link.symlink_to(file)
    folder.mkdir()
    for path in (link, folder, tmp_path / "missing"):
        with pytest.raises(Damaged):
            seal_of(path, PAYLOAD)
        with pytest.raises(Damaged), open_own(path):
            pass


def test_a_file_others_can_write_is_refused(file, monkeypatch):
    """A file that others can write or own is refused, even in a private folder."""
    file.chmod(0o620)
    with pytest.raises(NotPrivate):
        verify(file, PAYLOAD)
    file.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(NotPrivate), open_own(file):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff", '{"size": 1'])
def test_a_seal_that_cannot_be_read_is_none(tmp_path, text):
    """A truncated or garbled seal is as good as none."""
    path = tmp_path / "one.ok"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    assert read_seal(path) is None
    assert read_seal(tmp_path / "missing") is None
