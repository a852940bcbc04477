"""polars: frames and series by schema and values, read through Arrow's own columns."""

from __future__ import annotations

import contextlib
import pickle
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.reduced import attributes, held_by

__all__ = ["ADAPTER"]


def _frame(walk: Walk, value: pl.DataFrame) -> bytes:
    walk.mark(value)
    head = walk.digest(type(value)) + leaf("height", str(value.height).encode())
    pieces = [_column(walk, column) for column in value.get_columns()]
    return combine("pl.DataFrame", head, *pieces, _more(walk, value))


def _series(walk: Walk, value: pl.Series) -> bytes:
    walk.mark(value)
    return combine("pl.Series", walk.digest(type(value)), _column(walk, value), _more(walk, value))


def _more(walk: Walk, value: Any) -> bytes:
    """Digest what somebody set on a frame or series."""
    return attributes(walk, value, frozenset(held_by(value).keys() - _extra(value).keys()))


def _extra(value: Any) -> dict[str, Any]:
    """Give what somebody set on a frame or series."""
    return {
        name: held
        for name, held in held_by(value).items()
        if name not in _INNER and not _is_namespace(value, name, held)
    }


_INNER = {"_df", "_s", "_ldf", "_pyexpr", "_accessors"}


def _is_namespace(value: Any, name: str, held: Any) -> bool:
    """Whether polars keeps here what it made of a registered class when it was asked for: a view of the whole."""
    return getattr(type(value), name, None) is type(held) and all(
        one is value for one in held_by(held).values()
    )


def _column(walk: Walk, value: pl.Series) -> bytes:
    head = leaf("column", f"{value.name}\0{_dtype_name(value.dtype)}\0{len(value)}".encode())
    return combine("column", head, _elements(walk, value))


def _elements(walk: Walk, value: pl.Series) -> bytes:
    """Digest which elements there are, and these."""
    if not value.null_count():
        return combine("whole", _present(walk, value))
    there = leaf("there", value.is_not_null().to_numpy().view("u1"))
    return combine("some", there, _present(walk, value.drop_nulls()))


def _present(walk: Walk, value: pl.Series) -> bytes:
    """Digest elements none of which is null."""
    kind = value.dtype
    if isinstance(kind, (pl.List, pl.Array)):
        return _nested(walk, value)
    if isinstance(kind, pl.Struct):
        return combine("struct", *[_column(walk, value.struct.field(field.name)) for field in kind.fields])
    if isinstance(kind, pl.Categorical):
        return walk.digest(tuple(value.cast(pl.String).to_list()))
    if kind.is_temporal() or isinstance(kind, pl.Enum):
        value = value.to_physical()
    if value.dtype.is_numeric() and not value.dtype.is_decimal() and value.dtype not in _WIDE:
        return leaf("", value.rechunk().to_numpy(allow_copy=True).view("u1"))
    return walk.digest(tuple(value.to_list()))


# numpy has no such numbers.
_WIDE = {getattr(pl, name) for name in ("Int128", "UInt128", "Float16") if hasattr(pl, name)}


def _nested(walk: Walk, value: pl.Series) -> bytes:
    """Digest lists by their lengths and by all their elements in a row."""
    lengths = value.list.len() if isinstance(value.dtype, pl.List) else None
    full = value if lengths is None else value.filter(lengths > 0)
    inner = full.explode() if len(full) and getattr(value.dtype, "width", 1) else None
    told = b"" if lengths is None else leaf("lengths", lengths.rechunk().to_numpy(allow_copy=True).view("u1"))
    return combine("lists", told, b"" if inner is None else _column(walk, inner))


def _lazy(walk: Walk, value: pl.LazyFrame) -> bytes:
    walk.mark(value)
    with _pickled() as objects:
        plan = value.serialize()
    _note_paths(walk, plan)
    said = [_more(walk, value)] if _extra(value) else []
    return combine(
        "pl.LazyFrame", walk.digest(type(value)), leaf("", plan), walk.digests(walk.keep(objects)), *said
    )


