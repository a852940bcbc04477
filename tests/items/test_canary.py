"""Known items are computed again with new ones: what differs is not believed, and nothing of it stored."""

import numpy as np
import pytest

import lean_magic
from lean_magic.items.canary import differs

torch = pytest.importorskip("torch")

TEXTS = [f"text {number}" for number in range(60)]


class Hidden:
    """Something outside all that can be seen, such as a service on the network."""

    value = 1.0


def hidden():
    """Give a function whose results depend on what no key holds."""

    def scaled(texts):
        return np.array([[len(text) * Hidden.value, 1] for text in texts])

    return lean_magic.cached_map(scaled, version="the same", batch_size=16)


@pytest.fixture(autouse=True)
def reset():
    """Start with the same hidden value."""
    Hidden.value = 1.0


def test_a_function_that_gives_something_else_now():
    """A canary that differs takes the whole call back: all values are new ones, and both are told."""
    mapped = hidden()
    mapped(TEXTS[:40])
    Hidden.value = 1.5
    with pytest.warns(UserWarning, match=r"stored \[\d.* computed \[\d"):
        found = mapped(TEXTS)
    assert np.array_equal(found[:, 0], [len(text) * 1.5 for text in TEXTS])
    assert mapped.plan(TEXTS).found == 40  # nothing was added


def test_what_is_doubted_is_not_believed_again():
    """After a canary failed, nothing of the function is served until it is forgotten."""
    mapped = hidden()
    mapped(TEXTS[:40])
    Hidden.value = 1.5
    with pytest.warns(UserWarning, match="nothing was stored"):
        mapped(TEXTS)
    assert mapped(TEXTS[:40])[0, 0] == len(TEXTS[0]) * 1.5
    mapped.forget()
    mapped(TEXTS)
    assert mapped(TEXTS)[0, 0] == len(TEXTS[0]) * 1.5
    assert mapped.last.found == 60


def test_a_function_of_its_batch():
    """A function whose results depend on what else is in the batch is found out in its first call."""

    def centred(texts):
        lengths = np.array([hash(text) % 97 for text in texts], float)
        return lengths - lengths.mean()

    for count in (20, 60):
        mapped = lean_magic.cached_map(centred, batch_size=32)
        mapped.forget()
        with pytest.warns(UserWarning, match="what else is in the batch"):
            found = mapped(TEXTS[:count])
        assert np.array_equal(found, centred(TEXTS[:count]))
        assert mapped.stats().items == 0


def test_padding_to_the_longest_of_a_batch():
    """Rows whose shape depends on the batch cannot stand in one array: the function just runs."""

    def padded(texts):
        longest = max(map(len, texts))
        return np.array([list(text.ljust(longest).encode()) for text in texts])

    texts = ["a", "bb", "ccc", "dddd"]
    mapped = lean_magic.cached_map(padded, batch_size=2, canaries=0)
    with pytest.warns(UserWarning, match="depend on what else is in the batch"):
        assert np.array_equal(mapped(texts), padded(texts))


def test_a_model_in_training():
    """Dropout gives another result each time, which a canary sees."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5))
    mapped = lean_magic.cached_map(torch.no_grad()(lambda rows: model(rows)), batch_size=16)
    with pytest.warns(UserWarning, match="nothing was stored"):
        mapped(torch.ones(40, 4) * torch.arange(40)[:, None])


def test_rounding_is_no_difference():
    """Sums in another order are the same; a change beyond the tolerance is not."""
    row = np.linspace(-1, 1, 9, dtype="f4")
    assert differs(row, row * np.float32(1.00001)) == ""
    assert differs(row, row * np.float32(1.01)) != ""
    assert differs(row, row * np.float32(1.01), tolerance=0.1) == ""
    assert differs(row.astype("f8"), row.astype("f8") * 1.00001) != ""
    assert differs(row.astype("f2"), row.astype("f2") * np.float16(1.01)) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros(2), np.zeros(3)),
        (np.zeros(2, "f4"), np.zeros(2)),
        (np.array([1, 2]), np.array([1, 3])),
        (np.array([np.nan]), np.array([0.0])),
        (np.array([np.inf]), np.array([-np.inf])),
        (1, 1.0),
        ("a", "b"),
        ([1, 2], [1, 2, 3]),
        ({"a": 1.0}, {"a": 1.1}),
        ({"a": 1}, {"b": 1}),
        (None, 0),
        (torch.ones(2), torch.ones(2) * 1.1),
        (torch.ones(2), torch.ones(2).double()),
        (torch.ones(2).bfloat16(), torch.ones(2).bfloat16() * 1.1),
    ],
)
def test_differences_are_seen(one, other):
    """Shape, dtype, kind and content of a result all count, at any depth."""
    assert differs(one, other)
    assert differs([{"x": one}], [{"x": other}])


@pytest.mark.parametrize(
    "value",
    [
        np.array([np.nan, 1]),
        np.array(["a"]),
        {"a": [1, (None, "x")]},
        torch.ones(2).bfloat16(),
        0.5,
        True,
        np.float32(2),
    ],
)
def test_the_same_is_no_difference(value):
    """A value does not differ from itself, NaN included."""
    assert differs(value, value) == ""


def test_verify_computes_known_items_again():
    """`verify` recomputes some known items, and raises with both values if one differs."""
    mapped = hidden()
    mapped(TEXTS)
    assert mapped.verify(k=10) == 10
    assert mapped.verify(TEXTS[:3]) == 3
    Hidden.value = 2.0
    with pytest.raises(AssertionError, match="stored .* computed"):
        mapped.verify()


def test_without_canaries():
    """With canaries=0 nothing is computed twice."""
    mapped = lean_magic.cached_map(lambda texts: [len(text) for text in texts], canaries=0, batch_size=16)
    mapped(TEXTS[:40])
    mapped(TEXTS)
    assert mapped.last.computed == 20
