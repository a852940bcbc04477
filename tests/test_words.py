"""Durations, sizes, ages and names of kinds in words."""

import pytest

from lean_magic.words import age, duration, size, with_article


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.0123, "12.3 ms"), (0.999, "999 ms"), (3.21, "3.2 s"), (59.96, "1 min"), (252, "4 min 12 s"),
     (7500, "2 h 5 min"), (273600, "3 d 4 h")],
)  # fmt: skip
def test_durations(seconds, text):
    """A duration is said in the two largest units that tell something."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (312, "312 B"),
        (1500, "1.5 kB"),
        (38_000_000, "38 MB"),
        (1.2e9, "1.2 GB"),
        (5e12, "5.0 TB"),
    ],
)
def test_sizes(count, text):
    """A size is said in powers of a thousand, with a decimal while it is small."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "just now"), (30, "30 s ago"), (300, "5 min ago"), (200000, "2 d ago")]
)
def test_ages(seconds, text):
    """An age is said in its largest unit."""
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("word", "text"), [("list", "a list"), ("int", "an int"), ("numpy.ndarray", "a numpy.ndarray")]
)
def test_articles(word, text):
    """A kind is named with the article that fits."""
    assert with_article(word) == text