def _expression(walk: Walk, value: pl.Expr) -> bytes:
    said = []
    if _extra(value):  # else it is as good as any equal one
        walk.mark(value)
        said = [_more(walk, value)]
    with _pickled() as objects:
        plan = value.meta.serialize()
    return combine(
        "pl.Expr", walk.digest(type(value)), leaf("", plan), walk.digests(walk.keep(objects)), *said
    )


def _objects_in(value: Any) -> list[Any]:
    with _pickled() as objects:
        _ = value.serialize() if isinstance(value, pl.LazyFrame) else value.meta.serialize()
    return objects


@contextlib.contextmanager
def _pickled() -> Iterator[list[Any]]:
    """Collect the Python objects in a plan while it is written; in their stead stand their numbers.

    polars pickles functions by value, with positions and file names, or by a name that says nothing.
    """
    plain, mine, objects = pickle.dumps, threading.get_ident(), list[Any]()

    def numbered(value: Any, *args: Any, **options: Any) -> bytes:
        if threading.get_ident() != mine:
            return plain(value, *args, **options)
        objects.append(value)
        return plain(len(objects), protocol=4)

    pickle.dumps = numbered  # type: ignore[assignment]
    try:
        yield objects
    finally:
        pickle.dumps = plain


def _note_paths(walk: Walk, plan: bytes) -> None:
    """Note the files that a plan will read, unseen by Python."""
    for found in re.findall(rb"[^\x00-\x1f\x7f-\xbf]{2,4096}", plan):
        text = found.decode(errors="replace")
        # A length may stand before a text and look like a character of it.
        paths = [path for path in (text, text[1:], text[2:]) if path and Path(path).exists()]
        walk.texts.update(paths)
        walk.name(*paths)


def _dtype(walk: Walk, value: Any) -> bytes:
    del walk
    return leaf("pl.DataType", _dtype_name(value).encode())


def _dtype_name(value: Any) -> str:
    return f"{value!r} {value.categories.to_list()}" if isinstance(value, pl.Enum) else repr(value)


def _holds_objects(value: Any) -> bool:
    kinds = value.dtypes if isinstance(value, pl.DataFrame) else [value.dtype]
    return pl.Object in kinds


def _set_state(value: Any, state: tuple[bytes, dict[str, Any]]) -> None:
    value.__setstate__(state[0])
    vars(value).update(state[1])


_TABLES = (pl.DataFrame, pl.Series, pl.LazyFrame)


class _Polars:
    library = "polars"

    def rule(self, cls: type) -> Rule | None:
        table: list[tuple[type, Rule]] = [
            (pl.DataFrame, _frame),
            (pl.Series, _series),
            (pl.LazyFrame, _lazy),
            (pl.Expr, _expression),
            (pl.DataType, _dtype),
        ]
        return next((rule for kind, rule in table if issubclass(cls, kind)), None)

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if isinstance(value, (pl.Expr, pl.LazyFrame)) and _objects_in(value):
            raise Unstorable(type(value).__name__, "holds a Python function", "make it outside the cell")
        if isinstance(value, (pl.DataFrame, pl.Series)) and _holds_objects(value):
            raise Unstorable(type(value).__name__, "holds Python objects", "keep them in a list")
        if isinstance(value, (*_TABLES, pl.Expr)) and (extra := _extra(value)):
            make, args, state = value.__reduce_ex__(5)[:3]  # which leaves out what somebody set
            return make, args, (state, extra), None, None, _set_state
        return NotImplemented

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        del value
        return None

    def content(self, value: Any) -> Any:
        return (value.clone(), _extra(value)) if isinstance(value, _TABLES) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, _TABLES):
            return False
        inner = next(name for name in ("_df", "_s", "_ldf") if hasattr(live, name))
        content, extra = stored
        setattr(live, inner, getattr(content, inner))
        for name in _extra(live).keys() - extra.keys():
            delattr(live, name)
        vars(live).update(extra)
        return True


ADAPTER = _Polars()
