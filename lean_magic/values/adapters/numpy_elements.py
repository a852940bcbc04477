"""The elements of an array in C order, as bytes: read where they lie, or copied out block by block."""

from __future__ import annotations

import itertools
import math
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from lean_magic.values.tree import tree, tree_of, trees_of

__all__ = ["blocks", "digest_of", "digests_of_fields", "is_solid"]

# Of the 16 bytes of x86's long double, 10 hold the number.
_LONG = 10 if np.finfo(np.longdouble).nmant == 63 else 0
_WORDS = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}  # what numpy copies fastest, bit by bit
_SMALL = 1 << 14  # bytes up to which a copy is sooner made than blocks are thought about
_BLOCK = 1 << 20  # bytes that are copied out at a time
# Where neighbours in memory are far apart in C order, a block is as wide as lines of the cache are long.
_WIDE_BLOCK = 8 << 20
# What is copied at once from there: lines of memory, and bytes if these are short. Measured to be best, from 64 up.
_LINES = 512
_TILE = 1 << 18
_SETS = 1 << 11  # bytes between lines from which, in multiples, they push each other out of the cache
_WAYS = 8  # so many of them do not
_GAP = 64  # bytes of a line of the cache
_FEW = (
    16  # elements of a last axis that is gone through one by one, since numpy's inner loop would be too short
)
_COPIERS = 4  # threads that have a block each


