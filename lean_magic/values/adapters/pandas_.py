"""pandas: frames, series and indexes by dtype, index, names and values; never by how blocks lie in memory."""

from __future__ import annotations

import datetime
import functools
import re
from typing import Any

import numpy as np
import pandas as pd

from lean_magic.values.adapters.numpy_ import content
from lean_magic.values.adapters.pandas_blocks import (
    arrays_of,
    inner_of,
    objects_in,
    reduced_block,
    reduced_index,
)
from lean_magic.values.adapters.pandas_readers import (
    TextFileReader,
    put_reader,
    reader_content,
    reader_rule,
    reduced_reader,
)
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.reduced import attributes

__all__ = ["ADAPTER"]


def _frame(walk: Walk, value: pd.DataFrame) -> bytes:
    walk.mark(value)
    columns = [_column(walk, array.dtype, array) for array in arrays_of(value)]
    walk.hold(value, inner_of(value, [elements for _, elements in columns]))
    heads = walk.digests((type(value), value.columns, value.index))
    return combine("frame", heads, _about(walk, value), *[digest for digest, _ in columns])


def _series(walk: Walk, value: pd.Series) -> bytes:
    walk.mark(value)
    heads = walk.digests((type(value), value.name, value.index))
    about = _about(walk, value)
    digest, elements = _column(walk, value.dtype, value.array)
    walk.hold(value, inner_of(value, [elements]))
    return combine("series", heads, about, digest)


def _about(walk: Walk, value: Any) -> bytes:
    """`attrs` and flags, and whatever somebody set on the object."""
    flags = value.flags.allows_duplicate_labels
    return walk.digest(walk.keep((dict(value.attrs), flags))) + attributes(walk, value, _INNER)


_INNER = frozenset(
    {"_mgr", "_attrs", "_flags", "_name", "_item_cache", "_cacher", "_is_copy", "_typ", "_metadata"}
)


def _values(walk: Walk, value: Any) -> bytes:
    """Digest an index by dtype and values."""
    return _column(walk, value.dtype, value.array)[0]


def _column(walk: Walk, kind: Any, array: Any) -> tuple[bytes, bytes | None]:
    """Digest one column, and its elements alone; None if objects with an identity are among them."""
    dtype, met = walk.digest(kind), len(walk.objects)
    elements = _elements(walk, array)
    return combine("column", dtype, elements), elements if len(walk.objects) == met else None


def _elements(walk: Walk, array: Any) -> bytes:
    if isinstance(array, np.ndarray):
        return content(walk, array)
    if isinstance(array, pd.Categorical):
        return combine("categorical", content(walk, array.codes))
    if isinstance(array, pd.arrays.IntervalArray):
        return combine("intervals", _labels(walk, array.left), _labels(walk, array.right))
    plain = getattr(array, "_ndarray", None)
    if isinstance(plain, np.ndarray):
        return content(walk, plain)
    if hasattr(array, "_data") and hasattr(array, "_mask"):
        return _masked(walk, array)
    return content(walk, array.to_numpy(dtype=object))


def _masked(walk: Walk, array: Any) -> bytes:
    """Digest values under a mask; what lies under the mask is no content."""
    mask = np.asarray(array._mask)  # noqa: SLF001  the public way boxes every element
    values = np.where(mask, np.zeros(1, dtype=array._data.dtype), array._data)  # noqa: SLF001
    return combine("masked", content(walk, mask), content(walk, values))


def _index(walk: Walk, value: pd.Index) -> bytes:
    walk.mark(value)  # its names may change, in all tables that share it
    return _labels(walk, value)


def _labels(walk: Walk, value: pd.Index) -> bytes:
    kind = walk.digest(type(value))
    if isinstance(value, pd.MultiIndex):
        codes = [content(walk, codes) for codes in value.codes]
        levels = [_labels(walk, level) for level in value.levels]
        names = (*value.names, *_own_name(value))
        return combine("multiindex", kind, walk.digest(names), *levels, *codes)
    if isinstance(value, pd.RangeIndex):
        steps = (value.start, value.stop, value.step)
        return combine("rangeindex", kind, walk.digests((steps, value.name)))
    freq = walk.digest(str(getattr(value, "freqstr", "")))
    return combine("index", kind, walk.digest(value.name), freq, _values(walk, value))


