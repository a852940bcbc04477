"""What a function gave for a batch → columns of equal length, and columns → what it would have given for all.

A result is a tree: arrays, tensors and lists have a row an item; a tuple or a dict has members that do. Each
leaf is a column: *rows* of one dtype and shape, packed one after the other, or *pieces*, one string of bytes
an item, for what is ragged or mixed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lean_magic.errors import Damaged, Unstorable, UsageError
from lean_magic.items import packed
from lean_magic.words import with_article

__all__ = ["Batch", "Differs", "as_index", "assemble", "joined", "split"]


class Differs(Exception):
    """Two batches gave results that cannot stand in one array."""


@dataclass(slots=True)
class Column:
    """One leaf: an array with a row an item, or the bytes of each item; `spec` says how to read it."""

    spec: dict[str, Any]
    data: Any

    def take(self, rows: Any) -> Column:
        """Choose rows by a slice or an array of positions."""
        if self.spec["as"] == "rows" or isinstance(rows, slice):
            return Column(self.spec, self.data[rows])
        return Column(self.spec, [self.data[row] for row in rows])

    def values(self) -> list[Any]:
        """Give each row as the object that the function gave."""
        if self.spec["as"] == "pieces":
            return [packed.load(memoryview(piece)) for piece in self.data]
        return _EACH[self.spec.get("each", "array")](self)

    def blocks(self) -> list[Any]:
        """Give the buffers to store."""
        if self.spec["as"] == "rows":
            return [np.ascontiguousarray(self.data).reshape(-1).view(np.uint8) if self.data.nbytes else b""]
        ends = np.cumsum([0, *map(len, self.data)], dtype=np.uint64)
        return [b"".join(self.data), ends]


@dataclass(slots=True)
class Batch:
    """The results of some items: how they are put together, and the columns."""

    tree: Any
    columns: list[Column]
    count: int

    @property
    def form(self) -> str:
        """The tree and how each column is read, as text: equal forms can be stored together."""
        return json.dumps([self.tree, [column.spec for column in self.columns]], sort_keys=True)

    @property
    def nbytes(self) -> int:
        """The bytes of all columns."""
        return sum(
            column.data.nbytes if column.spec["as"] == "rows" else sum(map(len, column.data))
            for column in self.columns
        )

    def take(self, rows: Any) -> Batch:
        """Choose items by a slice or an array of positions."""
        count = len(range(*rows.indices(self.count))) if isinstance(rows, slice) else len(rows)
        return Batch(self.tree, [column.take(rows) for column in self.columns], count)

    def values(self) -> list[Any]:
        """Give one result an item."""
        leaves = [column.values() for column in self.columns]
        return [_item(self.tree, iter([leaf[row] for leaf in leaves])) for row in range(self.count)]


def _item(tree: Any, leaves: Iterator[Any]) -> Any:
    if tree["is"] == "tuple":
        return tuple(_item(inner, leaves) for inner in tree["of"])
    if tree["is"] == "dict":
        return {name: _item(inner, leaves) for name, inner in tree["of"]}
    return next(leaves)


def joined(batches: Sequence[Batch]) -> Batch:
    """Put batches of equal form together."""
    first = batches[0]
    columns = []
    for number, column in enumerate(first.columns):
        parts = [batch.columns[number].data for batch in batches]
        data = _stacked(parts) if column.spec["as"] == "rows" else [one for part in parts for one in part]
        columns.append(Column(column.spec, data))
    return Batch(first.tree, columns, sum(batch.count for batch in batches))


def _stacked(parts: Sequence[Any]) -> Any:
    """Put arrays one after the other; numpy's own way would not keep the byte order."""
    whole: Any = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    at = 0
    for part in parts:
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


# -- from a result to columns ------------------------------------------------------------


def split(result: Any, count: int, name: str) -> Batch:
    """Take a batch's result apart into `count` items.

    Raises UsageError if it does not have one for each, Unstorable for kinds that cannot be stored.
    """
    columns: list[Column] = []
    tree = _split(result, count, name, columns)
    return Batch(tree, columns, count)


