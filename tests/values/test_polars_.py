"""Fingerprints of polars' objects."""

import itertools

import polars as pl
import pytest

from lean_magic.values import fingerprint

KINDS = [
    pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Float32, pl.Float64, pl.Boolean, pl.String,
    pl.Date, pl.Time, pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("ns"), pl.Datetime("ns", "UTC"), pl.Datetime("ns", "Europe/Berlin"),
    pl.Duration("ms"), pl.Duration("us"), pl.Duration("ns"), pl.Decimal(20, 2), pl.Decimal(20, 3), pl.Decimal(21, 2), pl.Categorical,
]  # fmt: skip
NESTED = [pl.List, lambda kind: pl.Array(kind, 1), lambda kind: pl.Struct({"a": kind})]


def column(kind, *values):
    """Return a column of a kind, with numbers cast to it."""
    numbers = pl.Series("x", values, pl.Int64)
    if kind is pl.Categorical:
        return numbers.cast(pl.String).cast(kind)
    return numbers.cast(kind)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_element_counts(kind):
    """The smallest difference between two elements is content, in every dtype, with and without nulls."""
    others = [(1, 0), (0, 0), (0, 1), (None, 1), (1, None), (None, None), (1,), ()]
    digests = [fingerprint(column(kind, *values)) for values in others]
    assert len(set(digests)) == len(digests)
    assert digests == [fingerprint(column(kind, *values)) for values in others]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not pl.Categorical], ids=str)
@pytest.mark.parametrize("nest", NESTED, ids=["List", "Array", "Struct"])
def test_every_element_counts_inside(kind, nest):
    """The smallest difference between two elements inside lists, arrays and structs is content."""
    whole = [column(kind, value) for value in (0, 1, None)]
    wrapped = [
        pl.DataFrame({"x": one}).select(
            pl.struct(a="x") if nest is NESTED[2] else pl.concat_list("x").cast(nest(kind))
        )
        for one in whole
    ]
    digests = [fingerprint(frame) for frame in wrapped]
    assert len(set(digests)) == 3


def test_dtypes_differ():
    """The same numbers in two dtypes have two fingerprints."""
    digests = [fingerprint(column(kind, 1, 0)) for kind in KINDS]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    "values",
    [
        [pl.Series("x", [1]), pl.Series("y", [1]), pl.Series("x", [1]).to_frame(), pl.Series("", [1]), [1]],
        [pl.Series([0.0]), pl.Series([-0.0]), pl.Series([float("nan")]), pl.Series([None], dtype=pl.Float64), pl.Series([float("inf")])],
        [pl.Series([0.0, None]), pl.Series([-0.0, None]), pl.Series([float("nan"), None]), pl.Series([None, None], dtype=pl.Float64)],
        [pl.Series([""]), pl.Series([None], dtype=pl.String), pl.Series(["a"]), pl.Series([b"a"]), pl.Series(["a"], dtype=pl.Categorical), pl.Series(["a"], dtype=pl.Enum(["a"])),
         pl.Series(["a"], dtype=pl.Enum(["a", "b"])), pl.Series(["a"], dtype=pl.Enum(["b", "a"]))],
        [pl.Series([[1]]), pl.Series([[1, 2]]), pl.Series([[]], dtype=pl.List(pl.Int64)), pl.Series([None], dtype=pl.List(pl.Int64)), pl.Series([[None]], dtype=pl.List(pl.Int64)),
         pl.Series([[1]], dtype=pl.Array(pl.Int64, 1)), pl.Series([{"a": 1}]), pl.Series([{"b": 1}])],
        [pl.DataFrame({"a": [1], "b": [2]}), pl.DataFrame({"b": [2], "a": [1]}), pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [1], "b": [2.0]}), pl.DataFrame()],
        [pl.Series([object()], dtype=pl.Object), pl.Series([[1]], dtype=pl.Object), pl.Series([(1,)], dtype=pl.Object)],
        [pl.Int64, pl.Int32, pl.Datetime, pl.Datetime("ns"), pl.Datetime("us"), pl.List(pl.Int64), pl.Enum(["a"]), pl.Enum([str(i) for i in range(999)]),
         pl.Enum([*(str(i) for i in range(500)), "x", *(str(i) for i in range(501, 999))])],
        [pl.col("a"), pl.col("b"), pl.col("a") + 1, pl.col("a") + 2, pl.col("a").sum(), pl.lit(1), pl.lit(1.0), pl.col("a").alias("b")],
        [pl.LazyFrame({"a": [1]}), pl.LazyFrame({"a": [2]}), pl.LazyFrame({"a": [1]}).select("a"), pl.LazyFrame({"a": [1]}).filter(pl.col("a") > 0), pl.DataFrame({"a": [1]})],
        [pl.col("a").map_elements(lambda x: x + 1), pl.col("a").map_elements(lambda x: x + 2)],
    ],
    ids=lambda values: str(values[0])[:12].split("\n")[0],
)  # fmt: skip
def test_different_values_differ(values):
    """Name, dtype, nulls, zeros and order of columns are content."""
    told = [(value, fingerprint(value)) for value in values]
    assert not [
        (one, other) for (one, first), (other, second) in itertools.combinations(told, 2) if first == second
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pl.concat([pl.Series([1]), pl.Series([2])], rechunk=False), pl.Series([1, 2])),
        (pl.Series([1, 2, 3])[:2], pl.Series([1, 2])),
        (pl.Series([1, 2]).set_sorted(), pl.Series([1, 2])),
        (pl.Series(["a", "b", "c"])[1:], pl.Series(["b", "c"])),
        (pl.DataFrame({"a": [1, 2]}).filter(pl.col("a") > 1), pl.DataFrame({"a": [2]})),
        (pl.LazyFrame({"a": [1]}).select(pl.col("a") + 1), pl.LazyFrame({"a": [1]}).select(pl.col("a") + 1)),
    ],
)
def test_chunks_are_no_content(one, other):
    """How a column is cut in memory, and what is known about its order, play no part."""
    assert fingerprint(one) == fingerprint(other)


def test_expressions_follow_functions():
    """A function of the user's inside an expression counts as it does anywhere else."""
    from notebook_code import made

    from lean_magic.values import Walk

    source = "def C(x): return x + k"
    walk = Walk()
    expression = pl.col("a").map_elements(made(source), return_dtype=pl.Int64)
    found = walk.fingerprint("e", expression)
    assert "k" in {ref.name for ref in found.refs}


def test_asking_a_namespace_is_no_change():
    """A frame whose registered namespace was used has its fingerprint still; what is kept there is content."""

    @pl.api.register_dataframe_namespace("lean_rows")
    class Rows:
        def __init__(self, frame):
            self._frame = frame

    try:
        frame = pl.DataFrame({"a": [1, 2]})
        before = fingerprint(frame)
        rows = frame.lean_rows
        assert fingerprint(frame) == before
        rows.kept = 1
        assert fingerprint(frame) != before
    finally:
        del pl.DataFrame.lean_rows
