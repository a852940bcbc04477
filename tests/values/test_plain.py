"""Collections digested in one go: as good as one by one."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lean_magic.values import Walk, fingerprint

ROOT = Path(__file__).parents[2]


class Buffer(bytes):
    """Bytes of another class."""


class Number(int):
    """A number of another class."""


SIMILAR = [
    1, 1.0, True, 1 + 0j, "1", b"1", None, 0, False, -0.0, 0.0, "", b"", (), [], {}, (1,), [1], {1: 1}, {1: None}, [[1]],
    [(1,)], ((1,),), [[], []], [[[]]], bytearray(b"1"), Buffer(b"1"), Number(1), memoryview(b"1"), {1}, frozenset({1}),
    [1, [2]], [[1], 2], [1, (2,)], {1: [2]}, {"1": [2]}, [1, 2, [3]], [2**31], [2**63], [-(2**100)], ["\ud800"], ["é"],
]  # fmt: skip


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"k": x}, lambda x: [[x], object]])
def test_kinds_are_told_apart(wrap):
    """Values of other types or other nesting are other content, inside any collection."""
    digests = [fingerprint(wrap(value)) for value in SIMILAR]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    "plain", [list(range(5000)), [float(n) for n in range(4999)] + [float("nan")]], ids=["ints", "floats"]
)
@pytest.mark.parametrize(
    "odd",
    [True, 1, 1.0, 2**31, -(2**31) - 1, Number(1), Buffer(b"iiii"), np.int64(1), b"iiii", "i", [1], None],
)
def test_one_of_another_kind_in_a_long_list(plain, odd, monkeypatch):
    """Long lists of numbers are digested by what was written of them, to the digest that they have anyway."""
    mixed = [*plain[:1234], odd, *plain[1235:]]
    found = [fingerprint(wrap(values)) for values in (plain, mixed) for wrap in (list, tuple)]
    assert len(set(found)) == 4
    monkeypatch.setattr("lean_magic.values.plain._numbers", lambda values: None)
    assert [fingerprint(wrap(values)) for values in (plain, mixed) for wrap in (list, tuple)] == found


def test_aliasing_inside_plain_collections():
    """A list met twice is told from two equal ones, at any level, and cycles end."""
    one = [1]
    assert fingerprint([one, one]) != fingerprint([[1], [1]])
    assert fingerprint({"a": [one], "b": [[one]]}) != fingerprint({"a": [[1]], "b": [[[1]]]})
    assert fingerprint([one, {"x": one}]) == fingerprint([two := [1], {"x": two}])
    ring = []
    ring += [ring] * 20
    assert fingerprint(ring) != fingerprint([[]] * 20)


def test_met_before_in_another_part():
    """What an earlier part holds counts as the same object in a later one."""
    shared = [[1], [2]]
    walk, other = Walk(), Walk()
    first = [walk.fingerprint("a", shared).digest, walk.fingerprint("b", [shared[0]]).digest]
    second = [other.fingerprint("a", [[1], [2]]).digest, other.fingerprint("b", [[1]]).digest]
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_every_list_and_dict_has_its_mark():
    """Lists and dicts inside plain collections, and arrays among many, have marks that find them again."""
    value = {"a": [[1], {"b": [2]}], "c": ([3],), "d": [np.arange(3) + i for i in range(50)]}
    again = {"a": [[1], {"b": [2]}], "c": ([3],), "d": [np.arange(3) + i for i in range(50)]}
    walk, other = Walk(), Walk()
    assert walk.fingerprint("x", value).digest == other.fingerprint("x", again).digest
    marks, others = walk.by_mark(), other.by_mark()
    assert marks.keys() == others.keys()
    assert {id(value): mark for mark, value in marks.items()} == walk.live()
    for mark, held in marks.items():
        assert type(held) is type(others[mark])
        assert (
            np.array_equal(held, others[mark]) if isinstance(held, np.ndarray) else held is not others[mark]
        )
    assert len(marks) == 57


def test_order_of_sets_is_none():
    """Sets of texts, numbers and bytes have one fingerprint in any process, whatever the seed of `hash`."""
    source = (
        "from lean_magic.values import fingerprint\n"
        "print(fingerprint([{str(i) for i in range(99)}, {i * 7919 for i in range(99)}, frozenset({b'a', b'b', b'c'}),"
        " {1, 'a', None, 2.5}, {(1, 'x'), (2, 'y')}, {str(i): [{str(i)}] for i in range(40)}]))"
    )
    told = set()
    for seed in ("0", "1", "2"):
        variables = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", source], env=variables, capture_output=True, text=True, check=True
        )
        told.add(done.stdout)
    assert len(told) == 1


def arrays(count=40):
    """Give small arrays, each other than the rest."""
    return [np.arange(4.0) + i for i in range(count)]


def test_many_arrays_in_one_go():
    """In a long list every element, shape, dtype and the order of the arrays count; strides do not."""
    wide = [np.repeat(each, 2)[::2] for each in arrays()]
    same = fingerprint(arrays())
    assert fingerprint(wide) == same
    others = [arrays(), arrays(), arrays(), arrays(), arrays(), arrays(), arrays(39)]
    others[0][7][2] += 1
    others[1][0], others[1][1] = others[1][1], others[1][0]
    others[2][5] = others[2][5].reshape(2, 2)
    others[3][5] = others[3][5].view("i8")
    others[4][39] = others[4][0]
    others[5][5] = others[5][5].astype(">f8")
    assert len({fingerprint(each) for each in others} | {same}) == len(others) + 1


def test_where_bytes_of_one_array_end_counts():
    """The same bytes cut into arrays at other places are other content."""
    whole = np.arange(400.0)
    cuts = [[10] * 40, [9, 11] * 20, [11, 9] * 20, [0, 20] * 20]
    found = [
        fingerprint(
            [whole[end - size : end] for size, end in zip(cut, itertools.accumulate(cut), strict=True)]
        )
        for cut in cuts
    ]
    assert len(set(found)) == len(cuts)


def test_a_path_among_many_texts_is_noted(tmp_path):
    """A file that a long table of texts names is noted, and thousands of texts with dots alone are not."""
    file = tmp_path / "data.bin"
    file.write_bytes(b"1")
    table = [[f"{i}.5", i] for i in range(20_000)]
    walk = Walk()
    walk.fingerprint("x", table)
    assert len(walk.texts) < 20_000
    table[3][0] = str(file)
    walk = Walk()
    walk.fingerprint("x", table)
    assert str(file) in walk.texts


def test_a_bare_file_name_among_many_texts_is_noted(tmp_path, monkeypatch):
    """A file of the working folder that one of very many texts names is noted, and so is one below it; no word is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("data.csv", "sub/more.bin"):
        (tmp_path / name).write_bytes(b"1")
    texts = [f"https://{i}.org/a" for i in range(20_000)]
    texts[7_000], texts[12_000], texts[13_000] = "sub/more.bin", "data.csv", "sub"
    walk = Walk()
    walk.fingerprint("x", texts)
    assert "sub/more.bin" in walk.texts
    assert "data.csv" in walk.names
    assert "sub" not in walk.names
    assert len(walk.texts) < 20
