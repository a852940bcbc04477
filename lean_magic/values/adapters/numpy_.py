"""numpy: arrays by type, shape and logical content; scalars, dtypes and generators."""

from __future__ import annotations

import collections
import inspect
import itertools
import marshal
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib._npyio_impl import BagObj

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.numpy_dtypes import dtype_rule, reduced_dtype
from lean_magic.values.adapters.numpy_elements import digest_of, digests_of_fields, is_solid
from lean_magic.values.adapters.numpy_generators import GENERATORS, generator_rule, set_state, state_of
from lean_magic.values.adapters.numpy_views import closed, interval, mapped, reduced_objects, reduced_plain
from lean_magic.values.fingerprint import TOGETHER, Rule, Walk, combine, leaf
from lean_magic.values.global_generators import reduced_global
from lean_magic.values.marks import Inner
from lean_magic.values.memory import Memory, Plain, is_closed
from lean_magic.values.reduced import attributes
from lean_magic.values.tree import tree_of

__all__ = ["ADAPTER", "content", "viewed"]


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
    if fill is None:  # as an array, which is cut down to the dtype where it does not fit: 999999 in bytes
        fill = np.asarray(np.ma.default_fill_value(value.dtype))
    with np.errstate(over="ignore"):
        filling = content(walk, np.asarray(fill, None if value.dtype.names else value.dtype))
    switches = bool(value.hardmask), mask is np.ma.nomask
    return content(walk, np.ma.getmaskarray(value)) + filling + walk.digest(switches)


def content(walk: Walk, value: Any) -> bytes:
    """Digest dtype, shape and elements in C order, whatever the strides are."""
    array = np.asarray(value)
    head = _head(walk, array)
    if array.dtype.names is not None and not is_solid(array.dtype):
        return combine("fields", head, *_fields(walk, array))
    if array.dtype.hasobject or array.dtype.kind == "T":
        return combine("objects", head, walk.digest(tuple(array.ravel(order="C").tolist())))
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
    if _is_row(value):
        walk.mark(value)
    return combine("numpy scalar", walk.digest(type(value)), content(walk, np.asarray(value)))


def _ufunc(walk: Walk, value: np.ufunc) -> bytes:
    """Digest a function over arrays by its name. Raises Unfingerprintable for one that is found nowhere."""
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), value.__name__, None) is value:
            walk.use_module(module)
            return leaf("ufunc", f"{module}:{value.__name__}".encode())
    raise walk.fail(value, "holds a numpy.ufunc made from a function", "pass the function itself")


def _is_row(value: Any) -> bool:
    """Whether it is a record: a scalar that can be written to, and may be a view of an array's."""
    return isinstance(value, np.void) and value.dtype.names is not None


def _of_array(value: Any) -> Any:
    """Take apart what belongs to an array: a record of it, or a way through it."""
    if isinstance(value, np.flatiter):
        return _flat_at, (value.base, value.index)
    return _row, (np.asarray(value),)


def _row(array: Any) -> Any:
    return array[()]


def _vectorized(walk: Walk, value: Any) -> bytes:
    """Digest a vectorized function without what it has made of itself when it was called."""
    walk.mark(value)
    return combine("vectorize", attributes(walk, value, _MADE))


_MADE = frozenset({"_ufunc"})


def _flat(walk: Walk, value: Any) -> bytes:
    """Digest an array's `flat`, with how far it was gone through."""
    walk.mark(value)
    return combine("flat", walk.digest(value.base), walk.digest(value.index))


def _flat_at(array: Any, index: int) -> Any:
    return _gone_to(array.flat, index)


def _gone_to(flat: Any, index: int) -> Any:
    if flat.index > index:
        flat[:0]  # to look anything up in it lets it begin anew
    collections.deque(itertools.islice(flat, index - flat.index), maxlen=0)
    return flat


def _dispatched(walk: Walk, value: Any) -> bytes:
    walk.use_module("numpy")
    return leaf("dispatched", f"{value.__module__}:{value.__qualname__}".encode())


def _bag(walk: Walk, value: BagObj[Any]) -> bytes:
    """Digest what gives the arrays of an archive as attributes by the archive, which it refers to weakly."""
    walk.mark(value)
    return combine("bag", walk.digest(_archive_of(value)))


def _archive_of(value: BagObj[Any]) -> Any:
    return object.__getattribute__(value, "_obj").__init__.__self__


_RULES: tuple[tuple[Any, Rule], ...] = (
    (np.ndarray, _array),
    (np.generic, _scalar),
    (np.dtype, dtype_rule),
    (np.ufunc, _ufunc),
    (type(np.sum), _dispatched),
    (np.vectorize, _vectorized),
    (np.flatiter, _flat),
    (BagObj, _bag),
    (GENERATORS, generator_rule),
)


def _objects_of(value: np.ndarray[Any, Any]) -> Iterator[Any]:
    if value.dtype.names is not None:
        for name in value.dtype.names:
            yield from _objects_of(value[name])
    elif value.dtype.hasobject:
        yield from value.flat


