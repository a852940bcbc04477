"""What files hold, kept between processes: a hundred thousand images are not read again to be recognised.

Digests are kept under a file's path, size, times and inode, as for the files that a cell has read; a file that
was changed within the clock's tick is digested each time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import xxhash

from lean_magic import clock
from lean_magic.effects import Run
from lean_magic.effects.contents import TICK, digest_of, remember, stat_of
from lean_magic.errors import Damaged, StoreError
from lean_magic.items.columns import split
from lean_magic.items.identity import Identity
from lean_magic.items.index import group, index_of
from lean_magic.items.rows import read
from lean_magic.items.writer import Writer
from lean_magic.store.segments import Segments
from lean_magic.values import Walk
from lean_magic.values.fingerprint import combine

__all__ = ["recognised"]

_MAP = combine("what files hold", b"1").hex()
_FEW = 64  # paths from which on it is worth a look
_STAT = struct.Struct("<4q")
_NOBODY = Identity(_MAP, "files", {}, Run(shell=None, namespace={}, walk=Walk()))


@contextmanager
def recognised(root: Path, values: Any) -> Iterator[None]:
    """Let the digests of paths among `values` be known that an earlier process took; keep those taken inside."""
    kinds = set(map(type, values)) if isinstance(values, list) else set()
    paths = any(issubclass(kind, PurePath) for kind in kinds)
    names = [str(one) for one in values if isinstance(one, PurePath)] if paths else []
    if len(names) < _FEW:
        yield
        return
    stats = [stat_of(name) or (0, 0, 0, 0) for name in names]
    keys = _keys(names, stats)
    home = Segments(root, _MAP)
    with suppress(StoreError):
        _recall(home, keys, names, stats)
    started = clock.perf_counter()
    yield
    with suppress(StoreError):  # only a speed-up
        _keep(home, keys, names, stats, clock.perf_counter() - started)


def _keys(names: list[str], stats: list[tuple[int, int, int, int]]) -> Any:
    found = [
        xxhash.xxh3_128_digest(os.fsencode(os.path.abspath(name)) + b"\0" + _STAT.pack(*stat))
        for name, stat in zip(names, stats, strict=True)
    ]
    return np.frombuffer(b"".join(found), np.dtype(">u8")).reshape(-1, 2).astype(np.uint64)


def _recall(home: Segments, keys: Any, names: list[str], stats: list[tuple[int, int, int, int]]) -> None:
    index = index_of(home, _NOBODY)
    rows = index.find(keys)
    found = np.flatnonzero(rows >= 0)
    for segment, some in group(index.segments_of(rows[found])):
        places = found[list(some)]
        with suppress(Damaged):
            values = read(index.places[segment], rows[places] - index.start(segment)).values()
            for place, digest in zip(places.tolist(), values, strict=True):
                remember(names[place], stats[place], bytes(digest).hex())


def _keep(home: Segments, keys: Any, names: list[str], stats: Any, seconds: float) -> None:
    """Store the digests that are new, of files that have rested."""
    missing = np.flatnonzero(index_of(home, _NOBODY).find(keys) < 0).tolist()
    now = clock.time_ns()
    rested = [place for place in missing if now - max(stats[place][1], stats[place][3]) > TICK]
    rested = [place for place in rested if stat_of(names[place]) == stats[place]]
    if len(rested) < _FEW:
        return
    digests = np.array([list(bytes.fromhex(digest_of(names[place]))) for place in rested], np.uint8)
    header = {"label": "what files hold", "function": "", "parts": {}}
    Writer(home, header).add(
        keys[rested], split(digests, len(rested), "digest"), seconds, {"files": None, "key": {}}
    )
