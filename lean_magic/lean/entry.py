"""`%lean show`: everything about one entry."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lean_magic import clock
from lean_magic.lean.page import Block, Code, Column, Page, Table, Text
from lean_magic.lean.place import ID, called, use_of
from lean_magic.store.folder import PAYLOAD, key_folder
from lean_magic.words import age, duration, size

if TYPE_CHECKING:
    from lean_magic.lean.place import Place
    from lean_magic.lean.request import Request
    from lean_magic.store import Manifest

__all__ = ["show"]

_ROWS = 50  # of one table: a cell may have read thousands of files
_KINDS = {
    "key": "variable",
    "names": "variable",
    "generators": "generator",
    "files": "file",
    "folders": "folder",
    "packages": "package",
}


def show(place: Place, request: Request) -> Page:
    """Show one entry, or the newest of a label: its code, what it depends on, what it did."""
    entry, *older = called(place, request.operand)
    parts = [(name, part.text, part.digest[:ID]) for name, part in entry.parts.items()]
    blocks: list[Block] = [
        Table([Column(), Column()], _facts(place, entry)),
        Text("its code", title=True),
        Code(entry.source),
        Text("what it depends on", title=True),
        Table([Column(code=True), Column(), Column(code=True)], parts, bend=1),
    ]
    for title, told in (("what its run observed", entry.observed), ("what a hit puts back", entry.effects)):
        rows = [row for name, item in told.items() for row in _told(name, item)]
        table = Table([Column(), Column(code=True)], _limited(rows))
        blocks += [Text(title, title=True), table] if rows else []
    if older:
        ids = ", ".join(other.entry[:ID] for other in older[:5])
        blocks.append(Text(f"{len(older)} older with the same label: {ids}{' …' if len(older) > 5 else ''}"))
    return Page(blocks)


def _facts(place: Place, entry: Manifest) -> list[tuple[str, str]]:
    use, now = use_of(entry, place.uses()), clock.time()
    last = f", the last {age(now - use.last)}" if use.hits else ""
    facts = {
        "label": entry.label,
        "id": entry.entry,
        "cell": entry.cell_id,
        "made": f"{_clock(entry.created)} ({age(now - entry.created)})",
        "took": duration(entry.seconds),
        "hits": f"{use.hits}{last}",
        "payload": _payload(place, entry),
        **{str(name): str(told) for name, told in entry.provenance.items()},
    }
    return [(name, told) for name, told in facts.items() if told]


def _clock(seconds: float) -> str:
    try:
        return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):  # a clock that was centuries off
        return f"{seconds:.0f} s after 1970"


def _payload(place: Place, entry: Manifest) -> str:
    path = key_folder(place.store.root, entry.family, entry.key) / f"{entry.entry}{PAYLOAD}"
    return f"{size(entry.payload.size)}, {path}" if entry.payload else "none"


def _told(recorder: str, item: Any) -> Iterator[tuple[str, str]]:
    """Yield a row for each thing that a recorder named: an object's keys, or the words in a list."""
    for name, value in item.items() if isinstance(item, Mapping) else [(recorder, item)]:
        if isinstance(value, Mapping):
            yield from ((_kind(name), str(inner)) for inner in value)
        elif isinstance(value, list) and all(isinstance(word, str) for word in value):
            yield from [(_kind(name), ", ".join(value))] if value else []
        elif isinstance(item, Mapping) and not isinstance(value, int | float):
            yield _kind(recorder), str(name)


def _kind(name: str) -> str:
    return _KINDS.get(name, name)


def _limited(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return rows if len(rows) <= _ROWS else [*rows[:_ROWS], ("", f"and {len(rows) - _ROWS} more")]