class _Numpy:
    library = "numpy"

    def rule(self, cls: type) -> Rule | None:
        return next((rule for kinds, rule in _RULES if issubclass(cls, kinds)), None)

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        if isinstance(value, GENERATORS):
            return reduced_global(value)
        if isinstance(value, np.dtype):
            return reduced_dtype(value)
        if _is_row(value) or isinstance(value, np.flatiter):
            return _of_array(value)
        return _taken_apart(value, memory) if isinstance(value, np.ndarray) else _reduced_object(value)

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        if _is_row(value):
            value = np.asarray(value)
        if not isinstance(value, np.ndarray):
            return None
        return interval(value), value.shape, value.dtype.str

    def refers_to(self, value: Any) -> list[Any]:
        """Give what an array lies in, and the objects that it holds."""
        return [value.base, *_objects_of(value)] if isinstance(value, np.ndarray) else []

    def content(self, value: Any) -> Any:
        if _is_row(value):
            value = np.asarray(value)
        if isinstance(value, np.ndarray):
            return Plain(value.view(np.ndarray)), dict(getattr(value, "__dict__", {})), not is_closed(value)
        if isinstance(value, np.flatiter):
            return value.index
        return state_of(value) if isinstance(value, GENERATORS) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, np.ndarray) or _is_row(live):
            _put(np.asarray(live) if _is_row(live) else live, *stored)
            return True
        if isinstance(live, np.flatiter):
            _gone_to(live, stored)
            return True
        if not isinstance(live, GENERATORS):
            return False
        set_state(live, *stored)
        return True


def _taken_apart(value: Any, memory: Memory | None) -> Any:
    if type(value) is np.memmap and value.mode == "r":
        form = mapped(value)
        if form is not NotImplemented:
            return form
    if isinstance(value, np.memmap) and value.mode in {"r+", "w+"} and getattr(value, "_mmap", None):
        raise Unstorable("array", "is a file mapped to be written to", "map it in an uncached cell")
    if isinstance(value, np.memmap) and value.mode == "c":
        held = {name: vars(value)[name] for name in ("filename", "offset", "mode")}
        return _as_subclass, (type(value), value.view(np.ndarray)), held, None, None, _set_held
    if type(value) not in _PLAIN:
        return _of_subclass(value)
    if memory is None or value.dtype.kind == "T":
        return NotImplemented
    plain = np.asarray(value)
    return reduced_objects(plain, memory) if value.dtype.hasobject else reduced_plain(plain, memory)


def _reduced_object(value: Any) -> Any:
    """Take apart an object of numpy's that is no array."""
    if type(value) is BagObj:
        return BagObj, (_archive_of(value),)
    if type(value) is np.vectorize:
        return object.__new__, (np.vectorize,), {**vars(value), "_ufunc": {}}
    polynomials = sys.modules.get("numpy.polynomial._polybase")
    if polynomials is not None and isinstance(value, polynomials.ABCPolyBase):  # it would give copies
        return object.__new__, (type(value),), dict(vars(value))
    return NotImplemented


def _put(live: Any, plain: Plain, attributes: dict[str, Any], writeable: bool) -> None:
    if plain.value is not None:  # else another array has written what lies there
        closed(live, True)
        live.view(np.ndarray)[...] = plain.value
    held: Any = getattr(live, "__dict__", {})
    for name in held.keys() - attributes.keys() - _INNER:
        del held[name]
    for name, new in attributes.items():
        old = held.get(name)
        same = isinstance(old, np.ndarray) and isinstance(new, np.ndarray) and old.shape == new.shape
        if same and old.dtype == new.dtype and not is_closed(old):
            old[...] = new
        else:
            held[name] = new
    closed(live, writeable)


def _of_subclass(value: Any) -> Any:
    """Take apart an array whose class leaves that to `ndarray`, which forgets attributes."""
    held = dict(getattr(value, "__dict__", {}))
    if isinstance(value, np.ma.MaskedArray) and value is not np.ma.masked and _is_plainly_masked(type(value)):
        inner = {name: held[name] for name in _OF_MASKED if name in held}
        own = {name: item for name, item in held.items() if name not in _INNER}
        return _as_subclass, (type(value), value.view(np.ndarray)), inner | own, None, None, _set_held
    if inspect.getattr_static(value, "__reduce__") is not vars(np.ndarray)["__reduce__"]:
        return NotImplemented
    return viewed(value)


def viewed(value: Any) -> Any:
    """Take apart an array of a subclass into a plain one, of which it is a view, and attributes."""
    held = dict(getattr(value, "__dict__", {}))
    return _as_subclass, (type(value), value.view(np.ndarray)), held or None, None, None, _set_held


def _set_held(array: Any, held: dict[str, Any]) -> None:
    vars(array).update(held)


def _is_plainly_masked(cls: Any) -> bool:
    return cls.__reduce__ is np.ma.MaskedArray.__reduce__


_OF_MASKED = ("_mask", "_fill_value", "_hardmask", "_sharedmask", "_baseclass")


def _as_subclass(cls: type, array: Any) -> Any:
    return array.view(cls)


ADAPTER = _Numpy()
