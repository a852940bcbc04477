"""Some rows of one segment, read in as few and as large pieces as there are, each checked.

Rows lie in the order in which they were computed. So a call on the same items reads each segment from end to
end, right into the result; other calls read the stretches that they need.
"""

from __future__ import annotations

import itertools
import math
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from lean_magic.errors import Damaged
from lean_magic.items.columns import Batch, Column, Part, as_index
from lean_magic.items.index import Place
from lean_magic.items.packed import dtype_from
from lean_magic.store.segments import CHUNK, Reader

__all__ = ["blocks_of", "part_of", "read", "stretch"]


def blocks_of(keys: Any, batch: Batch) -> dict[str, Any]:
    """Give the blocks of a segment that holds a batch."""
    blocks: dict[str, Any] = {"keys": np.ascontiguousarray(keys, np.uint64).tobytes()}
    for number, column in enumerate(batch.columns):
        blocks |= dict(zip((f"{number}", f"{number}.ends"), column.blocks(), strict=False))
    return blocks


def part_of(place: Place, rows: Any, to: Any) -> Part:
    """Let rows of a segment go to the positions `to` of a result."""
    return Part(
        to,
        place.tree,
        place.specs,
        lambda whole, places, number: _fill(place, rows, whole, places, number),
        lambda number: _column(place, rows, number),
    )


def read(place: Place, rows: Any) -> Batch:
    """Read whole items. Raises Damaged."""
    columns = [_column(place, rows, number) for number in range(len(place.specs))]
    return Batch(place.tree, columns, len(rows))


def stretch(positions: Any) -> Any:
    """Give positions that follow each other as a range, which takes no room, and others as they are."""
    first, count = int(positions[0]), len(positions)
    if int(positions[-1]) - first == count - 1 and bool((positions[1:] > positions[:-1]).all()):
        return range(first, first + count)
    return positions


def _fill(place: Place, rows: Any, whole: Any, to: Any, number: int) -> None:
    if not whole.nbytes:
        return
    with _reading(place) as reader:
        whole_segment = isinstance(rows, range) and len(rows) == place.count
        same = dtype_from(place.specs[number]["dtype"]) == whole.dtype
        if whole_segment and same and isinstance(to, range):
            piece = whole[to.start : to.stop]
            reader.read_into(f"{number}", memoryview(piece.reshape(-1).view(np.uint8)))
        else:
            whole[as_index(to)] = _rows(reader, rows, place.specs[number], number)


def _column(place: Place, rows: Any, number: int) -> Column:
    spec = place.specs[number]
    with _reading(place) as reader:
        if spec["as"] == "rows":
            return Column(spec, _rows(reader, rows, spec, number))
        return Column(spec, _pieces(reader, rows, number))


class _reading:  # noqa: N801  reads like the function it stands for
    """Open a segment; what turns out to be damaged is deleted, so that it is computed again."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._opened = place.segment.opened()

    def __enter__(self) -> Reader:
        return self._opened.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)
        if isinstance(error, Damaged):
            with suppress(OSError):
                self._place.home.remove([self._place.name])


def _rows(reader: Reader, rows: Any, spec: dict[str, Any], number: int) -> Any:
    numbers = np.asarray(rows)
    dtype, shape = dtype_from(spec["dtype"]), tuple(spec["shape"])
    size = dtype.itemsize * math.prod(shape)
    found = np.empty((len(rows), *shape), dtype)
    if not size:
        return found
    for order, first, last in _stretches(rows, max(CHUNK // size, 1)):
        data = reader.read(f"{number}", first * size, (last + 1) * size)
        block = np.frombuffer(data, np.uint8).view(dtype).reshape(-1, *shape)
        found[order] = block[numbers[order] - first]
    return found


def _pieces(reader: Reader, rows: Any, number: int) -> list[memoryview]:
    ends = np.frombuffer(reader.read(f"{number}.ends"), np.uint64).astype(np.int64)
    found: list[memoryview] = [memoryview(b"")] * len(rows)
    if (np.diff(ends) < 0).any() or int(np.asarray(rows).max()) + 1 >= len(ends):
        raise Damaged("the places of items in a segment are not what was written")
    for order, first, last in _stretches(rows, 1024):
        data, base = reader.read(f"{number}", int(ends[first]), int(ends[last + 1])), int(ends[first])
        for place in order.tolist():
            row = int(rows[place])
            found[place] = data[int(ends[row]) - base : int(ends[row + 1]) - base]
    return found


def _stretches(rows: Any, gap: int) -> Iterator[tuple[Any, int, int]]:
    """Give (positions in `rows`, first row, last row) of rows that lie closer than `gap` rows."""
    rows = np.arange(rows.start, rows.stop) if isinstance(rows, range) else rows
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    edges = [0, *(np.flatnonzero(np.diff(ordered) > gap) + 1).tolist(), len(ordered)]
    for begin, end in itertools.pairwise(edges):
        yield order[begin:end], int(ordered[begin]), int(ordered[end - 1])
