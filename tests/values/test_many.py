"""Tests for many objects of one class."""

import argparse
import collections
import dataclasses
import sys
from typing import NamedTuple

import pytest

from lean_magic.values.fingerprint import Walk, fingerprint

COUNT = 40


@dataclasses.dataclass
class Record:
    """A record with a dict of attributes."""

    a: object
    b: object


@dataclasses.dataclass(slots=True)
class Slotted:
    """A record with slots."""

    a: object
    b: object


class Pair(NamedTuple):
    """A record that is a tuple."""

    a: object
    b: object


class Wary:
    """A record whose class answers for attributes that it lacks, and would be disturbed by being asked."""

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __getattr__(self, name):
        raise RuntimeError(name)


class Other(Record):
    """A record of another class."""


KINDS = [Record, Slotted, Pair, Wary, argparse.Namespace]


def records(kind, **changed):
    """Make many records; `changed` gives others at places: `at3=(1, 2)`."""
    rows = [changed.get(f"at{n}", (n, f"text {n}")) for n in range(COUNT)]
    return [kind(a=a, b=b) for a, b in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_records_have_one_digest(kind):
    """Many records of equal content are digested alike, however they were made."""
    assert fingerprint(records(kind)) == fingerprint([*reversed(records(kind)[::-1])])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "changed",
    [
        {"at7": (7, "text")}, {"at7": (7.0, "text 7")}, {"at7": ("text 7", 7)}, {"at7": (None, "text 7")},
        {"at7": (8, "text 8"), "at8": (7, "text 7")}, {"at7": (7, ["text 7"])}, {"at7": (8, "text 7"), "at8": (7, "text 8")},
    ],
    ids=str,
)  # fmt: skip
def test_one_that_differs_is_seen(kind, changed):
    """Another value in any of many records makes another digest, also where values only change places."""
    assert fingerprint(records(kind)) != fingerprint(records(kind, **changed))


def test_class_and_names_are_content():
    """Records of another class, or whose attributes have other names or another order, are others."""
    plain, more, renamed, turned = (records(Record) for _ in range(4))
    for one in more:
        one.c = 1
    for one in renamed:
        one.c = vars(one).pop("b")
    for one in turned:
        one.a = vars(one).pop("a")
    found = [fingerprint(one) for one in (plain, more, renamed, turned, records(Other), records(Wary))]
    assert len(set(found)) == len(found)


def test_the_record_that_has_more_is_content():
    """Which of many records holds one attribute more is content."""
    third, fourth = records(Record), records(Record)
    third[3].c = fourth[4].c = 1
    assert fingerprint(third) != fingerprint(fourth)


@pytest.mark.parametrize("kind", KINDS)
def test_sharing_is_seen(kind):
    """One list that two of many records hold is not two equal ones, and an object met before is known again."""
    apart = records(kind, at1=([1], 0), at2=([1], 0))
    shared = [1]
    together = records(kind, at1=(shared, 0), at2=(shared, 0))
    assert fingerprint(apart) != fingerprint(together)
    assert fingerprint([apart[0], apart]) != fingerprint([records(kind)[0], apart])


def test_records_that_refer_to_each_other():
    """Records in a ring are digested, and which comes after which is content."""
    ring, other = records(Record), records(Record)
    for place in range(COUNT):
        ring[place].b, other[place].b = ring[place - 1], other[(place + 1) % COUNT]
    assert fingerprint(ring) != fingerprint(other)
    assert fingerprint(ring) == fingerprint(ring)


def test_attributes_of_named_tuples_count():
    """What was set on one of many named tuples is content."""

    class Open(collections.namedtuple("Open", "a b")):  # noqa: SLOT002  which gives it attributes
        pass

    plain, marked = records(Open), records(Open)
    marked[5].note = "set"
    assert fingerprint(plain) != fingerprint(marked)


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_met(kind):
    """Each of many records has a mark, by which a later kernel finds it."""
    walk, many = Walk(), records(kind)
    walk.fingerprint("many", many)
    met = set(map(id, walk.met("many")))
    assert all(id(one) in met for one in many)


@pytest.mark.parametrize("kind", KINDS)
def test_no_record_is_visited_by_itself(kind):
    """Many records take no more calls of Python's functions than a few do."""
    few, many = ([kind(a=n, b=n / 2) for n in range(count)] for count in (50, 2000))
    fingerprint(few)
    assert _calls(many) < _calls(few) + 500


def _calls(value):
    count = 0

    def note(frame, event, arg):
        nonlocal count
        count += event == "call" and frame.f_code.co_name[0] != "<"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        fingerprint(value)
    finally:
        sys.setprofile(before)
    return count
