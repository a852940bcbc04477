"""Bytes → digest, at the speed of memory: a tree whose leaves are the xxh3 digests of 256 kB each.

The digest is that of the length and of the leaves' digests in their order. So leaves may be digested by
many threads, on another device (adapters/torch_device.py), or from blocks that are copied out of a strided array
one after the other; the result is the same, and no more than a few leaves are in memory at once.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import xxhash

from lean_magic.values.counting import seen
from lean_magic.values.fingerprint import combine

__all__ = ["LEAF", "join", "tree", "tree_of", "trees", "trees_of"]

LEAF = 256 * 1024  # bytes; part of the digest
_BATCH = 16 * LEAF  # bytes that a thread takes at a time, and after which progress is told
_THREADED = 8 * _BATCH  # below, one thread is done before a second has started
_MOST_THREADS = 8  # a memory bus is full with less

Read = Callable[[int, int], Iterable[Any]]
ReadSeveral = Callable[[int, int], Iterable[Sequence[Any]]]


def tree(content: Any) -> bytes:
    """Digest a contiguous buffer of bytes (16 bytes)."""
    if len(content) <= LEAF:
        return join(len(content), [xxhash.xxh3_128_digest(content)] if len(content) else [])
    view = memoryview(content)
    return tree_of(len(view), lambda start, end: (view[start:end],))


def tree_of(size: int, read: Read, step: int = 1, most: int = _MOST_THREADS) -> bytes:
    """Digest `size` bytes that `read(start, end)` gives in order, in contiguous pieces of any lengths.

    Several threads may read at once, `most` at most; they start at multiples of 4 MB. Where those are no
    multiples of `step`, the bytes of one element, all is read in one go.
    """
    batch = _BATCH if _BATCH % step == 0 else max(size, 1)
    starts = range(0, size, batch)
    found: list[list[bytes]] = [[] for _ in starts]

    def one(place: int, start: int) -> int:
        end = min(start + batch, size)
        found[place] = _leaves(read(start, end))
        return end - start

    _share(starts, one, size, most)
    return join(size, itertools.chain.from_iterable(found))


def trees(contents: Sequence[Any]) -> list[bytes]:
    """Digest several contiguous buffers of bytes as `tree` digests each alone; the threads share them all."""
    pieces = [(at, start) for at, view in enumerate(contents) for start in range(0, len(view), _BATCH)]
    found: list[list[bytes]] = [[] for _ in pieces]

    def one(place: int, _: int) -> int:
        at, start = pieces[place]
        piece = contents[at][start : start + _BATCH]
        found[place] = _leaves((piece,))
        return len(piece)

    _share(range(len(pieces)), one, sum(map(len, contents)), _MOST_THREADS)
    leaves: list[list[bytes]] = [[] for _ in contents]
    for (at, _), some in zip(pieces, found, strict=True):
        leaves[at] += some
    return [join(len(view), some) for view, some in zip(contents, leaves, strict=True)]


def trees_of(count: int, sizes: Sequence[int], read: ReadSeveral, most: int = _MOST_THREADS) -> list[bytes]:
    """Digest several contents of `count` elements each, which lie side by side, as `tree` digests each alone.

    Elements are of `sizes` bytes. `read(start, end)` gives consecutive pieces of those elements, one of each
    content at a time. Several threads may read at once, `most` at most.
    """
    starts = range(0, count, LEAF)  # elements; so many fill whole leaves, however large they are
    found: list[list[list[bytes]]] = [[] for _ in starts]

    def one(place: int, start: int) -> int:
        end = min(start + LEAF, count)
        leaves = [Leaves() for _ in sizes]
        for pieces in read(start, end):
            for content, piece in zip(leaves, pieces, strict=True):
                content.add(piece)
        found[place] = [content.all() for content in leaves]
        return (end - start) * sum(sizes)

    _share(starts, one, count * sum(sizes), most)
    columns = zip(*found, strict=True)
    return [
        join(count * size, itertools.chain.from_iterable(column))
        for size, column in zip(sizes, columns, strict=True)
    ]


def _share(starts: range, one: Callable[[int, int], int], size: int, most: int) -> None:
    """Do the pieces of a work that start there; by threads, `most` at most, where there are bytes enough."""
    workers = min(most, _cores(), len(starts)) if size >= _THREADED else 1
    _Work(iter(enumerate(starts)), one).share(workers - 1)


def join(size: int, leaves: Iterable[bytes]) -> bytes:
    """Digest the length of a content with the digests of its leaves."""
    return combine("tree", size.to_bytes(8, "little"), *leaves)


class Leaves:
    """Digests of the leaves of a content that comes in consecutive pieces, which need not end where leaves do."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self._open, self._room = xxhash.xxh3_128(), LEAF

    def add(self, piece: Any) -> None:
        """Take the next bytes."""
        view, start = memoryview(piece), 0
        while start < len(view):
            part = view[start : start + self._room]
            start += len(part)
            if len(part) == LEAF:
                self.found.append(xxhash.xxh3_128_digest(part))
                continue
            self._open.update(part)
            self._room -= len(part)
            if not self._room:
                self._end()

    def all(self) -> list[bytes]:
        """Give the digests, that of the last leaf among them, however short it is."""
        if self._room < LEAF:
            self._end()
        return self.found

    def _end(self) -> None:
        self.found.append(self._open.digest())
        self._open, self._room = xxhash.xxh3_128(), LEAF


def _leaves(pieces: Iterable[Any]) -> list[bytes]:
    leaves = Leaves()
    for piece in pieces:
        leaves.add(piece)
    return leaves.all()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Work:
    """Pieces of work that threads take one after the other; this thread is one of them, and tells of progress."""

    def __init__(self, pieces: Iterator[tuple[int, int]], do: Callable[[int, int], int]) -> None:
        self._pieces = pieces
        self._do = do
        self._lock = threading.Lock()
        self._teller = threading.current_thread()
        self._done = 0
        self._told = 0

    def share(self, others: int) -> None:
        """Do all with the help of `others`; none of them is left running. Raises what any has raised."""
        if not others:
            self._rest()
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(others) as pool:
            futures = [pool.submit(self._rest) for _ in range(others)]
            self._rest()
        for future in futures:
            future.result()
        self._tell()

    def _rest(self) -> None:
        try:
            while self._one():
                if threading.current_thread() is self._teller:
                    self._tell()
        finally:  # after an error there is nothing left to do for the others either
            with self._lock:
                self._pieces = iter(())

    def _one(self) -> bool:
        with self._lock:
            piece = next(self._pieces, None)
        if piece is None:
            return False
        count = self._do(*piece)
        with self._lock:
            self._done += count
        return True

    def _tell(self) -> None:
        seen(self._done - self._told)
        self._told = self._done
