"""What can be done with stored items besides finding them: forgetting, counting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lean_magic import clock
from lean_magic.effects import files
from lean_magic.items import care
from lean_magic.items.choices import Choices, MapStats
from lean_magic.items.index import Index
from lean_magic.items.lookup import Lookup
from lean_magic.store import Lease, Leases
from lean_magic.store.segments import Segments

__all__ = ["forget", "stats"]


def forget(choices: Choices, items: Any, options: Mapping[str, Any]) -> int:
    """Delete results; see CachedMap.forget."""
    call = Lookup(choices, [] if items is None else items, options)
    with files.unwatched():
        call.look()
        if items is None:
            for home in [call.home, *call.home.linked()]:
                home.clear()
            return call.index.count
        lease = _wait(call.home)
        try:
            return _forget(call)
        finally:
            lease.close()


def _wait(home: Segments) -> Lease:
    """Wait until nobody packs these segments."""
    while True:
        lease = Leases(home.root).take(home.name)
        if lease is not None:
            return lease
        clock.sleep(0.05)


def _forget(call: Lookup) -> int:
    wanted, gone = Index.of(call.keys), set[bytes]()
    call.find()
    header = care.meta(call.map, call.identity)
    for place in call.index.places:
        keys = place.keys()
        hit = wanted.find(keys) >= 0
        if hit.any():
            gone |= {bytes(key) for key in keys[hit]}
            care.without(place, keys, np.flatnonzero(~hit), header)
    return len(gone)


def stats(choices: Choices, options: Mapping[str, Any]) -> MapStats:
    """Say what is stored; see CachedMap.stats."""
    call = Lookup(choices, [], options)
    with files.unwatched():
        call.look()
        places = call.index.places
        total = sum(care.size_of(place.home, place.name) for place in places)
    seconds = math.fsum(place.seconds * place.count for place in places)
    return MapStats(call.index.count, len(places), total, seconds)
