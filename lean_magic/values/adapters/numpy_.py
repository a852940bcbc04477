"""numpy: arrays by type, shape and logical content; scalars, dtypes and generators."""

from __future__ import annotations

import inspect
import marshal
import mmap
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.numpy_dtypes import dtype_rule
from lean_magic.values.adapters.numpy_elements import digest_of, digests_of_fields, is_solid
from lean_magic.values.adapters.numpy_generators import GENERATORS, generator_rule, set_state, state_of
from lean_magic.values.fingerprint import TOGETHER, Rule, Walk, combine, leaf
from lean_magic.values.global_generators import reduced_global
from lean_magic.values.marks import Inner
from lean_magic.values.memory import Interval, LayoutChanged, Memory, Plain, bytes_at
from lean_magic.values.plain import each
from lean_magic.values.reduced import attributes
from lean_magic.values.strides import View, moved
from lean_magic.values.tree import tree_of

__all__ = ["ADAPTER", "content"]


def _array(walk: Walk, value: np.ndarray[Any, Any]) -> bytes:
    walk.mark(value)
    if type(value) in _PLAIN:
        return combine("ndarray", content(walk, value))
    if value is np.ma.masked:
        return combine("masked constant")
    masked = _masked(walk, value) if isinstance(value, np.ma.MaskedArray) else b""
    return combine(
        "ndarray subclass",
        walk.digest(type(value)),
        content(walk, value),
        combine("masked", masked),
        attributes(walk, value, _INNER),
    )


_PLAIN = (np.ndarray, np.memmap)
# How masked arrays and files mapped as arrays keep what they are.
_INNER = frozenset({
    "_mask", "_fill_value", "_hardmask", "_sharedmask", "_isfield", "_baseclass", "_basedict",
    "_mmap", "filename", "offset", "mode",
})  # fmt: skip


def _masked(walk: Walk, value: Any) -> bytes:
    mask = value._mask  # noqa: SLF001  the public way gives a copy
    if isinstance(mask, np.ndarray):
        walk.hold(value, [Inner(mask)])
    fill = value._fill_value  # noqa: SLF001  the public way writes it
    if fill is None:
        fill = np.ma.default_fill_value(value.dtype)
    filling = content(walk, np.asarray(fill, None if value.dtype.names else value.dtype))
    return content(walk, np.ma.getmaskarray(value)) + filling + walk.digest(bool(value.hardmask))


def content(walk: Walk, value: Any) -> bytes:
    """Digest dtype, shape and elements in C order, whatever the strides are."""
    array = np.asarray(value)
    head = _head(walk, array)
    if array.dtype.names is not None and not is_solid(array.dtype):
        return combine("fields", head, *_fields(walk, array))
    if array.dtype.hasobject or array.dtype.kind == "T":
        return combine("objects", head, each(walk, array.ravel(order="C").tolist()))
    return combine("elements", head, digest_of(array))


def _head(walk: Walk, array: Any) -> bytes:
    return dtype_rule(walk, array.dtype) + leaf("shape", str(array.shape).encode())


def _fields(walk: Walk, array: Any) -> list[bytes]:
    fields = [array[name] for name in array.dtype.names]
    digests = digests_of_fields(array)
    if digests is None:
        return [content(walk, field) for field in fields]
    heads = [_head(walk, field) for field in fields]
    return [combine("elements", head, digest) for head, digest in zip(heads, digests, strict=True)]


def _arrays(walk: Walk, values: list[Any]) -> bytes | None:
    """Digest many small arrays of plain dtypes in one go: their dtypes, their shapes, their bytes end to end."""
    dtypes = [value.dtype for value in values]
    sizes = [value.nbytes for value in values]
    kinds = list(dict.fromkeys(dtypes))
    # Not `isbuiltin`, which says no of a dtype that was read from a pickle.
    plain = all(dtype.kind in "biufc" and dtype.isnative and is_solid(dtype) for dtype in kinds)
    if not plain or max(sizes) > _SMALL or any(dtype.metadata is not None for dtype in dtypes):
        return None
    walk.mark_all(values)
    which = {dtype: place for place, dtype in enumerate(kinds)}
    about = [[which[dtype] for dtype in dtypes] if len(kinds) > 1 else 0, [value.shape for value in values]]
    head = [dtype_rule(walk, dtype) for dtype in kinds]

    def read(start: int, end: int) -> Iterator[bytes]:
        del start, end
        for first in range(0, len(values), _AT_ONCE):
            yield b"".join([value.tobytes() for value in values[first : first + _AT_ONCE]])

    total = sum(sizes)
    return combine(
        "arrays", *head, leaf("about", marshal.dumps(about, 2)), tree_of(total, read, max(total, 1))
    )


