"""What has been computed goes to disk after every batch, and small segments into larger ones as they come.

A batch is one small file at once. When enough have been written they are written once more, as one, and the
small ones deleted; a crash in between leaves the same items twice, which does no harm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lean_magic import clock
from lean_magic.errors import StoreError
from lean_magic.items.columns import Batch, Part, joined
from lean_magic.items.rows import blocks_of
from lean_magic.store.segments import Segments

__all__ = ["Writer", "rows_for"]

_BYTES = 16 << 20  # of a segment that is full
_LEAST, _MOST = 64, 65536  # items of a segment that is full


@dataclass(slots=True)
class Piece:
    """One batch that was stored, or, without a name, one that could not be."""

    keys: Any
    batch: Batch
    seconds: float
    observed: Any
    name: str = ""


@dataclass(slots=True)
class Writer:
    """Writes the segments of one call; `meta` goes into each header. `failed` says why nothing more is stored."""

    home: Segments
    meta: Mapping[str, Any]
    device: str = ""
    failed: str = ""
    held: list[Piece] = field(default_factory=list)  # could not be stored: they live as long as the call
    written: list[str] = field(default_factory=list)
    stored: int = 0  # items
    _open: list[Piece] = field(default_factory=list)

    def add(self, keys: Any, batch: Batch, seconds: float, observed: Any) -> None:
        """Store the results of one batch, `seconds` in all; `observed` is JSON."""
        piece = Piece(keys, batch, seconds, observed)
        if self._open and not _alike(self._open[-1], piece):
            self._roll()
        if not self._put(piece):
            self.held.append(piece)
            return
        self.stored += batch.count
        self._open.append(piece)
        if sum(one.batch.count for one in self._open) >= rows_for(batch):
            self._roll()

    def close(self) -> None:
        """Write what is still in small segments as one."""
        self._roll()

    def undo(self) -> None:
        """Take back all that was stored."""
        self.home.remove(self.written)
        self.written.clear()
        self._open.clear()
        self.stored = 0

    def parts(self, places: Any) -> list[Part]:
        """Give what could not be stored as parts of the result; `places(keys)` gives their positions."""
        return [_in_memory(piece.batch, *places(piece.keys)) for piece in self.held]

    def _put(self, piece: Piece) -> bool:
        if self.failed:
            return False
        meta = {
            **self.meta,
            "form": piece.batch.form,
            "count": piece.batch.count,
            "seconds": piece.seconds,
            "created": clock.time(),
            "device": self.device,
            "observed": piece.observed,
        }
        try:
            piece.name = self.home.put(meta, blocks_of(piece.keys, piece.batch))
        except StoreError as error:
            self.failed = str(error)
            return False
        self.written.append(piece.name)
        return True

    def _roll(self) -> None:
        small, self._open = self._open, []
        if len(small) < 2:
            return
        whole = Piece(
            np.concatenate([piece.keys for piece in small]),
            joined([piece.batch for piece in small]),
            math.fsum(piece.seconds for piece in small),
            small[-1].observed,
        )
        if self._put(whole):
            gone = [piece.name for piece in small]
            self.home.remove(gone)
            self.written = [name for name in self.written if name not in gone]


def rows_for(batch: Batch) -> int:
    """Say how many items like these fill a segment."""
    return max(_LEAST, min(_MOST, _BYTES // max(batch.nbytes // max(batch.count, 1), 1)))


def _alike(one: Piece, other: Piece) -> bool:
    return one.observed == other.observed and one.batch.form == other.batch.form


def _in_memory(batch: Batch, to: Any, rows: Any) -> Part:
    specs = [column.spec for column in batch.columns]

    def fill(whole: Any, places: Any, number: int) -> None:
        whole[places] = batch.columns[number].data[rows]

    return Part(to, batch.tree, specs, fill, lambda number: batch.columns[number].take(rows))
