"""What the cache browser lists: each entry with its hits, what they saved and why it last ran; savings by day."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lean_magic.ledger import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from lean_magic.store import Manifest

__all__ = ["ORDERS", "Contents", "Day", "Item", "arranged", "contents", "named"]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry, with what the ledger knows about it. Times are in seconds, moments since the epoch."""

    entry: Manifest
    hits: int = 0
    saved: float = 0.0
    last: float = 0.0  # the last use; 0 if the ledger knows none
    ran: Record | None = None  # the last run that was no hit: why it missed

    @property
    def size(self) -> int:
        """The bytes of the payload."""
        return self.entry.payload.size if self.entry.payload else 0


@dataclass(frozen=True, slots=True)
class Day:
    """What hits saved on one day, where the kernel is."""

    date: datetime.date
    seconds: float = 0.0
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything the browser shows, as it was when it was read."""

    items: Sequence[Item] = ()
    days: Sequence[Day] = ()  # the last ones, oldest first, today included
    hits: int = 0  # in total, those of deleted entries included
    saved: float = 0.0


@dataclass(slots=True)
class _Sums:
    """What one pass over the ledger collects."""

    uses: dict[str, Item] = field(default_factory=dict)  # by entry
    runs: dict[str, Record] = field(default_factory=dict)  # by entry, the run that made it
    refused: dict[str, Record] = field(default_factory=dict)  # by family, the last run that was not stored
    days: dict[datetime.date, Day] = field(default_factory=dict)


def contents(
    entries: Iterable[Manifest], records: Iterable[Mapping[str, Any]], today: datetime.date, days: int = 30
) -> Contents:
    """Join entries with the lines of the ledger, for so many days up to `today`; newest entries first."""
    sums, total = _Sums(), Contents()
    for line in records:
        record = Record.from_json(line)
        if record.outcome == "hit":
            total = replace(total, hits=total.hits + 1, saved=total.saved + record.saved)
        _add(sums, record)
    newest: dict[str, Manifest] = {}
    ordered = sorted(entries, key=lambda entry: entry.created, reverse=True)
    for entry in ordered:
        newest.setdefault(entry.family, entry)
    items = [_item(entry, sums, newest=newest[entry.family] is entry) for entry in ordered]
    dates = [today - datetime.timedelta(days=ago) for ago in reversed(range(days))]
    return replace(total, items=items, days=[sums.days.get(date, Day(date)) for date in dates])


def _add(sums: _Sums, record: Record) -> None:
    if record.outcome == "hit":
        _hit(sums, record)
    elif record.entry:
        sums.runs[record.entry] = record
    elif record.family:
        sums.refused[record.family] = record


def _hit(sums: _Sums, record: Record) -> None:
    seconds, hits, last = record.saved, 1, record.time
    before = sums.uses.get(record.entry)
    if before is not None:
        seconds, hits, last = before.saved + seconds, before.hits + hits, max(before.last, last)
    sums.uses[record.entry] = Item(_NO_ENTRY, hits, seconds, last)
    date = _date(record.time)
    if date is not None:
        day = sums.days.get(date, Day(date))
        sums.days[date] = Day(date, day.seconds + record.saved, day.hits + 1)


_NO_ENTRY: Any = None  # in place of a manifest, until the sums are joined with one


def _date(moment: float) -> datetime.date | None:
    try:
        return datetime.datetime.fromtimestamp(moment).astimezone().date()
    except (OverflowError, ValueError, OSError):  # a clock that was centuries off
        return None


def _item(entry: Manifest, sums: _Sums, *, newest: bool) -> Item:
    made, refused = sums.runs.get(entry.entry), sums.refused.get(entry.family)
    later = refused is not None and newest and refused.time > entry.created
    use = sums.uses.get(entry.entry, Item(_NO_ENTRY))
    return replace(use, entry=entry, ran=refused if later else made)


# -- in which order, and which of them ---------------------------------------------------

ORDERS: Mapping[str, Callable[[Item], float]] = {
    "newest first": lambda item: item.entry.created,
    "most saved": lambda item: item.saved,
    "most hits": lambda item: item.hits,
    "largest": lambda item: item.size,
    "longest unused": lambda item: -max(item.last, item.entry.created),
}


def arranged(items: Iterable[Item], text: str, order: str) -> list[Item]:
    """Return the items whose label, code or id has the text in it, in one of ORDERS."""
    text = text.strip().casefold()
    found = [item for item in items if not text or _has(item.entry, text)]
    return sorted(found, key=ORDERS[order], reverse=True)


def _has(entry: Manifest, text: str) -> bool:
    return text in entry.label.casefold() or text in entry.source.casefold() or entry.entry.startswith(text)


def named(entry: Manifest) -> str:
    """Return what an entry is called: its label, else the first line of its code that says something."""
    lines = [" ".join(line.split()) for line in entry.source.splitlines() if line.strip()]
    code = next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")
    return entry.label or code or entry.entry[:8]
