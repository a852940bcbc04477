"""What is kept: few files, packed, under the budget, and never a wrong row whatever happens to the folder."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import lean_magic
from lean_magic.errors import UsageError
from lean_magic.items import index
from lean_magic.items.packed import dump, load

TEXTS = [f"text {number}" for number in range(3000)]


def rows(texts):
    """Give a row of 64 numbers for each text."""
    return np.array([list(text.encode().ljust(64)) for text in texts], "f4")


def segments(folder):
    """List the segments below a cache folder."""
    return sorted((folder / "items").rglob("*.seg"))


def fresh(**options):
    """Make the map anew, with nothing of its index in memory."""
    index._known.clear()
    return lean_magic.cached_map(rows, quiet=True, **options)


def test_many_batches_few_files(own_cache):
    """Batches are packed together, and take hardly more room than the numbers alone."""
    mapped = fresh(batch_size=16)
    mapped(TEXTS)
    files = segments(own_cache)
    assert len(files) == 1
    assert files[0].stat().st_size < 1.1 * len(TEXTS) * (64 * 4)
    assert mapped.stats().items == len(TEXTS)


def test_small_segments_are_packed(own_cache):
    """Segments of many calls are written together once there are eight, and nothing is lost."""
    mapped = fresh(batch_size=16)
    for start in range(0, 200, 10):
        mapped(TEXTS[: start + 10])
    assert len(segments(own_cache)) <= 8
    assert np.array_equal(fresh()(TEXTS[:200]), rows(TEXTS[:200]))
    assert mapped.stats().items == 200


def test_a_row_that_is_damaged_is_computed_again(own_cache):
    """A flipped bit costs its segment, never a value."""
    fresh()(TEXTS[:500])
    path = segments(own_cache)[0]
    data = bytearray(path.read_bytes())
    data[-5000] ^= 1
    path.write_bytes(data)
    mapped = fresh()
    assert np.array_equal(mapped(TEXTS[:500]), rows(TEXTS[:500]))
    assert np.array_equal(fresh()(TEXTS[:500]), rows(TEXTS[:500]))


@pytest.mark.parametrize("lost", ["a file", "the folder", "the cache"])
def test_what_vanishes_is_computed_again(own_cache, lost):
    """A segment, a folder or the whole cache that is removed under a living map is no more than a miss."""
    import shutil

    mapped = fresh()
    mapped(TEXTS[:50])
    if lost == "a file":
        segments(own_cache)[0].unlink()
    else:
        shutil.rmtree(own_cache / "items" if lost == "the folder" else own_cache)
    assert np.array_equal(mapped(TEXTS[:50]), rows(TEXTS[:50]))
    assert mapped.last.computed == 50


def test_a_folder_that_cannot_be_used(own_cache):
    """In a folder that is not the user's alone the function just runs."""
    own_cache.mkdir(mode=0o777)
    own_cache.chmod(0o777)
    mapped = fresh()
    assert np.array_equal(mapped(TEXTS[:50]), rows(TEXTS[:50]))
    assert not segments(own_cache)


def test_a_disk_that_is_full(own_cache, monkeypatch):
    """If nothing can be written, the result is whole, and the line says why nothing was stored."""
    import errno

    from lean_magic.store import segments as module

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    mapped = fresh(batch_size=8)
    monkeypatch.setattr(module, "new_file", full)
    assert np.array_equal(mapped([*TEXTS[:50], *TEXTS[:5]]), rows([*TEXTS[:50], *TEXTS[:5]]))
    assert "the disk is full" in mapped.last.notes[0]


def test_forgetting():
    """Forgotten items are computed again, all others are found."""
    mapped = fresh(batch_size=16)
    mapped(TEXTS[:100])
    assert mapped.forget([*TEXTS[10:20], "never seen"]) == 10
    assert mapped.plan(TEXTS[:100]).missing == 10
    assert np.array_equal(mapped(TEXTS[:100]), rows(TEXTS[:100]))
    assert mapped.forget() == 100
    assert mapped.plan(TEXTS[:100]).found == 0


def test_a_plan_computes_nothing():
    """`plan` says what would be computed, how long that takes, and why nothing is found."""

    def never(texts):
        raise AssertionError

    plan = lean_magic.cached_map(never).plan(["a", "b", "a"])
    assert (plan.items, plan.found, plan.missing, plan.unique_missing, plan.batches) == (3, 0, 3, 2, 1)
    assert (plan.seconds, plan.reason) == (None, "first run")
    mapped = fresh(batch_size=10)
    mapped(TEXTS[:50])
    plan = mapped.plan(TEXTS[:100])
    assert (plan.found, plan.batches) == (50, 5)
    assert plan.seconds > 0


