"""Arrays as the parts of memory that they are: of live arrays, of spans shared with others, of buffers, of files."""

from __future__ import annotations

import array
import gc
import mmap
from typing import Any

import numpy as np

from lean_magic.values.memory import LARGE, Interval, LayoutChanged, Memory, bytes_at, is_closed, keeps_gaps
from lean_magic.values.strides import View, moved

__all__ = ["closed", "interval", "mapped", "reduced_objects", "reduced_plain"]


def interval(value: np.ndarray[Any, Any]) -> Interval:
    """Give the addresses that an array lies between."""
    return Interval("", *np.lib.array_utils.byte_bounds(value))


def reduced_plain(value: np.ndarray[Any, Any], memory: Memory) -> Any:
    """Take apart an array that is a view of a live one or of a span shared with others."""
    place = interval(value)
    owner = memory.live_owner(place)
    if owner is not None:
        offset = place.start - owner[0].start
        about = (value.dtype, value.shape, value.strides, value.ctypes.data - place.start + offset)
        return _view_of, (owner[1], getattr(owner[1], "strides", None), *about, not is_closed(value))
    root = _buffer_of(value)
    if root is not None:
        start = value.ctypes.data - np.frombuffer(root, np.uint8).ctypes.data
        return _over, (root, value.dtype, value.shape, value.strides, start, not is_closed(value))
    memory.note(place, value)
    span = memory.span(place, bytes_at)
    if span is None:
        return _alone(value, place)
    base = value.base
    if type(base) is np.ndarray and _is_dense(base) and memory.has_seen(base):
        inside = value.dtype, value.shape, value.strides, value.ctypes.data - interval(base).start
        return _view_of, (base, base.strides, *inside, not is_closed(value))
    others = memory.seen_in(span[0]) if value.flags.owndata and span[0] == place else [None]
    if all(one is value or (type(one) is np.ndarray and one.base is value) for one in others):
        form = _alone(value, place)
        if form is not NotImplemented:
            return form
    offset = value.ctypes.data - span[0].start
    return _view, (span[1], value.dtype, value.shape, value.strides, offset, not is_closed(value))


def _buffer_of(value: Any) -> Any:
    """Give the mutable buffer of Python's own that an array lies in, which has an identity; or None."""
    root = value.base
    while isinstance(root, np.ndarray):
        root = root.base
    held = root.obj if isinstance(root, memoryview) else root
    return held if isinstance(held, (bytearray, array.array)) else None