def _own_name(value: Any) -> tuple[Any, ...]:
    """Give the name of an index of several levels itself, which pandas forgets when it pickles."""
    return () if value.name is None or not isinstance(value, pd.MultiIndex) else (value.name,)


def _moment(walk: Walk, value: Any) -> bytes:
    """Digest a Timestamp or Timedelta: its count of units, its zone, its side of a clock change."""
    count, zone = int(value.asm8.view("i8")), getattr(value, "tzinfo", None)
    told = f"{count} {value.unit} {getattr(value, 'fold', 0)}".encode()
    where = leaf("nowhere", b"") if zone is None else walk.digest(_zone(zone))
    return combine("moment", walk.digest(type(value)), leaf("count", told), where)


def _zone(zone: Any) -> datetime.time:
    """Give something plain that has the zone, which is compared as in Python's own times."""
    return datetime.time(tzinfo=zone)


def _missing(walk: Walk, value: Any) -> bytes:
    return combine("missing", walk.digest(type(value)))


def _interval(walk: Walk, value: pd.Interval) -> bytes:
    return combine("interval", walk.digests((value.left, value.right, value.closed)))


def _period(walk: Walk, value: pd.Period) -> bytes:
    return combine("period", walk.digests((value.ordinal, value.freq)))


def _offset(walk: Walk, value: Any) -> bytes:
    said = {name: item for name, item in sorted(value.kwds.items()) if name != "calendar"}
    calendar = getattr(value, "calendar", None)
    days = (str(calendar.weekmask), str(calendar.holidays)) if calendar is not None else ()
    own = attributes(walk, value, frozenset({*said, "kwds", "_cache", "calendar"}))
    pieces = (type(value), value.n, value.normalize, walk.keep(said), days)
    return combine("offset", walk.digests(pieces), own)


def _dtype(walk: Walk, value: Any) -> bytes:
    """Digest a dtype by class and by what tells it from others of its class."""
    heads = walk.digests((type(value), str(value)))
    if isinstance(value, pd.CategoricalDtype):
        labels = b"" if value.categories is None else _labels(walk, value.categories)
        return combine("categories", heads, labels, walk.digest(value.ordered))
    said = [getattr(value, name, None) for name in value._metadata]  # noqa: SLF001  pandas' interface for dtypes
    plain = [_zone(item) if isinstance(item, datetime.tzinfo) else item for item in said]
    return combine("dtype", heads, walk.digests(plain))


