"""What keeps a map in order: headers, reasons, packing small segments together, forgetting, figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from lean_magic import clock
from lean_magic.errors import Damaged, LeanMagicError
from lean_magic.host import provenance
from lean_magic.items.choices import Choices
from lean_magic.items.columns import Batch, joined
from lean_magic.items.identity import Identity
from lean_magic.items.index import Index, Place
from lean_magic.items.rows import blocks_of, read
from lean_magic.key import difference
from lean_magic.key.parts import Part
from lean_magic.store import Leases, eviction
from lean_magic.store.segments import Segment, Segments, maps

if TYPE_CHECKING:
    from lean_magic.runner import Runner

__all__ = ["evict", "meta", "pace", "pack", "reason", "size_of", "without"]

_SMALL = 8  # small segments that are packed together
_LOOKED_AT = 50  # maps looked at for a reason: worth a glance, not a search
_EVERY = 1 << 30  # bytes stored by this process between two looks at the size of the folder
_TEXT = 4000


def meta(choices: Choices, identity: Identity) -> dict[str, Any]:
    """Give what every header of this function says."""
    return {
        "label": choices.label,
        "function": identity.name,
        "parts": {name: [part.digest, part.text[:_TEXT]] for name, part in identity.parts.items()},
        "provenance": provenance(),
    }


def size_of(home: Segments, name: str) -> int:
    """Give the bytes of a segment's file; 0 if it is gone."""
    with suppress(OSError):
        return (home.folder / name).stat().st_size
    return 0


# -- why nothing was found, and how long it will take -------------------------------------------


def reason(home: Segments, identity: Identity, label: str) -> str:
    """Say how the most similar function that has items differs from this one."""
    found = [segment.meta for segment in _others(home, label)]
    if not found:
        return "first run"
    nearest = max(found, key=lambda one: (_shared(one["parts"], identity), one["created"]))
    before = {name: Part(*part) for name, part in nearest["parts"].items()}
    changes = [str(one) for one in difference(before, identity.parts) if one.name != "code"]
    return " · ".join(changes[:3]) or "first run"


def _shared(parts: Mapping[str, Any], identity: Identity) -> int:
    return sum(
        name in identity.parts and identity.parts[name].digest == part[0] for name, part in parts.items()
    )


def _others(home: Segments, label: str) -> list[Segment]:
    """Open the newest segment of each other map with this label."""
    found = []
    for other in maps(home.root)[:_LOOKED_AT]:
        if other.name == home.name:
            continue
        with suppress(LeanMagicError):
            names = other.names()
            segment = other.open(names[-1]) if names else None
            if segment is not None and segment.meta.get("label") == label:
                found.append(segment)
    return found


def pace(home: Segments, index: Index, label: str) -> float | None:
    """Give the seconds an item took, here or with the function before it was changed; None if nobody knows."""
    if index.places:
        count = sum(place.count for place in index.places)
        return math.fsum(place.seconds * place.count for place in index.places) / count
    others = _others(home, label)
    newest = max((one.meta for one in others), key=lambda one: one["created"], default=None)
    return None if newest is None else newest["seconds"] / max(newest["count"], 1)


# -- the folder ---------------------------------------------------------------------------

_stored = [0]  # bytes since the last look


def evict(runner: Runner, stored: int) -> None:
    """Keep the folder under its budget; looked at now and then, since looking costs as well."""
    _stored[0] += stored
    settings = runner.settings
    budget = settings.budget
    if _stored[0] < min(_EVERY, budget // 10):
        return
    _stored[0] = 0
    store = runner.store
    if store.size() > budget:
        eviction.prune(store, runner.ledger.read(), int(budget * 0.9), clock.time(), settings.pinned)


def pack(home: Segments, index: Index, header: Mapping[str, Any]) -> int:
    """Write small segments once more as large ones, if there are many; gives how many went."""
    groups: dict[tuple[str, str], list[Place]] = {}
    for place in index.places:
        if place.home.name == home.name:
            groups.setdefault((place.observed, repr((place.tree, place.specs))), []).append(place)
    gone = 0
    for places in groups.values():
        small = [place for place in places if _is_small(place)]
        if len(small) < _SMALL:
            continue
        lease = Leases(home.root).take(home.name)
        if lease is None:  # somebody else is at it
            return gone
        try:
            gone += _packed(home, small, header)
        finally:
            lease.close()
    return gone


def _is_small(place: Place) -> bool:
    data = sum(block.size for block in place.segment.blocks.values())
    return place.count < 60_000 and data < 12 << 20


def _packed(home: Segments, small: list[Place], header: Mapping[str, Any]) -> int:
    gone: list[Place] = []
    while small:
        some, small = _fitting(small)
        if len(some) < 2:
            break
        with suppress(Damaged):  # evicted meanwhile, or damaged: looked at again next time
            keys, batch, seconds = _joined(some)
            told = {
                "count": batch.count,
                "seconds": seconds,
                "created": max(_created(place) for place in some),
            }
            about = {"form": batch.form, "device": some[0].segment.meta["device"]}
            home.put(
                {**header, **told, **about, "observed": json.loads(some[0].observed)}, blocks_of(keys, batch)
            )
            home.remove([place.name for place in some])
            gone += some
    return len(gone)


def _created(place: Place) -> float:
    return float(place.segment.meta["created"])


def _fitting(small: list[Place]) -> tuple[list[Place], list[Place]]:
    """Take as many segments as fit into one."""
    size, count = 0, 0
    for number, place in enumerate(small):
        size += sum(block.size for block in place.segment.blocks.values())
        count += place.count
        if number and (size > 17 << 20 or count > 65536):
            return small[:number], small[number:]
    return small, []


def _joined(places: list[Place]) -> tuple[Any, Batch, float]:
    """Read segments whole; of items that are there twice one stays."""
    keys = np.concatenate([place.keys() for place in places])
    whole = joined([read(place, np.arange(place.count)) for place in places])
    _, first = np.unique(keys, axis=0, return_index=True)
    first.sort()
    seconds = math.fsum(place.seconds * place.count for place in places) * len(first) / max(len(keys), 1)
    return (keys, whole, seconds) if len(first) == len(keys) else (keys[first], whole.take(first), seconds)


def without(place: Place, keys: Any, rows: Any, header: Mapping[str, Any]) -> None:
    """Write a segment again with only some of its rows."""
    if len(rows):
        batch = read(place, rows)
        told = {"count": len(rows), "seconds": place.seconds * len(rows), "created": _created(place)}
        about = {
            "form": batch.form,
            "device": place.segment.meta["device"],
            "observed": json.loads(place.observed),
        }
        place.home.put({**header, **told, **about}, blocks_of(keys[rows], batch))
    place.home.remove([place.name])