def test_errors_are_raised_and_the_rest_is_kept():
    """What the function raises is raised; the batches before are stored."""

    def strict(texts):
        return [1 / (text != "bad") for text in texts]

    mapped = lean_magic.cached_map(strict, batch_size=4, quiet=True)
    texts = [*TEXTS[:8], "bad", *TEXTS[8:12]]
    with pytest.raises(ZeroDivisionError):
        mapped(texts)
    assert mapped.plan(texts).found == 6  # of batches of 4 and of 2 with canaries


@pytest.mark.parametrize("as_array", [True, False])
def test_errors_can_be_kept(as_array):
    """With on_error="keep" only items that fail are missing: NaN or None, told by position, and tried again."""

    def strict(texts):
        found = [[1 / (text != "bad"), float(len(text))] for text in texts]
        return np.array(found) if as_array else found

    mapped = lean_magic.cached_map(strict, batch_size=4, quiet=True)
    texts = [*TEXTS[:8], "bad", *TEXTS[8:12]]
    for computed in (12, 0):
        found = mapped(texts, on_error="keep")
        assert np.isnan(found[8]).all() if as_array else found[8] is None
        assert [row[1] for row in found[:8]] == [len(text) for text in TEXTS[:8]]
        assert list(mapped.failed) == [8]
        assert isinstance(mapped.failed[8], ZeroDivisionError)
        assert mapped.last.computed == computed