def _extension(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    held = frozenset(getattr(value, "__dict__", ()))
    own = frozenset(name for name in held if name.startswith("_"))
    said = [attributes(walk, value, own)] if held - own else []  # what somebody set on it
    return combine("extension", walk.digests((type(value), value.dtype)), _elements(walk, value), *said)


def _options(walk: Walk, value: Any) -> bytes:
    """Digest a part of pandas' options by its name: what is set there counts as a setting."""
    walk.mark(value)
    return combine("options", walk.digest(object.__getattribute__(value, "prefix")))


def _options_at(prefix: str) -> Any:
    return functools.reduce(getattr, filter(None, prefix.split(".")), pd.options)


def _is_styler(cls: type) -> bool:
    return any(
        one.__name__ == "StylerRenderer" and one.__module__.startswith("pandas.") for one in cls.__mro__
    )


def _styler(walk: Walk, value: Any) -> bytes:
    """Digest what is to be shown without the number that it was drawn, which nobody chose."""
    walk.mark(value)
    drawn = re.fullmatch(r"[0-9a-f]{5}", str(value.uuid)) is not None
    return combine(
        "styler", walk.digest(type(value)), attributes(walk, value, frozenset({"uuid"} if drawn else ()))
    )


class _Pandas:
    library = "pandas"

    def rule(self, cls: type) -> Rule | None:
        table: list[tuple[Any, Rule]] = [
            (pd.DataFrame, _frame),
            (pd.Series, _series),
            (pd.Index, _index),
            (pd.api.extensions.ExtensionArray, _extension),
            ((type(pd.NaT), type(pd.NA)), _missing),
            ((pd.Timestamp, pd.Timedelta), _moment),
            (pd.Period, _period),
            (pd.Interval, _interval),
            (pd.api.extensions.ExtensionDtype, _dtype),
            (pd.offsets.BaseOffset, _offset),
            (type(pd.options), _options),
            (TextFileReader, reader_rule),
        ]
        found = next((rule for kinds, rule in table if issubclass(cls, kinds)), None)
        return _styler if found is None and _is_styler(cls) else found

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if type(value) is type(pd.options):
            return _options_at, (object.__getattribute__(value, "prefix"),)
        if (
            type(value) is pd.Timestamp and value.fold and value.tzinfo is None
        ):  # without a zone pandas forgets it
            return _folded, (value.replace(fold=0),)
        if isinstance(value, TextFileReader):
            return reduced_reader(value)
        for reduced in (reduced_block, reduced_index, _reduced_named):
            form = reduced(value)
            if form is not NotImplemented:
                return form
        extra = _extra(value) if isinstance(value, (pd.DataFrame, pd.Series)) else {}
        kept = {"_name"}.intersection(getattr(value, "_metadata", ()))  # by pandas itself
        if extra.keys() <= kept:
            return NotImplemented
        make, args, state = value.__reduce_ex__(5)[:3]  # which leaves out what somebody set
        return make, args, (state, extra), None, None, _set_state

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        del value
        return None

    def refers_to(self, value: Any) -> list[Any]:
        """Give the objects in the cells of a frame or series."""
        return objects_in(value) if isinstance(value, (pd.DataFrame, pd.Series)) else []

    def tables(self, value: Any) -> dict[str, Any]:
        """Give the dict of attributes of a frame or series."""
        is_table = isinstance(value, (pd.DataFrame, pd.Series))
        return {"_attrs": value.attrs} if is_table and value.attrs is vars(value).get("_attrs") else {}

    def content(self, value: Any) -> Any:
        if isinstance(value, TextFileReader):
            return reader_content(value)
        if isinstance(value, pd.Index):
            # The labels themselves never change.
            return list(value.names), getattr(value, "freq", None), value.name
        if not isinstance(value, (pd.DataFrame, pd.Series)):
            return NotImplemented
        shallow: Any = value.copy(deep=False)
        shallow._mgr.axes = list(value._mgr.axes)  # noqa: SLF001  the very indexes, not views of them
        return shallow, dict(value.attrs), value.flags.allows_duplicate_labels, _extra(value)

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, TextFileReader):
            put_reader(live, stored)
            return True
        if isinstance(live, pd.Index):
            live.names, freq, live.name = stored
            if getattr(live, "freq", None) != freq:
                live.freq = freq
            return True
        if not isinstance(live, (pd.DataFrame, pd.Series)):
            return False
        # What pandas itself does for `inplace=True`.
        content, attrs, duplicates, extra = stored
        live.attrs.clear()
        live.attrs.update(attrs)
        changing: Any = live
        changing._update_inplace(content)  # noqa: SLF001
        changing.flags.allows_duplicate_labels = duplicates
        _set_extra(live, extra)
        return True


def _folded(value: Any) -> Any:
    return value.replace(fold=1)


def _reduced_named(value: Any) -> Any:
    if not isinstance(value, pd.MultiIndex) or value.name is None:
        return NotImplemented
    make, args = value.__reduce__()[:2]
    return make, args, value.name, None, None, _set_name


def _set_name(index: Any, name: Any) -> None:
    index.name = name


def _extra(value: Any) -> dict[str, Any]:
    """Give what somebody set on a frame or series, the name of a series among it."""
    return {name: item for name, item in vars(value).items() if name not in _UNTOLD}


_UNTOLD = _INNER - {"_name"}


def _set_extra(value: Any, extra: dict[str, Any]) -> None:
    for name, item in extra.items():
        object.__setattr__(value, name, item)


def _set_state(value: Any, state: tuple[Any, dict[str, Any]]) -> None:
    value.__setstate__(state[0])
    _set_extra(value, state[1])


ADAPTER = _Pandas()
