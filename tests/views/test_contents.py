"""What the browser lists, and in which order."""

import datetime

import pytest

from lean_magic.views.contents import ORDERS, Item, arranged, contents, named

DAY = 86_400.0
NOON = datetime.datetime(2026, 5, 20, 12).astimezone()
NOW, TODAY = NOON.timestamp(), NOON.date()


def test_hits_and_savings_of_each_entry(manifest, line):
    """Each entry has its own hits, what they saved and the last of them; deleted entries count in the total alone."""
    lines = [
        line(entry="ab12", saved=3.0, time=NOW - 5),
        line(entry="ab12", saved=4.0, time=NOW - 9),
        line(entry="dead", saved=100.0, time=NOW),
    ]
    found = contents([manifest("ab12", created=1.0), manifest("cd34", "fb", created=2.0)], lines, TODAY)
    assert [(item.entry.entry, item.hits, item.saved, item.last) for item in found.items] == [
        ("cd34", 0, 0.0, 0.0),
        ("ab12", 2, 7.0, NOW - 5),
    ]
    assert (found.hits, found.saved) == (3, 107.0)


def test_savings_by_day(line):
    """Hits are summed by the local day; days without any are there too, and a mad clock does no harm."""
    lines = [line(saved=1.0, time=NOW), line(saved=2.0, time=NOW - DAY), line(saved=3.0, time=NOW - DAY)]
    lines += [line(saved=9.0, time=1e18), line(outcome="miss", time=NOW), {"outcome": 7}]
    days = contents([], lines, TODAY, days=3).days
    assert [(day.seconds, day.hits) for day in days] == [(0.0, 0), (5.0, 2), (1.0, 1)]
    assert days[-1].date == TODAY


def test_why_an_entry_ran(manifest, line):
    """An entry tells the run that made it; the newest of its code tells a later run that was not stored."""
    entries = [manifest("01", created=10.0), manifest("02", created=20.0)]
    lines = [
        line(outcome="miss", entry="01", family="fa", time=10.0, reasons=("first run",)),
        line(outcome="miss", entry="02", family="fa", time=20.0, reasons=("`x` changed",)),
    ]
    assert [item.ran.reasons for item in contents(entries, lines, TODAY).items] == [
        ("`x` changed",),
        ("first run",),
    ]
    lines.append(line(outcome="bypass", family="fa", time=30.0, reasons=("`t` is a thread",)))
    assert [item.ran.reasons for item in contents(entries, lines, TODAY).items] == [
        ("`t` is a thread",),
        ("first run",),
    ]
    assert contents([manifest("03")], [], TODAY).items[0].ran is None


def test_filter(manifest):
    """A text chooses by label, code or id, whatever its case."""
    items = [Item(manifest("ab12", label="Embed")), Item(manifest("cd34", source="other = 1"))]
    for text, count in (("embed ", 1), ("OTHER", 1), ("cd3", 1), ("", 2), ("nowhere", 0), ("b12", 0)):
        assert len(arranged(items, text, "newest first")) == count


@pytest.mark.parametrize("order", list(ORDERS))
def test_orders(manifest, order):
    """Each order puts what it names first."""
    first = {"newest first": "new", "most saved": "rich", "most hits": "liked", "largest": "big"}.get(
        order, "old"
    )
    items = [
        Item(manifest(label="new", created=9.0), last=9.0),
        Item(manifest(label="rich", created=5.0), saved=9.0, last=8.0),
        Item(manifest(label="liked", created=5.0), hits=9, last=8.0),
        Item(manifest(label="big", created=5.0, size=99), last=8.0),
        Item(manifest(label="old", created=1.0)),
    ]
    assert named(arranged(items, "", order)[0].entry) == first


def test_names(manifest):
    """An entry is called by its label, else by code that says something, else by its id."""
    assert named(manifest(label="embed", source="x = 1")) == "embed"
    assert named(manifest(source="\n# words\n  y  = 2\n")) == "y = 2"
    assert named(manifest("0123456789", source="")) == "01234567"
