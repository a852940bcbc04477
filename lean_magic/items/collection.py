"""The items of one call: how many, which of them make a batch, and how a batch is handed to the function.

A batch is of the kind that was given, as far as that can be: an array stays an array, a column a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from lean_magic.errors import UsageError
from lean_magic.items.packed import is_tensor
from lean_magic.values.origin import module_of

__all__ = ["Collection", "collect"]


class Collection(Protocol):
    """Items in order."""

    whole: Any  # what the user gave, or a list of it
    values: Any  # a list of the items, or an array with a row an item

    def __len__(self) -> int:
        """Count the items."""

    def take(self, places: Any) -> Any:
        """Give the items at these positions as the function gets them."""


class _Listed:
    def __init__(self, whole: Any, values: list[Any]) -> None:
        self.whole, self.values = whole, values

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: Any) -> Any:
        return [self.values[place] for place in places]


class _Tupled(_Listed):
    def take(self, places: Any) -> Any:
        return tuple(self.values[place] for place in places)


class _Array:
    def __init__(self, whole: Any, values: Any) -> None:
        self.whole, self.values = whole, values

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: Any) -> Any:
        return self.whole[np.asarray(places, np.int64)]


class _Pandas(_Listed):
    def take(self, places: Any) -> Any:
        return self.whole.iloc[np.asarray(places, np.int64)].reset_index(drop=True)


class _Polars(_Listed):
    def take(self, places: Any) -> Any:
        return self.whole.gather(np.asarray(places, np.int64))


class _Tensor(_Array):
    def __init__(self, whole: Any) -> None:
        super().__init__(whole, list(whole.detach().cpu()))

    def take(self, places: Any) -> Any:
        return self.whole[list(map(int, places))]


def collect(items: Any) -> Collection:
    """Take what the user gave. Raises UsageError for what is one item, or none."""
    if isinstance(items, (str, bytes, bytearray, dict)) or not isinstance(items, Iterable):
        kind = type(items).__name__
        raise UsageError(
            f"cached_map: takes a list or column of items, not one {kind}; put it into a list: [x]"
        )
    if isinstance(items, np.ndarray) or is_tensor(items):
        return _from_array(items)
    column = _COLUMNS.get(module_of(type(items)).partition(".")[0])
    if column is not None:
        return column(items)
    if type(items) is tuple:
        return _Tupled(items, list(items))
    values = items if type(items) is list else list(items)  # a generator is used up by this
    return _Listed(values, values)


def _from_array(items: Any) -> Collection:
    if not items.ndim:
        raise UsageError("cached_map: takes a list or column of items, not an array without a dimension")
    if is_tensor(items):
        return _Tensor(items)
    plain = type(items) is np.ndarray and items.dtype.kind in "biufcmM"
    return _Array(items, items if plain else items.tolist() if items.ndim == 1 else list(items))


def _from_pandas(items: Any) -> Collection:
    if getattr(items, "ndim", 0) != 1:
        raise UsageError("cached_map: takes one column of a table, or a list of its rows, not a table")
    return _Pandas(items, items.tolist()) if hasattr(items, "iloc") else _Listed(items, items.tolist())


def _from_polars(items: Any) -> Collection:
    if not hasattr(items, "gather"):
        raise UsageError("cached_map: takes one column of a table, or a list of its rows, not a table")
    return _Polars(items, items.to_list())


def _from_arrow(items: Any) -> Collection:
    return _Listed(items, items.to_pylist())


_COLUMNS: dict[str, Callable[[Any], Collection]] = {
    "pandas": _from_pandas,
    "polars": _from_polars,
    "pyarrow": _from_arrow,
}
