"""Stored results as a file that other programs read: .npz, or .parquet by polars, pyarrow or pandas."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lean_magic.effects import files
from lean_magic.errors import UsageError
from lean_magic.items.choices import Choices
from lean_magic.items.columns import assemble
from lean_magic.items.lookup import Lookup
from lean_magic.items.rows import part_of

__all__ = ["export"]


def export(choices: Choices, path: str | os.PathLike[str], items: Any, options: Mapping[str, Any]) -> int:
    """Write results; see CachedMap.export."""
    target = Path(path)
    write = _WRITERS.get(target.suffix)
    if write is None:
        raise UsageError(f"cached_map: export writes {' or '.join(_WRITERS)}, not {target.name!r}")
    call = Lookup(choices, [] if items is None else items, options)
    with files.unwatched():
        call.look()
        columns = _all(call) if items is None else _those(call)
    write(target, columns)
    return len(columns["key"])


def _all(call: Lookup) -> dict[str, Any]:
    """Give every row that is stored, with its key as hex."""
    places = call.index.places
    if not places:
        raise UsageError(f"cached_map: nothing is stored for {call.map.label}; call it first")
    keys = np.concatenate([place.keys() for place in places])
    starts = np.cumsum([0, *(place.count for place in places)])
    parts = [
        part_of(place, range(place.count), range(start, start + place.count))
        for place, start in zip(places, starts[:-1].tolist(), strict=True)
    ]
    return {"key": _hex(keys), **_named(assemble(parts, len(keys), "cpu"))}


def _those(call: Lookup) -> dict[str, Any]:
    """Give the items with their rows."""
    missing = int((call.rows < 0).sum())
    if missing:
        raise UsageError(
            f"cached_map: {missing:,} of these items are not stored; call the function on them first"
        )
    item = (
        call.items.values
        if isinstance(call.items.values, np.ndarray)
        else list(map(_text, call.items.values))
    )
    return {"key": _hex(call.keys), "item": item, **_named(call.together([], {}))}


def _text(item: Any) -> Any:
    return item if isinstance(item, (str, bytes, int, float, bool, type(None))) else str(item)


def _hex(keys: Any) -> list[str]:
    return [f"{high:016x}{low:016x}" for high, low in keys.tolist()]


def _named(result: Any) -> dict[str, Any]:
    if isinstance(result, dict):
        return dict(result)
    if isinstance(result, tuple):
        return {f"value_{number}": one for number, one in enumerate(result)}
    return {"value": result}


def _npz(target: Path, columns: Mapping[str, Any]) -> None:
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    odd = [name for name, array in arrays.items() if array.dtype.hasobject]
    if odd:
        raise UsageError(
            f"cached_map: {odd[0]!r} is ragged or mixed, which .npz cannot hold; export to .parquet"
        )
    np.savez(target, **arrays)


def _parquet(target: Path, columns: Mapping[str, Any]) -> None:
    lists = {name: _listed(column) for name, column in columns.items()}
    try:
        import polars
    except ImportError:
        pass
    else:
        polars.DataFrame(lists).write_parquet(target)
        return
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UsageError(
            "cached_map: export to .parquet needs polars or pyarrow; install one of them"
        ) from None
    pq.write_table(pa.table(lists), target)


def _listed(column: Any) -> Any:
    if isinstance(column, np.ndarray) and column.ndim == 1:
        return column
    if isinstance(column, list):
        return [one.tolist() if hasattr(one, "tolist") else one for one in column]
    return column.tolist()


_WRITERS = {".npz": _npz, ".parquet": _parquet}