def test_whole_numbers_have_nothing_for_a_failure():
    """Where no value can stand for a failed item, that is said rather than made up."""

    def strict(texts):
        return np.array([len(text) // (text != "bad") for text in texts])

    mapped = lean_magic.cached_map(strict, quiet=True)
    with pytest.raises(UsageError, match="has no value of int64"):
        mapped(["a", "bad", "c"], on_error="keep")


def test_an_export_is_what_is_stored(tmp_path):
    """Exports hold every row under its key, or the items given with their rows."""
    pl = pytest.importorskip("polars")
    mapped = fresh()
    mapped(TEXTS[:20])
    assert mapped.export(tmp_path / "all.npz") == 20
    held = np.load(tmp_path / "all.npz")
    assert {tuple(row) for row in held["value"]} == {tuple(row) for row in rows(TEXTS[:20])}
    assert mapped.export(tmp_path / "x.parquet", TEXTS[3:6]) == 3
    table = pl.read_parquet(tmp_path / "x.parquet")
    assert table["item"].to_list() == TEXTS[3:6]
    assert np.array_equal(np.array(table["value"].to_list(), "f4"), rows(TEXTS[3:6]))
    with pytest.raises(UsageError, match=r"\.npz or \.parquet"):
        mapped.export(tmp_path / "x.csv")
    with pytest.raises(UsageError, match="not stored"):
        mapped.export(tmp_path / "x.npz", ["never seen"])


def test_segments_hold_no_pickle(own_cache):
    """Reading a segment runs no code: what it holds is JSON and plain bytes."""
    lean_magic.cached_map(lambda texts: [{"a": text} for text in texts], quiet=True)(TEXTS[:5])
    data = segments(own_cache)[0].read_bytes()
    assert b"cposix" not in data
    assert b"\x80\x04\x95" not in data
    assert b"\x80\x05\x95" not in data


@pytest.mark.parametrize("value", [None, True, 0, -1, 2**70, -(2**70), 0.1, 1j, "ä\ud800", b"\0", [], (), {}, [1, (2, {"a": [None]})],
                                   {1: "a", (2, 3): b"b"}, np.arange(6).reshape(2, 3), np.float32(2), np.array(5), np.array(["ab"])])  # fmt: skip
def test_packed_values_come_back(value):
    """A value that is packed is the same value of the same type."""
    found = load(memoryview(dump(value)))
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize("data", [b"", b"x", b"i", b"l\xff\0\0\0\0\0\0\0", dump([1, 2])[:-1], dump(1) + b"N"])
def test_packed_bytes_that_are_none(data):
    """Bytes that nothing was packed into are damage, not a value."""
    from lean_magic.errors import Damaged

    with pytest.raises(Damaged):
        load(memoryview(data))


def test_threads_share_a_map():
    """Threads that call one map at a time get what they would alone."""
    mapped = fresh(batch_size=8)
    wrong = []

    def call(start):
        texts = TEXTS[start : start + 100]
        for _ in range(5):
            wrong.append(start)
            assert np.array_equal(mapped(texts), rows(texts))
            wrong.remove(start)

    threads = [threading.Thread(target=call, args=(start,)) for start in (0, 50, 0, 120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def command(*words):
    """Run `lean-magic` and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "lean_magic.cli", *words],
        capture_output=True,
        text=True,
        env={**os.environ},
        check=False,
    )
    return done.stdout + done.stderr


def test_the_verbs_know_items(own_cache):
    """`ls`, `savings`, `check`, `prune` and `clear` count items with the entries."""
    mapped = fresh()
    mapped(TEXTS[:100])
    mapped(TEXTS[:100])
    assert "rows" in command("ls")
    assert "100" in command("ls", "rows")
    assert json.loads((own_cache / "ledger.jsonl").read_text().splitlines()[-1])["outcome"] == "hit"
    assert "1" in command("savings")
    assert "nothing is wrong" in command("check")
    path = segments(own_cache)[0]
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    assert "1 thing was wrong" in command("check")
    command("check", "--fix")
    assert not segments(own_cache)
    mapped(TEXTS[:100])
    assert "1 file of items" in command("prune", "--max-size", "1k")
    mapped(TEXTS[:100])
    assert mapped.last.computed == 100
    assert "deleted 100 items of `rows`" in command("clear", "rows")
    assert not segments(own_cache)
    mapped(TEXTS[:100])
    assert "100 items" in command("clear")
    command("clear", "--yes")
    assert not segments(own_cache)


def test_the_budget_holds_for_items(own_cache, monkeypatch):
    """Items go, with entries, when the folder is over its budget."""
    from lean_magic.items import care

    monkeypatch.setenv("LEAN_MAGIC_MAX_SIZE", "300k")
    monkeypatch.setattr(care, "_stored", [0])
    for number in range(8):
        lean_magic.cached_map(rows, label=f"map {number}", version=number, quiet=True)(TEXTS[:300])
    assert sum(path.stat().st_size for path in segments(own_cache)) < 400_000


def test_keys_that_are_half_alike():
    """Keys of which one half is alike are told apart by the other, whatever comes first."""
    keys = np.array([[5, 3], [5, 1], [7, 1], [5, 2], [7, 9]], np.uint64)
    found = index.Index.of(keys)
    assert found.find(keys).tolist() == [0, 1, 2, 3, 4]
    assert found.find(np.array([[5, 9], [7, 2], [6, 1], [9, 9]], np.uint64)).tolist() == [-1] * 4


def test_very_many_items_are_looked_up_piece_by_piece(monkeypatch):
    """Where keys are not kept, the result, a plan, an export and a corpus that grew are the same."""
    from lean_magic.items import lookup

    monkeypatch.setattr(lookup, "_MANY", 100)
    mapped = fresh()
    mapped(TEXTS[:300])
    assert np.array_equal(mapped(TEXTS[:300]), rows(TEXTS[:300]))
    assert mapped.plan(TEXTS[:300]).missing == 0
    assert mapped.forget(TEXTS[290:300]) == 10
    assert np.array_equal(mapped(TEXTS[:320]), rows(TEXTS[:320]))
    assert mapped.last.computed == 30


def test_files_are_recognised_by_later_processes(tmp_path, monkeypatch):
    """Files that have rested are not read again to be recognised, and those that were changed since are."""
    from lean_magic.effects import contents

    folder = tmp_path / "files"
    folder.mkdir()
    paths = [folder / f"{number:03}" for number in range(80)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number)
        os.utime(path, (1e9, 1e9))
    monkeypatch.setattr(contents, "TICK", -(10**18))  # as if all had rested
    monkeypatch.setattr("lean_magic.items.filed.TICK", -(10**18))
    sizes = lean_magic.cached_map(lambda paths: [os.stat(path).st_size for path in paths], quiet=True)
    sizes(paths)
    index._known.clear()
    contents._known.clear()
    paths[7].write_bytes(b"seven")
    read = []
    monkeypatch.setattr(contents, "_open", lambda name, mode: read.append(str(name)) or open(name, mode))
    assert sizes(paths)[7] == 5
    assert set(read) == {str(paths[7])}


class Odd:
    """Something that cannot be packed."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return self.text == other.text


def test_results_that_cannot_be_stored_are_given_all_the_same():
    """Where a result holds what cannot be packed, the function just runs, and nothing fails."""
    mapped = lean_magic.cached_map(lambda texts: [Odd(text) for text in texts])
    assert mapped(TEXTS[:30]) == [Odd(text) for text in TEXTS[:30]]
    torch = pytest.importorskip("torch")
    weight = torch.ones(2, requires_grad=True)
    graph = lean_magic.cached_map(lambda rows: rows[:, None] * weight)
    assert graph(torch.arange(3.0)).grad_fn is not None


def test_a_folder_that_is_opened_meanwhile(own_cache):
    """If the cache folder becomes one that others can write while items are computed, the result is whole."""

    def opening(texts):
        own_cache.chmod(0o777)
        return rows(texts)

    mapped = lean_magic.cached_map(opening, version=1)
    fresh()(TEXTS[:3])
    assert np.array_equal(mapped(TEXTS[:50]), rows(TEXTS[:50]))
