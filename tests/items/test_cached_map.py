"""`cached_map` gives what the function would have given, and computes each item once."""

import datetime
import os
import pathlib

import numpy as np
import pytest

import lean_magic
from lean_magic.errors import UsageError

torch = pytest.importorskip("torch")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

TEXTS = [f"text {number}" for number in range(50)]


def length(text):
    """Give a number that depends on the whole text."""
    return sum(text.encode()) / 7


RESULTS = {
    "rows": lambda texts: np.array([[length(text), 1] for text in texts], "f4"),
    "numbers": lambda texts: np.array([length(text) for text in texts]),
    "whole numbers": lambda texts: np.array([len(text) for text in texts]),
    "truths": lambda texts: np.array([len(text) > 6 for text in texts]),
    "complex": lambda texts: np.array([complex(length(text), 1) for text in texts]),
    "half": lambda texts: np.array([[length(text)] for text in texts], "f2"),
    "other byte order": lambda texts: np.array([length(text) for text in texts], ">f8"),
    "texts in an array": lambda texts: np.array([f"{text:>9}" for text in texts]),
    "texts of any width in an array": lambda texts: np.array([text * (len(text) % 3 + 1) for text in texts]),
    "bytes in an array": lambda texts: np.array([text.encode() * (len(text) % 3) for text in texts]),
    "times": lambda texts: np.array([len(text) for text in texts], "M8[s]"),
    "records": lambda texts: np.array([(len(text), length(text)) for text in texts], [("n", "i4"), ("x", "f8")]),
    "objects": lambda texts: np.array([{"n": len(text)} for text in texts], object),
    "nothing in a row": lambda texts: np.empty((len(texts), 0)),
    "cubes": lambda texts: np.array([[[length(text)] * 3] * 2 for text in texts]),
    "tensor": lambda texts: torch.tensor([[length(text)] for text in texts]),
    "bfloat16": lambda texts: torch.tensor([[length(text)] for text in texts]).bfloat16(),
    "tensor of truths": lambda texts: torch.tensor([len(text) > 6 for text in texts]),
    "list of floats": lambda texts: [length(text) for text in texts],
    "list of ints": lambda texts: [len(text) for text in texts],
    "list of truths": lambda texts: [len(text) > 6 for text in texts],
    "list of large ints": lambda texts: [len(text) ** 40 for text in texts],
    "list of texts": lambda texts: [text.upper() for text in texts],
    "list of nothing": lambda texts: [None for _ in texts],
    "list of arrays": lambda texts: [np.full(3, length(text)) for text in texts],
    "list of tensors": lambda texts: [torch.full((3,), length(text)) for text in texts],
    "list of scalars": lambda texts: [np.float32(length(text)) for text in texts],
    "ragged": lambda texts: [np.arange(len(text) % 3, dtype="f4") for text in texts],
    "ragged tensors": lambda texts: [torch.arange(len(text) % 3) for text in texts],
    "dicts": lambda texts: [{"text": text, "tokens": text.split(), "at": (1, None)} for text in texts],
    "mixed": lambda texts: [text if len(text) % 2 else len(text) for text in texts],
    "bytes": lambda texts: [text.encode() for text in texts],
    "tuple": lambda texts: (np.array([[length(text)] for text in texts]), [text.split() for text in texts]),
    "dict": lambda texts: {"dense": torch.ones(len(texts), 2), "sparse": [{1: length(text)} for text in texts]},
    "dict of tuples": lambda texts: {"a": ([len(text) for text in texts], np.array([len(text) for text in texts]))},
}  # fmt: skip


def same(one, other):
    """Whether two results are of the same types and content."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        if one.dtype != other.dtype or one.shape != other.shape:
            return False
        return one.tolist() == other.tolist()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(map(same, one.values(), other.values()))
    return bool(one == other)


@pytest.mark.parametrize("kind", RESULTS)
def test_results_of_every_kind(kind):
    """Whatever the function gives for a list comes back for it, new, found or both, in any order."""
    function = RESULTS[kind]
    mapped = lean_magic.cached_map(function, batch_size=8)
    for texts in (TEXTS[:30], TEXTS[:30], TEXTS[::-1], TEXTS[3:4], TEXTS + TEXTS[:9]):
        assert same(mapped(texts), function(texts))
    assert mapped.last.found == len(TEXTS) + 9


@pytest.mark.parametrize("kind", RESULTS)
def test_results_survive_the_process(kind):
    """What another object finds, with nothing of the first in memory, is what the function gives."""
    function = RESULTS[kind]
    lean_magic.cached_map(function, batch_size=8)(TEXTS)
    from lean_magic.items import index

    index._known.clear()
    again = lean_magic.cached_map(function)
    assert same(again(TEXTS[::2]), function(TEXTS[::2]))
    assert again.last.computed == 0


ITEMS = {
    "texts": TEXTS,
    "a tuple": tuple(TEXTS),
    "bytes": [text.encode() for text in TEXTS],
    "numbers": [1, 1.0, True, 2, 2.5, -1, 0, False, 0.0, -0.0, None, 2**70],
    "arrays": [np.arange(n % 5) for n in range(9)],
    "rows": np.arange(24.0).reshape(8, 3),
    "numbers in an array": np.arange(12, dtype="i2"),
    "texts in an array": np.array(TEXTS),
    "objects in an array": np.array(TEXTS, object),
    "a tensor": torch.arange(24.0).reshape(8, 3),
    "tensors": [torch.arange(n % 4) for n in range(9)],
    "a column": pd.Series(TEXTS, index=range(100, 150)),
    "a column of polars": pl.Series(TEXTS),
    "dicts": [{"a": n % 3, "b": [n]} for n in range(9)],
    "tuples": [(n, str(n)) for n in range(9)],
    "dates": [datetime.date(2020, 1, 1 + n) for n in range(9)],
}  # fmt: skip


def spelled(items):
    """Give each item's type and text."""
    return [f"{type(item).__name__} {item!r}" for item in items]


