import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lean_magic.errors import StoreError
from lean_magic.ledger import Ledger, Record, Totals, totals

PROJECT = Path(__file__).parents[1]
HIT = Record(10.0, "hit", "embed", "c-1", "fa", "0e", "12", seconds=0.5, saved=252.0, gpu_seconds=200.0)
MISS = Record(20.0, "miss", seconds=30.0, reasons=("`chunk` 256 → 512",))
BYPASS = Record(30.0, "bypass", seconds=2.0, reasons=("`sock` has no fingerprint",), gpu_seconds=1.5)


@pytest.fixture
def ledger(tmp_path):
    """Return a ledger without a file."""
    return Ledger(tmp_path / "cache" / "ledger.jsonl")


def filled(ledger, count):
    """Append `count` records, and return the ledger."""
    for number in range(count):
        ledger.append({"time": float(number), "outcome": "miss", "label": "x" * (number % 50)})
    return ledger


def test_what_is_appended_is_read(ledger):
    """Records come back equal and oldest first."""
    for record in (HIT, MISS, BYPASS):
        ledger.append(record.to_json())
    assert [Record.from_json(record) for record in ledger.read()] == [HIT, MISS, BYPASS]


def test_a_missing_ledger_is_empty(ledger):
    """Before the first record there is nothing to read, and nothing is made by reading."""
    assert [*ledger.read()] == [*ledger.read(last=3)] == []
    assert not ledger.path.parent.exists()


def test_it_is_ours_alone(tmp_path):
    """The file has mode 0600 and the folders made for it 0700, whatever the umask."""
    before = os.umask(0)
    try:
        Ledger(tmp_path / "a" / "cache" / "ledger.jsonl").append({})
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/cache", "a/cache/ledger.jsonl")]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("count", [0, 1, 2, 1999, 2000, 2001, -1])
def test_the_last_records(ledger, count):
    """The last records are those that reading all of them ends with, in the same order."""
    records = [*filled(ledger, 2000).read()]
    assert [*ledger.read(last=count)] == (records[-count:] if count > 0 else [])


def test_the_last_records_are_cheap(ledger):
    """For the last records only the end of the file is read."""
    filled(ledger, 100)
    with ledger.path.open("r+b") as file:
        file.truncate(0)
        file.seek(1 << 32)  # 4 GB that take no room on the disk
        file.write(b"\n")
    ledger.append(HIT.to_json())
    assert [Record.from_json(record) for record in ledger.read(last=1)] == [HIT]


@pytest.mark.parametrize("line", [b"{", b"[1]", b"3", b"\xff\x00", b"", b"[" * 100_000, b'{"a": 1}}'])
def test_garbled_lines_are_passed_over(ledger, line):
    """A line that is no record hides itself only, read forwards or backwards."""
    ledger.append(HIT.to_json())
    with ledger.path.open("ab") as file:
        file.write(line + b"\n")
    ledger.append(MISS.to_json())
    for records in (ledger.read(), ledger.read(last=2)):
        assert [Record.from_json(record) for record in records] == [HIT, MISS]


def test_a_line_cut_short_swallows_no_other(ledger):
    """After a crash in the middle of a line the next record is still read."""
    ledger.append(HIT.to_json())
    os.truncate(ledger.path, ledger.path.stat().st_size - 20)
    ledger.append(MISS.to_json())
    assert [Record.from_json(record) for record in ledger.read()] == [MISS]


def test_lines_longer_than_a_block(ledger):
    """A record of any length is read backwards as well."""
    long = {"outcome": "miss", "reasons": ["x" * 200_000]}
    for record in (HIT.to_json(), long, MISS.to_json()):
        ledger.append(record)
    assert [*ledger.read(last=2)] == [*ledger.read()][1:] == [long, MISS.to_json()]


def test_many_kernels_append_at_once(ledger):
    """Records of processes that append at the same time are all there, each whole."""
    code = (
        "import sys; from pathlib import Path; from lean_magic.ledger import Ledger\n"
        "for n in range(300): Ledger(Path(sys.argv[1])).append({'who': sys.argv[2], 'n': n, 'text': 'x' * n})\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    kernels = [
        subprocess.Popen([sys.executable, "-c", code, ledger.path, who], env=environment) for who in "ab"
    ]
    assert [kernel.wait() for kernel in kernels] == [0, 0]
    records = [*ledger.read()]
    for who in "ab":
        assert [record["n"] for record in records if record["who"] == who] == [*range(300)]


@pytest.mark.parametrize("record", [{"seconds": float("nan")}, {"reasons": {1}}, {"label": b"x"}])
def test_what_is_not_json_is_refused(ledger, record):
    """A record that JSON cannot hold is an error in words, and nothing is written."""
    with pytest.raises(StoreError, match="not JSON"):
        ledger.append(record)
    assert not ledger.path.exists()


def test_a_ledger_that_cannot_be_written(tmp_path):
    """Where no file can be written, the error says so and names the variable that helps."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "ledger.jsonl", tmp_path / "folder"):
        with pytest.raises(StoreError, match=r"cannot write to the ledger.*LEAN_MAGIC_CACHE_DIR"):
            Ledger(path).append({})
        with pytest.raises(StoreError, match="cannot read the ledger"):
            [*Ledger(path).read()]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(ledger):
    """A disk without room is an error, not a lost record."""
    with pytest.raises(StoreError, match="No space left"):
        Ledger(Path("/dev/full")).append({})


def test_half_a_line_is_an_error(ledger, monkeypatch):
    """If the disk takes only a part of the line, that is told."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda number, line: write(number, line[:5]))
    with pytest.raises(StoreError, match="the disk is full"):
        ledger.append(HIT.to_json())
    monkeypatch.undo()
    ledger.append(MISS.to_json())
    assert [*ledger.read()] == [MISS.to_json()]


def test_a_record_of_another_version():
    """Unknown members are passed over, missing and odd ones are empty."""
    record = {
        "time": 5,
        "outcome": "hit",
        "new": 1,
        "saved": "much",
        "reasons": ["a", 3],
        "gpu_seconds": True,
        "seconds": None,
    }
    assert Record.from_json(record) == Record(5.0, "hit", reasons=("a",))
    assert Record.from_json({}) == Record(0.0, "")


def test_a_record_is_json():
    """Every record is plain JSON and comes back equal."""
    for record in (HIT, MISS, BYPASS):
        assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_totals():
    """Saved is what the runs of hits took, spent is what every outcome took here."""
    assert totals(record.to_json() for record in (HIT, HIT, MISS, BYPASS)) == Totals(
        hits=2,
        misses=1,
        bypasses=1,
        seconds_saved=504.0,
        seconds_spent=33.0,
        gpu_seconds_saved=400.0,
        gpu_seconds_spent=1.5,
    )


def test_totals_since():
    """Only records at or after the given time count."""
    records = [record.to_json() for record in (HIT, MISS, BYPASS)]
    assert totals(records, since=20.0) == totals(records[1:])
    assert totals(records, since=99.0) == Totals() == totals([])


def test_unknown_gpu_seconds_are_not_0():
    """Where no record knows its GPU-seconds the sum is not known either."""
    assert totals([MISS.to_json()]).gpu_seconds_spent is None


def test_outcomes_of_other_versions_do_not_count():
    """A record with an outcome that we do not know adds to no sum."""
    assert totals([HIT.to_json() | {"outcome": "half hit"}, {}, {"time": "x"}]) == Totals()
