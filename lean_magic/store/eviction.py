"""Which entries go when the folder is over its budget: a pure plan, and the few lines that carry it out.

An entry is worth the seconds it saves per byte it keeps, less the longer nobody uses it:

    worth = seconds * (1 + hits) / size / 2 ** (idle / week)

This is GreedyDual-Size (P. Cao, S. Irani: Cost-Aware WWW Proxy Caching Algorithms, USENIX Symposium on
Internet Technologies and Systems, 1997), whose H = L + cost / size is renewed at each use, while L, the H of
what went last, rises and so ages whatever is not used. Many kernels share the folder and none keeps an L, so
the clock ages instead. The factor 1 + hits is that of GreedyDual-Size-Frequency (L. Cherkasova: Improving WWW
Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy, HP Labs, HPL-98-69R1, 1998).
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lean_magic.errors import Damaged, StoreError
from lean_magic.store.folder import MANIFEST, PAYLOAD, SEAL, key_folder
from lean_magic.store.segments import Segments, maps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from lean_magic.store.local import LocalStore
    from lean_magic.store.manifest import Manifest
    from lean_magic.store.payload import Progress

__all__ = ["ITEMS", "Candidate", "Use", "candidates", "carry_out", "plan", "prune", "uses", "worth"]

HALF_LIFE = 7 * 86_400.0  # seconds without use after which an entry is worth half
ITEMS = "items"  # the family of segments, which is no digest
_LEAST = 1e-9  # seconds: a run that took no measurable time


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry as the plan sees it: `size` in bytes of all its files, times in seconds since the epoch."""

    entry: str
    family: str
    key: str
    size: int
    seconds: float  # what the run took, so what a hit saves
    created: float
    last_used: float
    hits: int = 0
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """What the ledger knows about an entry."""

    last: float  # seconds since the epoch
    hits: int = 0


def plan(entries: Sequence[Candidate], budget: int, now: float) -> list[Candidate]:
    """Return what goes so that the rest fits into `budget` bytes, the least worth first; the pinned stay.

    The most worth is kept first, and each further entry if it still fits: a large one that does not fit takes
    no small ones with it. Of two entries the one that is better in every respect never goes before the other.
    """
    room = budget - sum(entry.size for entry in entries if entry.pinned)
    gone = []
    for entry in sorted(entries, key=lambda entry: _rank(entry, now), reverse=True):
        if entry.pinned:
            continue
        if entry.size <= room:
            room -= entry.size
        else:
            gone.append(entry)
    return gone[::-1]


def worth(entry: Candidate, now: float) -> float:
    """Return the binary logarithm of the worth: as such it neither overflows nor vanishes."""
    idle = max(now - entry.last_used, 0.0)  # a clock that jumped back makes nothing fresher than fresh
    saved = math.log2(max(entry.seconds, _LEAST)) + math.log2(1 + max(entry.hits, 0))
    return saved - math.log2(max(entry.size, 1)) - idle / HALF_LIFE


def _rank(entry: Candidate, now: float) -> tuple[Any, ...]:
    # What follows the worth only breaks ties, the same way in every kernel.
    return worth(entry, now), entry.last_used, entry.seconds, entry.hits, -entry.size, entry.entry


def uses(records: Iterable[Mapping[str, Any]]) -> dict[str, Use]:
    """Return the last use and the number of hits of each entry, by its id, from the lines of the ledger."""
    found: dict[str, Use] = {}
    for record in records:
        entry, time = record.get("entry"), _moment(record.get("time"))
        if isinstance(entry, str) and entry and time is not None:
            before = found.get(entry, Use(time))
            found[entry] = Use(max(before.last, time), before.hits + (record.get("outcome") == "hit"))
    return found


def _moment(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:  # an integer that no float can hold is no time either
        return None


def candidates(store: LocalStore, known: Mapping[str, Use], pinned: Collection[str] = ()) -> list[Candidate]:
    """Return every entry of a store as a candidate; `pinned` are labels that stay. Raises StoreError."""
    entries = [_candidate(store, manifest, known, manifest.label in pinned) for manifest in store.list()]
    return entries + [one for home in maps(store.root) for one in _segments(home, known, pinned)]


def _segments(home: Segments, known: Mapping[str, Use], pinned: Collection[str]) -> Iterator[Candidate]:
    """Give the segments of a map as candidates; its uses count for each of them."""
    for name in home.names():
        with suppress(Damaged, OSError):
            segment = home.open(name)
            meta, use = segment.meta, known.get(home.name, Use(0.0))
            yield Candidate(
                entry=name,
                family=ITEMS,
                key=home.name,
                size=segment.path.stat().st_size,
                seconds=float(meta["seconds"]),
                created=float(meta["created"]),
                last_used=max(use.last, float(meta["created"])),
                hits=use.hits,
                pinned=meta.get("label") in pinned,
            )


def _candidate(store: LocalStore, manifest: Manifest, known: Mapping[str, Use], pinned: bool) -> Candidate:
    use = known.get(manifest.entry, Use(manifest.created))
    return Candidate(
        entry=manifest.entry,
        family=manifest.family,
        key=manifest.key,
        size=_size(store, manifest),
        seconds=manifest.seconds,
        created=manifest.created,
        last_used=max(use.last, manifest.created),
        hits=use.hits,
        pinned=pinned,
    )


def _size(store: LocalStore, manifest: Manifest) -> int:
    folder, total = key_folder(store.root, manifest.family, manifest.key), 0
    for suffix in (MANIFEST, PAYLOAD, SEAL):
        with suppress(OSError):  # not sealed yet, or deleted meanwhile
            total += (folder / f"{manifest.entry}{suffix}").stat().st_size
    return total


def carry_out(
    store: LocalStore, gone: Sequence[Candidate], progress: Progress | None = None
) -> list[Candidate]:
    """Delete what a plan names, and return what was there to be deleted.

    Each entry goes with its manifest first, and a payload that a kernel has mapped stays readable there.
    Raises the StoreError of the first entry that cannot be deleted, once all others have been tried.
    """
    deleted, failed = [], []
    done, total = 0, sum(entry.size for entry in gone)
    for entry in gone:
        try:
            if _delete(store, entry):
                deleted.append(entry)
        except StoreError as error:
            failed.append(error)
        done += entry.size
        if progress is not None:
            progress(done, total)
    if failed:
        raise failed[0]
    return deleted


def _delete(store: LocalStore, entry: Candidate) -> bool:
    """Delete one entry; gives whether it was still there."""
    if entry.family == ITEMS:
        home = Segments(store.root, entry.key)
        there = (home.folder / entry.entry).exists()
        home.remove([entry.entry])
        return there
    found = [manifest for manifest in store.get(entry.family, entry.key) if manifest.entry == entry.entry]
    for manifest in found:
        store.delete(manifest)
    return bool(found)


def prune(
    store: LocalStore,
    records: Iterable[Mapping[str, Any]],
    budget: int,
    now: float,
    pinned: Collection[str] = (),
) -> list[Candidate]:
    """Bring a store under its budget, in bytes, and return what went; `records` are the ledger's lines.

    Reads every manifest, so it is for a folder that has grown, not for each cell. Raises StoreError.
    """
    return carry_out(store, plan(candidates(store, uses(records), pinned), budget, now))
