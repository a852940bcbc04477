"""The blocks that pandas keeps tables in: arrays that views may be made of, and who else refers to them.

Tables and columns share blocks until one of them is written to ("copy on write"). Each block knows by
`refs` who shares it. pandas forgets that when it pickles; here it is kept, so that blocks can be shared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lean_magic.values.adapters.numpy_ import content
from lean_magic.values.fingerprint import Walk, combine
from lean_magic.values.marks import Inner

__all__ = ["arrays_of", "inner_of", "objects_in", "reduced_block", "reduced_index"]

_internals: Any = pd._libs.internals  # noqa: SLF001  there is no public way to them
_Single: Any = type(pd.Series([0])._mgr)  # noqa: SLF001
Refs: Any = getattr(_internals, "BlockValuesRefs", None)  # since pandas 2


def arrays_of(table: pd.DataFrame) -> list[Any]:
    """List the columns of a frame as arrays, without making a Series of each."""
    manager: Any = table._mgr  # noqa: SLF001
    if hasattr(manager, "iget_values"):
        return [manager.iget_values(place) for place in range(table.shape[1])]
    return [table.iloc[:, place].array for place in range(table.shape[1])]


def inner_of(table: Any, columns: list[bytes | None]) -> list[Inner]:
    """List the arrays of a frame or series; `columns` are digests of its columns' elements, None: not known."""
    if Refs is None:
        return []
    found: list[Inner] = []
    for block in table._mgr.blocks:  # noqa: SLF001
        digests = columns if block.ndim == 1 else [columns[place] for place in block.mgr_locs]
        known = combine("rows", *filter(None, digests)) if None not in digests else None
        found += [Inner(array, known, _rows) for array in _arrays(block.values)]
        found.append(Inner(block.refs))
    return found


def objects_in(table: Any) -> list[Any]:
    """List what the columns of objects hold."""
    blocks = (block.values for block in table._mgr.blocks if block.dtype == object)  # noqa: PD011, SLF001  as above
    return [one for array in blocks for one in array.flat]


def _rows(array: Any) -> bytes:
    """Digest an array as the columns that it holds are digested."""
    return combine("rows", *[content(Walk(), row) for row in (array if array.ndim == 2 else [array])])


def _arrays(values: Any) -> list[Any]:
    names = ("_ndarray", "_data", "_mask")
    inner = (
        [getattr(values, name, None) for name in names] if not isinstance(values, np.ndarray) else [values]
    )
    return [array for array in inner if isinstance(array, np.ndarray)]


def reduced_block(value: Any) -> Any:
    """Take a block apart, with who shares it; and a series' manager, which by itself tells less."""
    if Refs is None:
        return NotImplemented
    if isinstance(value, Refs):
        return Refs, ()
    if isinstance(value, _Single):
        return type(value), (value.blocks[0], value.axes[0])
    if not isinstance(value, _internals.Block):
        return NotImplemented
    return _block, (value.values, value.mgr_locs.indexer, value.ndim, value.refs)  # noqa: PD011  a block has no other


def _block(values: Any, placement: Any, ndim: int, refs: Any) -> Any:
    block = _internals._unpickle_block(values, placement, ndim)  # noqa: SLF001  as pandas itself does
    block.refs = refs
    refs.add_reference(block)
    return block


def reduced_index(value: Any) -> Any:
    """Take an index apart, with the columns that it shares its labels with."""
    if Refs is None or not isinstance(value, pd.Index) or isinstance(value, pd.RangeIndex):
        return NotImplemented
    refs = value._references  # noqa: SLF001
    if refs is None:
        return NotImplemented
    make, args = value.__reduce__()[:2]
    return _index, (make, args, refs)


def _index(make: Any, args: Any, refs: Any) -> Any:
    index = make(*args)
    index._references = refs  # noqa: SLF001
    refs.add_index_reference(index)
    return index