def _split(result: Any, count: int, name: str, columns: list[Column]) -> Any:
    if type(result) is tuple:
        return {"is": "tuple", "of": [_split(inner, count, name, columns) for inner in result]}
    if type(result) is dict:
        if any(type(key) is not str for key in result):
            raise Unstorable(f"{name}()", "gives a dict whose keys are not texts")
        return {
            "is": "dict",
            "of": [[key, _split(inner, count, name, columns)] for key, inner in result.items()],
        }
    tree, column = _leaf(result, name)
    if len(column.data) != count:
        raise UsageError(
            f"cached_map: {name}() gave {len(column.data):,} results for {count:,} items; "
            "it has to give one for each, in their order"
        )
    columns.append(column)
    return tree


def _leaf(result: Any, name: str) -> tuple[dict[str, Any], Column]:
    if type(result) is np.ndarray and result.ndim:
        if result.dtype.hasobject:
            return {"is": "objects"}, _pieces(result.tolist() if result.ndim == 1 else list(result))
        return {"is": "array"}, _rows(result)
    if packed.is_tensor(result) and result.ndim:
        array, dtype = packed.from_torch(result)
        tree = {"is": "tensor", "dtype": dtype, "grad": bool(result.requires_grad)}
        return tree, _rows(array)
    if type(result) is list:
        return {"is": "list"}, _listed(result)
    kind = f"{type(result).__module__}.{type(result).__qualname__}".removeprefix("builtins.")
    raise UsageError(
        f"cached_map: {name}() gave {with_article(kind)}, which has no row for each item; "
        "it has to give an array, a tensor or a list, or a tuple or dict of these"
    )


def _rows(array: Any, each: str = "") -> Column:
    spec = {"as": "rows", "dtype": packed.dtype_text(array.dtype), "shape": list(array.shape[1:])}
    return Column({**spec, "each": each} if each else spec, array)


def _pieces(values: Sequence[Any]) -> Column:
    return Column({"as": "pieces"}, [packed.dump(value) for value in values])