def digest_of(array: np.ndarray[Any, Any]) -> bytes:
    """Digest the bytes of an array whose dtype is solid, in C order, whatever its strides are (16 bytes)."""
    if not array.size or not array.dtype.itemsize:
        return tree(b"")
    if array.dtype.char in "gG" and _LONG:
        return _long(array)
    if array.flags.c_contiguous or array.nbytes <= _SMALL:
        return tree(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    word = array.dtype.itemsize
    plain = _merged(array.view(_WORDS.get(word, f"V{word}")))
    room = _WIDE_BLOCK if _is_turned(plain) else _BLOCK
    # A block for each thread, which lives as long as the threads do.
    own = threading.local()

    def read(start: int, end: int) -> Iterator[Any]:
        if not hasattr(own, "buffer"):
            own.buffer = np.empty(min(room // word, plain.size), plain.dtype)
        for block in blocks(plain, start // word, end // word, max(room // word, 1)):
            yield _copied(block, own.buffer)

    return tree_of(plain.nbytes, read, word, _COPIERS)


def digests_of_fields(array: np.ndarray[Any, Any]) -> list[bytes] | None:
    """Digest each field of an array of records by itself, as `digest_of` does, while going through memory once.

    None for fields that are not plain, and for arrays that need not be gone through block by block.
    """
    plain = _merged(array)
    dtypes = [array.dtype[name] for name in array.dtype.names or ()]
    if plain.ndim > 1 or array.nbytes < _BLOCK or any(kind.char not in _PLAIN_CHARS for kind in dtypes):
        return None
    fields = [
        plain[name].view(_WORDS[kind.itemsize]) for name, kind in zip(array.dtype.names, dtypes, strict=True)
    ]
    step = _BLOCK // array.dtype.itemsize
    own = threading.local()

    def read(start: int, end: int) -> Iterator[list[Any]]:
        if not hasattr(own, "buffers"):
            own.buffers = [np.empty(step, field.dtype) for field in fields]
        for first in range(start, end, step):
            rows = slice(first, min(first + step, end))
            yield [_copied(field[rows], buffer) for field, buffer in zip(fields, own.buffers, strict=True)]

    return trees_of(len(plain), [field.itemsize for field in fields], read, _COPIERS)


_PLAIN_CHARS = "?bBhHiIlLqQefdFDmM"


def is_solid(dtype: np.dtype[Any]) -> bool:
    """Whether every byte of an element is content: no gaps, no references, no padding of long doubles."""
    if dtype.subdtype is not None:
        return is_solid(dtype.subdtype[0])
    if dtype.fields is None:
        return not dtype.hasobject and dtype.kind != "T" and not (dtype.char in "gG" and _LONG)
    end = 0
    for offset, inner in sorted((field[1], field[0]) for field in dtype.fields.values()):
        if offset != end or not is_solid(inner):
            return False
        end = offset + inner.itemsize
    return end == int(dtype.itemsize)


def _long(array: np.ndarray[Any, Any]) -> bytes:
    """Digest long doubles by the bytes that hold their numbers."""
    word = np.dtype("g").itemsize
    parts = array.dtype.itemsize // word

    def read(start: int, end: int) -> Iterator[Any]:
        del start, end
        for block in blocks(_merged(array), 0, array.size, _BLOCK // array.dtype.itemsize):
            plain = np.ascontiguousarray(block).reshape(-1).view(np.uint8)
            yield np.ascontiguousarray(plain.reshape(-1, word)[:, :_LONG]).reshape(-1)

    return tree_of(array.size * parts * _LONG, read, array.size * parts * _LONG)


def _merged(array: Any) -> Any:
    """Give the same elements in as few axes as their strides allow."""
    shape: list[int] = []
    strides: list[int] = []
    for size, stride in zip(array.shape, array.strides, strict=True):
        if size == 1:
            continue
        if strides and strides[-1] == size * stride:
            shape[-1] *= size
            strides[-1] = stride
        else:
            shape.append(size)
            strides.append(stride)
    return np.lib.stride_tricks.as_strided(
        array, shape or (1,), strides or (array.itemsize,), writeable=False
    )


def _is_turned(array: Any) -> bool:
    """Whether neighbours in memory are not neighbours in C order."""
    return bool(abs(array.strides[-1]) > min(map(abs, array.strides)))


def blocks(array: Any, start: int, end: int, room: int) -> Iterator[Any]:
    """Cut elements `start` to `end` in C order into views of at most `room` elements each."""
    if array.ndim == 1:
        for first in range(start, end, room):
            yield array[first : min(first + room, end)]
        return
    inner = math.prod(array.shape) // len(array)
    while start < end:
        row, skip = divmod(start, inner)
        if skip or end - start < inner or inner > room:
            last = min(end, (row + 1) * inner)
            yield from blocks(array[row], skip, skip + last - start, room)
            start = last
        else:
            rows = min(end - start, room) // inner
            yield array[row : row + rows]
            start += rows * inner


def _copied(block: Any, buffer: Any) -> Any:
    """Copy a block into a buffer; give the bytes that it fills."""
    target = buffer[: block.size].reshape(block.shape)
    if block.ndim > 1 and block.shape[-1] <= _FEW:
        for last in range(block.shape[-1]):
            np.copyto(target[..., last], block[..., last])
    elif block.ndim > 1 and _is_turned(block):
        _copy_tiles(target, block)
    elif (pairs := _pairs(block)) is not None:
        np.copyto(target[..., :-1], pairs[..., :-1], casting="unsafe")
        target[..., -1] = block[..., -1]  # what follows it may be no memory of ours
    else:
        np.copyto(target, block)
    return target.reshape(-1).view(np.uint8)


def _pairs(block: Any) -> Any:
    """Give every second word as the low half of a word twice as long, from which numpy makes it faster; or None."""
    word = block.itemsize
    wide = 2 * word
    if block.strides[-1] != wide or word not in {1, 2, 4} or sys.byteorder != "little":
        return None
    if block.ctypes.data % wide or any(stride % wide for stride in block.strides):
        return None
    found = {**block.__array_interface__, "typestr": f"<u{wide}", "strides": block.strides}
    del found["descr"]
    return np.asarray(_Described(found, block))


class _Described:
    """Memory described as numpy wants it, and what keeps it alive."""

    def __init__(self, found: dict[str, Any], kept: Any) -> None:
        self.__array_interface__ = found
        self.kept = kept


def _copy_tiles(target: Any, block: Any) -> None:
    """Copy tile by tile, each long only in the direction in which memory runs."""
    nearest = min(range(block.ndim), key=lambda axis: abs(block.strides[axis]))
    tile = _tile(block, nearest)
    apart = _lines_apart(block, nearest, tile) if _is_crowded(block, nearest, tile) else None
    grid = [range(0, size, step) for size, step in zip(block.shape, tile, strict=True)]
    for place in itertools.product(*grid):
        cut = tuple(slice(start, start + step) for start, step in zip(place, tile, strict=True))
        source = block[cut]
        if apart is not None:
            room = apart[tuple(map(slice, source.shape))]
            np.copyto(room, source)
            source = room
        np.copyto(target[cut], source)


def _tile(block: Any, nearest: int) -> list[int]:
    """Give the shape of what is copied at once: all along the axis in which memory runs, and so many lines of that."""
    tile = list(block.shape)
    lines = max(_LINES, _TILE // (block.shape[nearest] * block.itemsize))
    for axis in reversed([axis for axis in range(block.ndim) if axis != nearest]):
        tile[axis] = min(tile[axis], max(lines, 1))
        lines //= tile[axis]
    return tile


def _is_crowded(block: Any, nearest: int, tile: list[int]) -> bool:
    """Whether lines of a tile are so many bytes apart that all have the same few places in the cache."""
    others = (axis for axis in range(block.ndim) if axis != nearest)
    return any(block.strides[axis] % _SETS == 0 and tile[axis] > _WAYS for axis in others)


def _lines_apart(block: Any, nearest: int, tile: list[int]) -> Any:
    """Make room for a tile in which lines run as in the block, but end at different places in the cache."""
    others = [size for axis, size in enumerate(tile) if axis != nearest]
    length = tile[nearest]
    return np.moveaxis(
        np.empty((*others, length + _GAP // block.itemsize), block.dtype)[..., :length], -1, nearest
    )
