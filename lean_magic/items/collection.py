"""The items of one call: how many, which of them make a batch, and how a batch is handed to the function.

A batch is of the kind that was given, as far as that can be: an array stays an array, a column a column.
"""

from __future__ import annotations

from collections.abc import Iterable
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


def collect(items: Any) -> Collection:
    """Take what the user gave. Raises UsageError for what is one item, or none."""
    if isinstance(items, (str, bytes, bytearray, dict)) or not isinstance(items, Iterable):
        kind = type(items).__name__
        raise UsageError(
            f"cached_map: takes a list or column of items, not one {kind}; put it into a list: [x]"
        )
    if isinstance(items, np.ndarray):
        return _from_array(items)
    if is_tensor(items):
        if not items.ndim:
            raise UsageError("cached_map: takes a list or column of items, not a tensor without a dimension")
        return _Tensor(items)
    home = module_of(type(items)).partition(".")[0]
    if home == "pandas":
        return _from_pandas(items)
    if home == "polars" and hasattr(items, "gather"):
        return _Polars(items, items.to_list())
    if home == "pyarrow" and hasattr(items, "to_pylist"):
        return _Listed(items, items.to_pylist())
    if type(items) is tuple:
        return _Tupled(items, list(items))
    return _Listed(items, items) if type(items) is list else _fresh(items)


def _fresh(items: Any) -> Collection:
    values = list(items)  # a generator is used up by this, so the list stands for it from now on
    return _Listed(values, values)


def _from_array(items: Any) -> Collection:
    if not items.ndim:
        raise UsageError("cached_map: takes a list or column of items, not an array without a dimension")
    plain = type(items) is np.ndarray and items.dtype.kind in "biufcmM"
    return _Array(items, items if plain else items.tolist() if items.ndim == 1 else list(items))


def _from_pandas(items: Any) -> Collection:
    if getattr(items, "ndim", 0) != 1:
        raise UsageError("cached_map: takes one column of a table, or a list of its rows, not a table")
    return _Pandas(items, items.tolist()) if hasattr(items, "iloc") else _Listed(items, items.tolist())


class _Tensor(_Array):
    def __init__(self, whole: Any) -> None:
        super().__init__(whole, list(whole.detach().cpu()))

    def take(self, places: Any) -> Any:
        return self.whole[list(map(int, places))]