@pytest.mark.parametrize("kind", ITEMS)
def test_items_of_every_kind(kind):
    """Items of every kind are told apart by type and content, and found again by content."""
    items = ITEMS[kind]
    mapped = lean_magic.cached_map(spelled, batch_size=4)
    expected = spelled(items)
    assert mapped(items) == expected
    assert mapped(items[1:]) == expected[1:]
    assert mapped(items) == expected
    assert mapped.last.computed == 0


def test_a_batch_is_of_the_kind_that_was_given():
    """The function gets arrays for arrays, columns for columns, tensors for tensors, tuples for tuples."""
    seen = []

    def kind(items):
        seen.append(type(items))
        return [0] * len(items)

    mapped = lean_magic.cached_map(kind, batch_size=4, version=1, canaries=0)
    for name in ("rows", "a tensor", "a column", "a column of polars", "a tuple", "texts"):
        mapped.forget()
        seen.clear()
        mapped(ITEMS[name])
        assert set(seen) == {type(ITEMS[name])}


def test_a_generator_is_used_once():
    """Items that can be looked at only once count as the list of them."""
    mapped = lean_magic.cached_map(spelled)
    assert mapped(str(n) for n in range(3)) == ["str '0'", "str '1'", "str '2'"]
    assert mapped(["0", "2"]) == ["str '0'", "str '2'"]
    assert mapped.last.found == 2


def test_repeats_are_computed_once(counter):
    """An item that stands in a list several times is computed once, and stands at each of its places."""

    def doubled(numbers):
        os.write(counter.descriptor, b"." * len(numbers))
        return [2 * number for number in numbers]

    mapped = lean_magic.cached_map(doubled, batch_size=4, canaries=0)
    numbers = [3, 1, 3, 3, 2, 1, 4, 5, 6, 7, 3]
    assert mapped(numbers) == [2 * number for number in numbers]
    assert counter.count == 7
    assert mapped.last.repeats == 4


def test_only_new_items_are_computed(counter):
    """Of a list that grew by one part in a hundred that part is computed, and two known ones to compare."""

    def rows(texts):
        os.write(counter.descriptor, b"." * len(texts))
        return np.array([[length(text)] * 8 for text in texts])

    texts = [f"{n} and {n}" for n in range(2020)]
    mapped = lean_magic.cached_map(rows, batch_size=256)
    mapped(texts[:2000])
    before = counter.count
    assert np.array_equal(mapped(texts), np.array([[length(text)] * 8 for text in texts]))
    assert counter.since(before) == 20 + 2
    assert (mapped.last.found, mapped.last.computed, mapped.last.batches) == (2000, 20, 1)


def test_batches_are_full():
    """Missing items are computed in as few batches as they fill, and no batch is larger than told."""
    seen = []

    def noted(texts):
        seen.append(len(texts))
        return [len(text) for text in texts]

    mapped = lean_magic.cached_map(noted, batch_size=10, version=1)
    mapped(TEXTS[:15])
    assert seen == [10, 7]
    seen.clear()
    mapped(TEXTS)
    assert seen == [10, 10, 10, 9]  # 35 new ones, and two canaries in the first batch and the last
    seen.clear()
    mapped(TEXTS + ["one more"])
    assert seen == [3]


def test_an_empty_list_goes_to_the_function():
    """For no items the function itself says what it gives."""
    mapped = lean_magic.cached_map(lambda texts: np.empty((len(texts), 3)))
    assert mapped([]).shape == (0, 3)


