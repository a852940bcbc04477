"""pandas: frames, series and indexes by dtype, index, names and values; never by how blocks lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lean_magic.values.adapters.numpy_ import content
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf

__all__ = ["ADAPTER"]


def _frame(walk: Walk, value: pd.DataFrame) -> bytes:
    walk.mark(value)
    columns = (_values(walk, value.iloc[:, position]) for position in range(value.shape[1]))
    return combine(
        "frame",
        _kind(value),
        walk.digest(value.columns),
        walk.digest(value.index),
        _about(walk, value),
        *columns,
    )


def _series(walk: Walk, value: pd.Series) -> bytes:
    walk.mark(value)
    pieces = (walk.digest(value.name), walk.digest(value.index), _about(walk, value), _values(walk, value))
    return combine("series", _kind(value), *pieces)


def _kind(value: Any) -> bytes:
    return leaf("class", type(value).__qualname__.encode())


def _about(walk: Walk, value: Any) -> bytes:
    """`attrs` and flags, and what a subclass says it carries along in `_metadata`."""
    extra = {name: getattr(value, name, None) for name in getattr(value, "_metadata", []) if name != "name"}
    flags = value.flags.allows_duplicate_labels
    return walk.digest(walk.keep((dict(value.attrs), flags, tuple(sorted(extra.items())))))


def _values(walk: Walk, value: Any) -> bytes:
    """Digest one column (Series or Index) by dtype and values."""
    return combine("column", leaf("dtype", str(value.dtype).encode()), _elements(walk, value.array))


def _elements(walk: Walk, array: Any) -> bytes:
    if isinstance(array, pd.Categorical):
        return combine(
            "categorical",
            walk.digest(array.categories),
            content(walk, array.codes),
            walk.digest(array.ordered),
        )
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
    if isinstance(value, pd.MultiIndex):
        levels = (_values(walk, value.get_level_values(level)) for level in range(value.nlevels))
        return combine("multiindex", walk.digest(tuple(value.names)), *levels)
    if isinstance(value, pd.RangeIndex):
        return combine(
            "rangeindex", walk.digest((value.start, value.stop, value.step)), walk.digest(value.name)
        )
    freq = leaf("freq", str(getattr(value, "freqstr", "")).encode())
    return combine("index", _kind(value), walk.digest(value.name), freq, _values(walk, value))


def _scalar(walk: Walk, value: Any) -> bytes:
    del walk
    return leaf(type(value).__name__, repr(value).encode())


def _extension(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("extension", leaf("dtype", str(value.dtype).encode()), _elements(walk, value))


class _Pandas:
    library = "pandas"

    def rule(self, cls: type) -> Rule | None:
        table: list[tuple[Any, Rule]] = [
            (pd.DataFrame, _frame),
            (pd.Series, _series),
            (pd.Index, _index),
            (pd.api.extensions.ExtensionArray, _extension),
            ((pd.Timestamp, pd.Timedelta, pd.Period, type(pd.NaT), type(pd.NA), pd.Interval), _scalar),
            ((pd.api.extensions.ExtensionDtype, pd.offsets.BaseOffset), _scalar),
        ]
        return next((rule for kinds, rule in table if issubclass(cls, kinds)), None)

    def reduce(self, value: Any, memory: Any) -> Any:
        del value, memory
        return NotImplemented

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        del value
        return None

    def content(self, value: Any) -> Any:
        return value.copy(deep=False) if isinstance(value, (pd.DataFrame, pd.Series)) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, (pd.DataFrame, pd.Series)):
            return False
        # What pandas itself does for `inplace=True`.
        vars(pd.core.generic.NDFrame)["_update_inplace"](live, stored)
        live.attrs = dict(stored.attrs)
        return True


ADAPTER = _Pandas()