_SMALL = 64 * 1024  # bytes of an array that is copied to be digested with others; part of the digest
_AT_ONCE = 1024
TOGETHER[np.ndarray] = _arrays


def _scalar(walk: Walk, value: np.generic) -> bytes:
    return combine("numpy scalar", walk.digest(type(value)), content(walk, np.asarray(value)))


def _ufunc(walk: Walk, value: np.ufunc) -> bytes:
    """Digest a function over arrays by its name. Raises Unfingerprintable for one that is found nowhere."""
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), value.__name__, None) is value:
            walk.use_module(module)
            return leaf("ufunc", f"{module}:{value.__name__}".encode())
    raise walk.fail(value, "holds a numpy.ufunc made from a function", "pass the function itself")


class _Numpy:
    library = "numpy"

    def rule(self, cls: type) -> Rule | None:
        if issubclass(cls, np.ndarray):
            return _array
        if issubclass(cls, np.generic):
            return _scalar
        if issubclass(cls, np.dtype):
            return dtype_rule
        if issubclass(cls, np.ufunc):
            return _ufunc
        return generator_rule if issubclass(cls, GENERATORS) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        if isinstance(value, GENERATORS):
            return reduced_global(value)
        if not isinstance(value, np.ndarray):
            return NotImplemented
        if type(value) is np.memmap and value.mode == "r":
            form = _mapped(value)
            if form is not NotImplemented:
                return form
        if isinstance(value, np.memmap) and value.mode in {"r+", "w+"} and getattr(value, "_mmap", None):
            raise Unstorable(
                "array", "is a file mapped to be written to", "map it in a cell of its own, uncached"
            )
        if type(value) not in _PLAIN:
            return _of_subclass(value)
        if memory is None or value.dtype.kind == "T":
            return NotImplemented
        plain = np.asarray(value)
        return _objects(plain, memory) if value.dtype.hasobject else _reduced(plain, memory)

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, np.ndarray):
            return None
        return _interval(value), value.shape, value.dtype.str

    def content(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return Plain(value.view(np.ndarray)), dict(getattr(value, "__dict__", {})), value.flags.writeable
        return state_of(value) if isinstance(value, GENERATORS) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, np.ndarray):
            _put(live, *stored)
            return True
        if not isinstance(live, GENERATORS):
            return False
        set_state(live, *stored)
        return True


def _put(live: Any, plain: Plain, attributes: dict[str, Any], writeable: bool) -> None:
    if plain.value is not None:  # else another array has written what lies there
        _closed(live, True)
        live.view(np.ndarray)[...] = plain.value
    for name, new in attributes.items():
        old = vars(live).get(name)
        same = isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and old.shape == new.shape
        if same and old.dtype == new.dtype and old.flags.writeable:
            old[...] = new
        else:
            vars(live)[name] = new
    _closed(live, writeable)


def _of_subclass(value: Any) -> Any:
    """Take apart an array whose class leaves that to `ndarray`, which forgets attributes."""
    held = dict(getattr(value, "__dict__", {}))
    if isinstance(value, np.ma.MaskedArray) and value is not np.ma.masked and _is_plainly_masked(type(value)):
        inner = {name: held[name] for name in _OF_MASKED if name in held}
        own = {name: item for name, item in held.items() if name not in _INNER}
        return _as_subclass, (type(value), value.view(np.ndarray)), inner | own, None, None, _set_held
    if inspect.getattr_static(value, "__reduce__") is not vars(np.ndarray)["__reduce__"]:
        return NotImplemented
    return _as_subclass, (type(value), value.view(np.ndarray)), held or None, None, None, _set_held


def _set_held(array: Any, held: dict[str, Any]) -> None:
    vars(array).update(held)


def _is_plainly_masked(cls: Any) -> bool:
    return cls.__reduce__ is np.ma.MaskedArray.__reduce__


_OF_MASKED = ("_mask", "_fill_value", "_hardmask", "_sharedmask", "_baseclass")