def _over(root: Any, dtype: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    return closed(np.ndarray(shape, dtype, root, offset, strides), writeable)


# NPY_ARRAY_WARN_ON_WRITE: set on what `broadcast_arrays` gives, which numpy's own pickle takes for closed.
_WARNS = 1 << 31
_ROOM = 1.25  # a gappy array keeps its strides, which views of it are made by, while the gaps cost little


def _alone(value: np.ndarray[Any, Any], place: Interval) -> Any:
    """Take apart an array that shares with nobody, in the order of axes that it lies in memory."""
    is_plain = not is_closed(value) and not value.flags.num & _WARNS
    if is_plain and (value.flags.c_contiguous or value.flags.f_contiguous):
        # With its elements in the stream it owns them again, and can be resized; large ones are mapped.
        # Those in another order of bytes than the machine's numpy would turn into the machine's.
        is_small = value.flags.owndata and value.nbytes < LARGE and value.dtype.isnative
        return value.__reduce_ex__(4) if is_small else NotImplemented
    size, offset = place.end - place.start, value.ctypes.data - place.start
    if size > _ROOM * value.nbytes:
        copied = value.copy(order="K")
        form = bytes_at(interval(copied), copied), copied.dtype, copied.shape, copied.strides
        if keeps_gaps(size, value.nbytes):
            return _spread, (*form, value.strides, offset, size, not is_closed(value))
        return _view, (*form, 0, not is_closed(value))
    return _view, (
        bytes_at(place, value),
        value.dtype,
        value.shape,
        value.strides,
        offset,
        not is_closed(value),
    )


def _view(span: Any, dtype: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    made: Any = np.ndarray(shape, dtype, span if not span.readonly else bytearray(span), offset, strides)
    return closed(made, writeable)


def _spread(
    span: Any, dtype: Any, shape: Any, packed: Any, strides: Any, offset: int, size: int, writeable: bool
) -> Any:
    """Make an array with gaps, as a column of a matrix has, of elements that were written without."""
    made: Any = np.ndarray(shape, dtype, np.zeros(size, np.uint8), offset, strides)
    made[...] = np.ndarray(shape, dtype, span, 0, packed)
    return closed(made, writeable)


def closed(value: Any, writeable: bool) -> Any:
    """Let an array refuse to be written to, or not; gives the array."""
    if is_closed(value) == writeable:
        value.flags.writeable = writeable
    return value


def mapped(value: np.memmap[Any, Any]) -> Any:
    """Take apart a file that is mapped to be read: its content has been observed, so it is mapped again."""
    root: Any = value.base
    if isinstance(root, mmap.mmap):
        order = "C" if value.flags.c_contiguous else "F"
        return np.memmap, (str(value.filename), value.dtype, "r", value.offset, value.shape, order)
    if not isinstance(root, np.memmap) or not root.flags.c_contiguous or root.dtype != value.dtype:
        return NotImplemented
    start = (value.ctypes.data - root.ctypes.data) // value.itemsize
    return _objects_of, (root, start, value.shape, value.strides, False)


def reduced_objects(value: np.ndarray[Any, Any], memory: Memory) -> Any:
    """Take apart an array of objects: one that shares memory with others as a part of what it is a view of."""
    place, root = interval(value), value
    while isinstance(root.base, np.ndarray):
        root = root.base
    shares = memory.live_owner(place) is not None or memory.is_shared(place)
    memory.note(place, value)
    if not shares:
        return _spread_objects(value, place)
    if root is value or not root.flags.c_contiguous or root.dtype != value.dtype:
        return NotImplemented
    start = (value.ctypes.data - root.ctypes.data) // value.itemsize
    return _objects_of, (root, start, value.shape, value.strides, not is_closed(value))


def _spread_objects(value: np.ndarray[Any, Any], place: Interval) -> Any:
    """Take apart an array of texts and numbers that has gaps; what refers to the array itself numpy must write."""
    size = place.end - place.start
    has_gaps = value.nbytes < size <= _MOST and value.dtype == object and type(value) is np.ndarray
    if not has_gaps or any(map(gc.is_tracked, value.flat)):
        return NotImplemented
    start = (value.ctypes.data - place.start) // value.itemsize
    return _objects_in, (value.copy(), value.strides, start, size // value.itemsize, not is_closed(value))


_MOST = 1 << 26  # bytes


def _objects_in(packed: Any, strides: Any, start: int, size: int, writeable: bool) -> Any:
    made = _objects_of(np.empty(size, object), start, packed.shape, strides, writeable=True)
    made[...] = packed
    return closed(made, writeable)


def _objects_of(root: Any, start: int, shape: Any, strides: Any, writeable: bool) -> Any:
    flat = root.reshape(-1)[start:]
    return np.lib.stride_tricks.as_strided(flat, shape, strides, subok=True, writeable=writeable)


def _view_of(
    live: Any, was: Any, dtype: Any, shape: Any, strides: Any, offset: int, writeable: bool = True
) -> Any:
    """Make a view of a live array; one that lies in memory otherwise than the recorded one did still has its axes."""
    if not isinstance(live, np.ndarray) and was is None and hasattr(live, "detach"):
        live, was = (plain := live.detach().numpy()), plain.strides  # memory of a live tensor
    if not isinstance(live, np.ndarray) or (live.strides != was and dtype.itemsize > live.itemsize):
        raise LayoutChanged("an array lies in memory in another order than when the entry was made")
    view = moved(View(shape, strides, offset), live.shape, was, live.strides)
    about = (shape, dtype, view.strides, view.start)
    found = _gappy(live, *about) if not _is_dense(live) else _inside(live, *about)
    return closed(found, writeable and not is_closed(found))


def _is_dense(live: Any) -> bool:
    return bool(live.flags.c_contiguous or live.flags.f_contiguous)


def _inside(live: Any, shape: Any, dtype: Any, strides: Any, offset: int) -> Any:
    return np.ndarray(shape, dtype, live if live.flags.c_contiguous else live.T, offset, strides)


def _gappy(live: Any, shape: Any, dtype: Any, strides: Any, offset: int) -> Any:
    """Make a view inside a live array that has gaps, by its address; the live one is kept as long as the view."""
    span = bytes_at(Interval("", *np.lib.array_utils.byte_bounds(live)), live)
    return np.ndarray(shape, dtype, span.content, offset, strides)
