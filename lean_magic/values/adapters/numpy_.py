"""numpy: arrays by type, shape and logical content; scalars, dtypes and generators."""

from __future__ import annotations

from typing import Any

import numpy as np

from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.memory import Interval, LayoutChanged, Memory, Plain, bytes_at

__all__ = ["ADAPTER"]


def _array(walk: Walk, value: np.ndarray[Any, Any]) -> bytes:
    walk.mark(value)
    kind = type(value)
    name = "" if kind in (np.ndarray, np.memmap) else f"{kind.__module__}.{kind.__qualname__}"
    return combine("ndarray", leaf("class", name.encode()), content(walk, value), _extra(walk, value))


def _extra(walk: Walk, value: np.ndarray[Any, Any]) -> bytes:
    if isinstance(value, np.ma.MaskedArray):
        return combine("masked", content(walk, np.ma.getmaskarray(value)), walk.digest(value.fill_value))
    return b""


def content(walk: Walk, value: Any) -> bytes:
    """Digest dtype, shape and elements in C order, whatever the strides are."""
    array = np.asarray(value)
    head = leaf("array", f"{_dtype_name(array.dtype)} {array.shape}".encode())
    if array.dtype.names is not None:
        return combine("fields", head, *(content(walk, array[name]) for name in array.dtype.names))
    if array.dtype.hasobject or array.dtype.kind == "T":
        return combine("objects", head, walk.digests(walk.keep(array.ravel(order="C").tolist())))
    return combine(
        "elements",
        head,
        leaf("", np.ascontiguousarray(array).reshape(-1).view(np.uint8)) if array.size else b"",
    )


def _dtype_name(dtype: np.dtype[Any]) -> str:
    names = repr(dtype.descr) if dtype.names is not None else dtype.str
    return f"{names} {dtype.metadata or ''}"


def _scalar(walk: Walk, value: np.generic) -> bytes:
    return combine("numpy scalar", content(walk, np.asarray(value)))


def _dtype(walk: Walk, value: np.dtype[Any]) -> bytes:
    del walk
    return leaf("dtype", _dtype_name(value).encode())


def _generator(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    bits = getattr(value, "bit_generator", None) or getattr(value, "_bit_generator", value)
    return combine("generator", leaf("", type(value).__name__.encode()), walk.digest(walk.keep(bits.state)))


class _Numpy:
    library = "numpy"

    def rule(self, cls: type) -> Rule | None:
        if issubclass(cls, np.ndarray):
            return _array
        if issubclass(cls, np.generic):
            return _scalar
        if issubclass(cls, np.dtype):
            return _dtype
        if issubclass(cls, (np.random.Generator, np.random.RandomState, np.random.BitGenerator)):
            return _generator
        return None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        if type(value) not in (np.ndarray, np.memmap) or memory is None or value.dtype.hasobject:
            return NotImplemented
        return _reduced(np.asarray(value), memory)

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, np.ndarray):
            return None
        return _interval(value), value.shape, value.dtype.str

    def content(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return Plain(value.view())
        owner = _bits(value)
        return NotImplemented if owner is None else owner.state

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, np.ndarray):
            live[...] = stored.value
            return True
        owner = _bits(live)
        if owner is None:
            return False
        owner.state = stored
        return True


def _interval(value: np.ndarray[Any, Any]) -> Interval:
    return Interval("", *np.lib.array_utils.byte_bounds(value))


def _reduced(value: np.ndarray[Any, Any], memory: Memory) -> Any:
    """Take apart an array that is a view of a live one or of a span shared with others."""
    place = _interval(value)
    owner = memory.live_owner(place)
    if owner is not None:
        offset = place.start - owner[0].start
        about = (value.dtype, value.shape, value.strides, value.ctypes.data - place.start + offset)
        return _view_of, (owner[1], getattr(owner[1], "strides", None), *about)
    memory.note(place, value)
    span = memory.span(place, bytes_at)
    if span is None:
        return NotImplemented
    about = (
        value.dtype,
        value.shape,
        value.strides,
        value.ctypes.data - span[0].start,
        value.flags.writeable,
    )
    return _view, (span[1], *about)


def _view(span: Any, dtype: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    array: Any = np.ndarray(shape, dtype, span if not span.readonly else bytearray(span), offset, strides)
    if array.flags.writeable != writeable:
        array.flags.writeable = writeable
    return array


def _view_of(live: Any, was: Any, dtype: Any, shape: Any, strides: Any, offset: int) -> Any:
    """Make a view of a live array, which must lie in memory as the recorded one did."""
    if not isinstance(live, np.ndarray) or live.strides != was:
        raise LayoutChanged("an array lies in memory in another order than when the entry was made")
    low, _ = np.lib.array_utils.byte_bounds(live)
    if live.flags.c_contiguous or live.flags.f_contiguous:
        return np.ndarray(shape, dtype, live if live.flags.c_contiguous else live.T, offset, strides)
    return _gappy(live, low, dtype, shape, strides, offset)


def _gappy(live: Any, low: int, dtype: Any, shape: Any, strides: Any, offset: int) -> Any:
    """Make a view inside a live array that is itself a view with gaps."""
    root = live
    while isinstance(root.base, np.ndarray):
        root = root.base
    start = low - np.lib.array_utils.byte_bounds(root)[0] + offset
    if not root.flags.c_contiguous:
        raise LayoutChanged("an array lies in memory in another order than when the entry was made")
    return np.ndarray(shape, dtype, root, start, strides)


def _bits(value: Any) -> Any:
    """Find what holds the state of a random generator; None for anything else."""
    if isinstance(value, np.random.BitGenerator):
        return value
    if isinstance(value, (np.random.Generator, np.random.RandomState)):
        return getattr(value, "bit_generator", None) or value._bit_generator  # noqa: SLF001
    return None


ADAPTER = _Numpy()