def _as_subclass(cls: type, array: Any) -> Any:
    return array.view(cls)


def _interval(value: np.ndarray[Any, Any]) -> Interval:
    return Interval("", *np.lib.array_utils.byte_bounds(value))


def _reduced(value: np.ndarray[Any, Any], memory: Memory) -> Any:
    """Take apart an array that is a view of a live one or of a span shared with others."""
    place = _interval(value)
    owner = memory.live_owner(place)
    if owner is not None:
        offset = place.start - owner[0].start
        about = (value.dtype, value.shape, value.strides, value.ctypes.data - place.start + offset)
        return _view_of, (owner[1], getattr(owner[1], "strides", None), *about, value.flags.writeable)
    memory.note(place, value)
    span = memory.span(place, bytes_at)
    if span is None:
        return _alone(value, place)
    offset = value.ctypes.data - span[0].start
    return _view, (span[1], value.dtype, value.shape, value.strides, offset, value.flags.writeable)


_ROOM = 1.25  # a gappy array keeps its strides, which views of it are made by, while the gaps cost little


def _alone(value: np.ndarray[Any, Any], place: Interval) -> Any:
    """Take apart an array that shares with nobody, in the order of axes that it lies in memory."""
    if value.flags.writeable and (value.flags.c_contiguous or value.flags.f_contiguous):
        return NotImplemented
    if place.end - place.start > _ROOM * value.nbytes:
        copied = value.copy(order="K")
        kept = (copied.dtype, copied.shape, copied.strides, 0, value.flags.writeable)
        return _view, (bytes_at(_interval(copied), copied), *kept)
    offset = value.ctypes.data - place.start
    return _view, (
        bytes_at(place, value),
        value.dtype,
        value.shape,
        value.strides,
        offset,
        value.flags.writeable,
    )


def _view(span: Any, dtype: Any, shape: Any, strides: Any, offset: int, writeable: bool) -> Any:
    array: Any = np.ndarray(shape, dtype, span if not span.readonly else bytearray(span), offset, strides)
    return _closed(array, writeable)


def _closed(array: Any, writeable: bool) -> Any:
    if array.flags.writeable != writeable:
        array.flags.writeable = writeable
    return array


def _mapped(value: np.memmap[Any, Any]) -> Any:
    """Take apart a file that is mapped to be read: its content has been observed, so it is mapped again."""
    root: Any = value.base
    if isinstance(root, mmap.mmap):
        order = "C" if value.flags.c_contiguous else "F"
        return np.memmap, (str(value.filename), value.dtype, "r", value.offset, value.shape, order)
    if not isinstance(root, np.memmap) or not root.flags.c_contiguous or root.dtype != value.dtype:
        return NotImplemented
    start = (value.ctypes.data - root.ctypes.data) // value.itemsize
    return _objects_of, (root, start, value.shape, value.strides, False)


def _objects(value: np.ndarray[Any, Any], memory: Memory) -> Any:
    """Take apart an array of objects: one that shares memory with others as a part of what it is a view of."""
    place, root = _interval(value), value
    while isinstance(root.base, np.ndarray):
        root = root.base
    shares = memory.live_owner(place) is not None or memory.is_shared(place)
    memory.note(place, value)
    if not shares or root is value or not root.flags.c_contiguous or root.dtype != value.dtype:
        return NotImplemented
    start = (value.ctypes.data - root.ctypes.data) // value.itemsize
    return _objects_of, (root, start, value.shape, value.strides, value.flags.writeable)


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
    return _closed(found, writeable and bool(found.flags.writeable))


def _is_dense(live: Any) -> bool:
    return bool(live.flags.c_contiguous or live.flags.f_contiguous)


def _inside(live: Any, shape: Any, dtype: Any, strides: Any, offset: int) -> Any:
    return np.ndarray(shape, dtype, live if live.flags.c_contiguous else live.T, offset, strides)


def _gappy(live: Any, shape: Any, dtype: Any, strides: Any, offset: int) -> Any:
    """Make a view inside a live array that has gaps, by its address; the live one is kept as long as the view."""
    span = bytes_at(Interval("", *np.lib.array_utils.byte_bounds(live)), live)
    return np.ndarray(shape, dtype, span.content, offset, strides)


ADAPTER = _Numpy()