def _listed(values: list[Any]) -> Column:
    """Pack a list as rows if its members are alike, else as pieces."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return _rows(np.array(values, np.float64), "float")
    if kinds == {bool}:
        return _rows(np.array(values, np.bool_), "bool")
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return _rows(np.array(values, np.int64), "int")
    if len(kinds) == 1 and len({_likeness(value) for value in values}) == 1 and _likeness(values[0]):
        if packed.is_tensor(values[0]):
            arrays, name = [packed.from_torch(value)[0] for value in values], _torch_name(values[0])
            return _rows(np.stack(arrays), f"tensor {name}")
        rows = _stacked([np.asarray(value)[None] for value in values])
        return _rows(rows, "scalar" if isinstance(values[0], np.generic) else "array")
    return _pieces(values)


def _likeness(value: Any) -> tuple[Any, ...]:
    """Give what has to be equal for values to stand in one array; () for what cannot."""
    if type(value) is np.ndarray or isinstance(value, np.generic):
        return () if value.dtype.hasobject else (value.dtype.str, value.shape)
    if packed.is_tensor(value) and not value.requires_grad:
        return str(value.dtype), tuple(value.shape), str(value.layout)
    return ()


def _torch_name(value: Any) -> str:
    return str(value.dtype).removeprefix("torch.")


def _arrays(column: Column) -> list[Any]:
    return [np.array(row) for row in column.data]


_EACH: dict[str, Callable[[Column], list[Any]]] = {
    "float": lambda column: column.data.tolist(),
    "int": lambda column: column.data.tolist(),
    "bool": lambda column: column.data.tolist(),
    "array": _arrays,
    "scalar": lambda column: list(column.data),
}


def _tensors(name: str) -> Callable[[Column], list[Any]]:
    return lambda column: [packed.to_torch(row, name) for row in _arrays(column)]


for _name in ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool",
              "complex64", "complex128", "float8_e4m3fn", "float8_e5m2"):  # fmt: skip
    _EACH[f"tensor {_name}"] = _tensors(_name)


# -- from columns to a result ---------------------------------------------------------------

Fill = Callable[[Any, Any, int], None]


@dataclass(slots=True)
class Part:
    """Some items of a result: where they go, where they are from, and what reads column `number` of them."""

    to: Any  # positions in the result, an array or a range
    tree: Any
    specs: list[dict[str, Any]]
    fill: Fill  # (whole array, positions, number of the column): rows
    column: Callable[[int], Column]


def assemble(parts: Sequence[Part], count: int, device: Any = None) -> Any:
    """Build the whole result; `device` is where tensors go, where that is there. Raises Differs, Damaged."""
    first = parts[0]
    if any(part.tree != first.tree for part in parts):
        raise Differs("batches gave results of different kinds")
    numbers = iter(range(len(first.specs)))
    return _assemble(first.tree, parts, count, numbers, device)


def _assemble(tree: Any, parts: Sequence[Part], count: int, numbers: Iterator[int], device: Any) -> Any:
    if tree["is"] == "tuple":
        return tuple(_assemble(inner, parts, count, numbers, device) for inner in tree["of"])
    if tree["is"] == "dict":
        return {name: _assemble(inner, parts, count, numbers, device) for name, inner in tree["of"]}
    number = next(numbers)
    if tree["is"] in {"array", "tensor"}:
        whole = _whole(parts, count, number)
        return whole if tree["is"] == "array" else _tensor(whole, tree, device)
    found: list[Any] = [None] * count
    for part in parts:
        for place, value in zip(list(part.to), part.column(number).values(), strict=True):
            found[place] = value
    return found if tree["is"] == "list" else _objects(found)


def _whole(parts: Sequence[Part], count: int, number: int) -> Any:
    specs = {json.dumps(part.specs[number], sort_keys=True): part.specs[number] for part in parts}
    spec, *others = specs.values()
    dtype = _dtype(spec)
    for other in others:
        if other["shape"] != spec["shape"] or _dtype(other).kind != dtype.kind or dtype.kind not in "US":
            raise Differs(f"rows of {_said(spec)} beside rows of {_said(other)}")
        dtype = max(dtype, _dtype(other), key=lambda one: one.itemsize)
    whole = np.empty((count, *spec["shape"]), dtype)
    if sum(len(part.to) for part in parts) < count:
        whole[_others(parts, count)] = _missing(dtype)
    for part in parts:
        part.fill(whole, part.to, number)
    return whole if not others else _narrow(whole)


def _dtype(spec: dict[str, Any]) -> Any:
    try:
        return packed.dtype_from(spec["dtype"])
    except (ValueError, TypeError, SyntaxError) as error:
        raise Damaged(f"an item has a dtype that cannot be read ({error})") from error


def _narrow(texts: Any) -> Any:
    """Give texts in an array as wide as the longest, as numpy makes it for a list of texts."""
    width = max(int(np.char.str_len(texts).max(initial=0)), 1)
    return texts.astype(f"{texts.dtype.byteorder}{texts.dtype.kind}{width}")


def as_index(positions: Any) -> Any:
    """Give positions as numpy takes them: a range as a slice."""
    return slice(positions.start, positions.stop) if isinstance(positions, range) else positions


def _others(parts: Sequence[Part], count: int) -> Any:
    left: Any = np.ones(count, np.bool_)
    for part in parts:
        left[as_index(part.to)] = False
    return left


def _missing(dtype: Any) -> Any:
    """Give what stands for an item that failed. Raises UsageError where nothing can."""
    if dtype.kind not in "fcmM":
        raise UsageError(
            f'cached_map: on_error="keep" has no value of {dtype} for an item that failed; '
            "let the function return floats or a list"
        )
    return np.nan if dtype.kind in "fc" else "NaT"


def _said(spec: dict[str, Any]) -> str:
    return f"{spec['dtype']} {tuple(spec['shape'])}"


def _tensor(whole: Any, tree: Any, device: Any) -> Any:
    tensor = packed.to_torch(whole, tree["dtype"])
    if device is not None and str(device) != "cpu":
        tensor = tensor.to(device)
    return tensor.requires_grad_(tree["grad"]) if tree["grad"] else tensor


def _objects(values: list[Any]) -> Any:
    found: Any = np.empty(len(values), object)
    for place, value in enumerate(values):
        found[place] = value
    return found