def test_options_go_to_the_function_and_count():
    """What a keyword changes is another result; where and how fast it computes changes nothing."""

    def scaled(texts, factor=1, batch_size=8, device="cpu", show_progress_bar=False):
        return [factor * len(text) for text in texts]

    mapped = lean_magic.cached_map(scaled)
    assert mapped(TEXTS, factor=3) == scaled(TEXTS, factor=3)
    assert mapped(TEXTS, factor=2) == scaled(TEXTS, factor=2)
    assert mapped.last.found == 0
    mapped(TEXTS, factor=3, batch_size=2, device="cuda:0", show_progress_bar=True)
    assert mapped.last.computed == 0


def test_as_a_decorator():
    """With options in brackets, it is a decorator, and the function's name and text stay."""

    @lean_magic.cached_map(batch_size=3)
    def measured(texts):
        """Measure."""
        return [len(text) for text in texts]

    assert measured(TEXTS) == [len(text) for text in TEXTS]
    assert (measured.__name__, measured.__doc__) == ("measured", "Measure.")
    assert measured.last.batches >= 17


def test_files_count_by_what_they_hold(tmp_path, counter):
    """A path is its file's content: a copy elsewhere is found, a file that was changed is computed again."""

    def sizes(paths):
        os.write(counter.descriptor, b"." * len(paths))
        found = []
        for path in paths:
            with open(path, "rb") as file:
                found.append(len(file.read()))
        return found

    paths = [tmp_path / f"{n}.bin" for n in range(5)]
    for n, path in enumerate(paths):
        path.write_bytes(bytes([n]) * (n + 1))
    mapped = lean_magic.cached_map(sizes, canaries=0)
    assert mapped(paths) == [1, 2, 3, 4, 5]
    copy = tmp_path / "elsewhere.bin"
    copy.write_bytes(paths[2].read_bytes())
    paths[4].write_bytes(b"123456789")
    assert mapped([*paths, copy]) == [1, 2, 3, 4, 9, 3]
    assert counter.count == 6


def test_a_function_of_names_is_not_fooled(tmp_path):
    """A function that looks at a path's name gives two files of one content two results."""

    def labels(paths):
        return [path.parent.name for path in paths]

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1").write_text("same")
    mapped = lean_magic.cached_map(labels)
    paths = [tmp_path / "cat" / "1", tmp_path / "dog" / "1"]
    assert mapped(paths[:1]) == ["cat"]
    assert mapped(paths) == ["cat", "dog"]


def test_a_path_that_is_no_file_is_told():
    """A path without a file is an error that names the item."""
    mapped = lean_magic.cached_map(lambda paths: [0] * len(paths))
    with pytest.raises(UsageError, match="item 1 is the path /nowhere"):
        mapped([pathlib.Path(__file__), pathlib.Path("/nowhere")])


def test_texts_that_name_files_are_not_trusted(tmp_path):
    """A function that opens the files its texts name is not stored, and the line says how it can be."""

    def sizes(names):
        found = []
        for name in names:
            with open(name, "rb") as file:
                found.append(len(file.read()))
        return found

    (tmp_path / "a.bin").write_bytes(b"123")
    mapped = lean_magic.cached_map(sizes)
    assert mapped([str(tmp_path / "a.bin")]) == [3]
    assert "pathlib.Path" in mapped.last.notes[0]
    (tmp_path / "a.bin").write_bytes(b"12345")
    assert mapped([str(tmp_path / "a.bin")]) == [5]


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ("one text", "not one str"),
        (5, "not one int"),
        ({"a": 1}, "not one dict"),
        (np.array(1), "without a dimension"),
    ],
)
def test_one_item_is_no_list(items, said):
    """What is one item, or none, is an error that tells what to pass."""
    with pytest.raises(UsageError, match=said):
        lean_magic.cached_map(len)(items)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda texts: texts[:-1], "gave 49 results for 50 items"),
        (len, "gave an int"),
        (lambda texts: np.float64(1), "gave a numpy.float64"),
    ],
)
def test_results_that_are_not_one_for_each(function, said):
    """A function that does not give one result for each item is told so."""
    with pytest.raises(UsageError, match=said):
        lean_magic.cached_map(function)(TEXTS)


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"batch_size": 2.5}, {"on_error": "skip"}, {"canaries": -1}, {"batch_size": True}],
)
def test_wrong_options_are_told(wrong):
    """An option with a value that means nothing is an error when the map is made."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        lean_magic.cached_map(len, **wrong)
    with pytest.raises(TypeError, match="no option 'size'"):
        lean_magic.cached_map(len, size=3)
    with pytest.raises(TypeError, match="takes a function"):
        lean_magic.cached_map(5)


def test_switched_off(monkeypatch, cache_dir):
    """With caching off the function just runs, on all items at once."""
    monkeypatch.setenv("LEAN_MAGIC_OFF", "1")
    mapped = lean_magic.cached_map(lambda texts: [len(texts)] * len(texts), batch_size=2)
    assert mapped(TEXTS) == [50] * 50
    assert not cache_dir.exists()
