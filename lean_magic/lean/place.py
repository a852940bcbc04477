"""Where the verbs look: settings, store and ledger; and how an entry is found by what people call it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lean_magic.errors import Damaged, UsageError
from lean_magic.lean.request import nearest
from lean_magic.store.eviction import Use, uses
from lean_magic.store.segments import Segments, maps

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lean_magic.ledger import Ledger
    from lean_magic.settings import LeanMagic
    from lean_magic.store import Line, LocalStore, Manifest

__all__ = ["ID", "Mapped", "Place", "called", "entries", "first_line", "mapped", "newest", "use_of"]

ID = 8  # hex digits of an id that are shown


@dataclass(frozen=True, slots=True)
class Place:
    """One cache, and the word that people call it with."""

    settings: LeanMagic
    store: LocalStore
    ledger: Ledger
    command: str = "%lean"

    def uses(self, only: Collection[str] | None = None) -> dict[str, Use]:
        """Return what the ledger knows about each entry, or about these `only`, by its id. Raises StoreError."""
        return uses(self.ledger.read(only=only))


def entries(place: Place) -> list[Manifest]:
    """Return every entry, newest first. Raises StoreError."""
    return sorted(place.store.list(), key=lambda entry: entry.created, reverse=True)


@dataclass(frozen=True, slots=True)
class Mapped:
    """The items of one function: how many, in how many segments, their bytes, and the seconds they took."""

    name: str
    label: str
    items: int
    segments: int
    size: int
    seconds: float
    created: float  # the newest, in seconds since the epoch


def mapped(place: Place, text: str = "") -> list[Mapped]:
    """Return the functions that have items, newest first, or those with `text` in their label. Raises StoreError."""
    found = [_mapped(home) for home in maps(place.store.root)]
    return sorted(
        (one for one in found if one.items and (text in one.label.casefold() or one.name.startswith(text))),
        key=lambda one: one.created,
        reverse=True,
    )


def _mapped(home: Segments) -> Mapped:
    metas = []
    for name in home.names():
        with suppress(Damaged):
            metas.append(home.open(name).meta)
    return Mapped(
        name=home.name,
        label=str(metas[-1]["label"]) if metas else "",
        items=sum(int(meta["count"]) for meta in metas),
        segments=len(metas),
        size=home.size(),
        seconds=math.fsum(float(meta["seconds"]) for meta in metas),
        created=max((float(meta["created"]) for meta in metas), default=0.0),
    )


def newest(place: Place, lines: Sequence[Line], count: int) -> list[Manifest]:
    """Return the `count` newest of some entries, newest first; those that are gone are passed over."""
    found: list[Manifest] = []
    for line in sorted(lines, key=lambda line: line.created, reverse=True):
        if len(found) == count:
            break
        found += [each for each in place.store.get(line.family, line.key) if each.entry == line.entry]
    return found


def use_of(entry: Manifest, known: dict[str, Use]) -> Use:
    """Return the hits and the last use of an entry; the ledger may have lost it."""
    return known.get(entry.entry, Use(entry.created))


def called(place: Place, name: str, digits: int = 1) -> list[Manifest]:
    """Return the entries with this label, newest first, or the one whose id begins so, in `digits` or more.

    Raises UsageError, naming the nearest label, if there is none, or more than one such id.
    """
    every = entries(place)
    found = [entry for entry in every if entry.label == name]
    if not found and len(name) >= digits:
        found = [entry for entry in every if entry.entry.startswith(name.lower())]
        if len(found) > 1:
            ids = ", ".join(entry.entry[:ID] for entry in found[:5])
            raise UsageError(f"{place.command}: the ids of {len(found)} entries begin with {name!r}: {ids}")
    if not found:
        raise UsageError(f"{place.command}: {_unknown(place, name, {entry.label for entry in every})}")
    return found


def _unknown(place: Place, name: str, labels: set[str]) -> str:
    near = nearest(name, sorted(labels - {""}))
    hint = f"did you mean {near}?" if near else f"{place.command} ls lists them"
    return f"no entry has the label or id {name!r}; {hint}"


def first_line(source: str) -> str:
    """Return the first line of a cell that says something; comments only if there is nothing else."""
    lines = [" ".join(line.split()) for line in source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("#")), lines[0] if lines else "")
