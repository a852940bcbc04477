"""polars: frames and series by schema and values, read through Arrow's own columns."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from lean_magic.values.fingerprint import Rule, Walk, combine, leaf

__all__ = ["ADAPTER"]


def _frame(walk: Walk, value: pl.DataFrame) -> bytes:
    walk.mark(value)
    return combine("pl.DataFrame", *(_column(walk, column) for column in value.get_columns()))


def _series(walk: Walk, value: pl.Series) -> bytes:
    walk.mark(value)
    return combine("pl.Series", _column(walk, value))


def _column(walk: Walk, value: pl.Series) -> bytes:
    head = leaf("column", f"{value.name}\0{value.dtype!r}\0{len(value)}".encode())
    return combine("column", head, _elements(walk, value))


def _elements(walk: Walk, value: pl.Series) -> bytes:
    if value.dtype.is_numeric() and not value.null_count() and not value.dtype.is_decimal():
        return leaf("", value.rechunk().to_numpy(allow_copy=True).view("u1"))
    return walk.digest(walk.keep(value.to_list()))


def _lazy(walk: Walk, value: pl.LazyFrame) -> bytes:
    walk.mark(value)
    # The files it will scan: the plan names them, and nothing else does.
    for found in re.findall(r"SCAN \[(.*?)\]", value.explain(optimized=False)):
        walk.texts.update(text.strip() for text in found.split(","))
    return leaf("pl.LazyFrame", value.serialize())


def _expression(walk: Walk, value: pl.Expr) -> bytes:
    del walk
    return leaf("pl.Expr", value.meta.serialize())


def _dtype(walk: Walk, value: Any) -> bytes:
    del walk
    return leaf("pl.DataType", repr(value).encode())


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
        del value, memory
        return NotImplemented

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        del value
        return None

    def content(self, value: Any) -> Any:
        return value.clone() if isinstance(value, (pl.DataFrame, pl.Series)) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, (pl.DataFrame, pl.Series)):
            return False
        inner = "_df" if isinstance(live, pl.DataFrame) else "_s"
        setattr(live, inner, getattr(stored, inner))
        return True


ADAPTER = _Polars()
