"""numpy: arrays by type, shape and logical content; scalars, dtypes and generators."""

from __future__ import annotations

from typing import Any

import numpy as np

from lean_magic.values.fingerprint import Rule, Walk, combine, leaf

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

    def reduce(self, value: Any) -> Any:
        del value
        return NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, np.ndarray) or live.shape != stored.shape or live.dtype != stored.dtype:
            return False
        if not live.flags.writeable:
            return False
        live[...] = stored
        return True


ADAPTER = _Numpy()
