"""Fingerprints of pandas' objects."""

import itertools

import numpy as np
import pandas as pd
import pytest
from notebook_code import made

from lean_magic.values import fingerprint

DAYS = pd.date_range("2020-01-01", periods=3)
NUMBERS = pd.Series([1, 2, 3])


def multi(levels):
    """Return the same pairs, kept in levels of a given order."""
    codes = [[levels.index(name) for name in "bbaa"], [0, 1, 0, 1]]
    return pd.MultiIndex(levels=[list(levels), [1, 2]], codes=codes)


def with_attribute(frame, **attributes):
    """Return a frame that somebody has set attributes on."""
    for name, value in attributes.items():
        object.__setattr__(frame, name, value)
    return frame


def flagged(frame):
    """Return a frame that allows no duplicate labels."""
    return frame.set_flags(allows_duplicate_labels=False)


DISTINCT = {
    "dtypes": [NUMBERS.astype(dtype) for dtype in (
        "i8", "i4", "u1", "f8", "f4", "c16", "object", "Int64", "Int32", "UInt8", "Float64", "Float32", "str", "string", "category",
        "Sparse[i8]", "Sparse[f8]", "M8[ns]", "M8[s]", "m8[ns]", "m8[s]")] + [NUMBERS > 0, (NUMBERS > 0).astype("boolean")],
    "missing": [pd.Series(values, dtype=dtype) for values, dtype in (
        ([1, None], "f8"), ([1, None], "Float64"), ([1, None], "object"), ([1, np.nan], "object"), ([1, pd.NA], "object"), ([1, pd.NaT], "object"),
        ([1, None], "Int64"), ([1, 0], "Int64"), (["a", None], "object"), (["a", None], "str"), (["a", None], "string"), (["a", "nan"], "str"),
        (["a", "None"], "object"), ([True, None], "boolean"), ([True, False], "boolean"))],
    "zones": [pd.Series(DAYS), *(pd.Series(DAYS.tz_localize(zone)) for zone in ("UTC", "Europe/Berlin", "Europe/Paris")),
              pd.Series(DAYS.tz_localize("Europe/Berlin").tz_convert("UTC")), pd.Series(DAYS).dt.to_period("D"), pd.Series(DAYS).dt.to_period("M")],
    "categories": [pd.Series(pd.Categorical(["a", "b"], categories, ordered=ordered)) for categories, ordered in (
        (["a", "b"], False), (["b", "a"], False), (["a", "b"], True), (["a", "b", "c"], False))] + [pd.Series(pd.Categorical([1, 2])), pd.Series(pd.Categorical([1.0, 2.0]))],
    "names": [NUMBERS, NUMBERS.rename("a"), NUMBERS.rename("1"), NUMBERS.rename(1), NUMBERS.rename(1.0), NUMBERS.rename(("a", 1)), NUMBERS.rename_axis("a")],
    "index": [NUMBERS, NUMBERS.set_axis(["a", "b", "c"]), NUMBERS.set_axis([0, 1, 3]), NUMBERS.set_axis(pd.Index([0.0, 1, 2])), NUMBERS.set_axis(DAYS),
              NUMBERS.set_axis(DAYS[[0, 1, 2]]), NUMBERS.set_axis(pd.Index(list("abc"), dtype=object)), NUMBERS.set_axis(pd.CategoricalIndex(list("abc"))),
              NUMBERS.set_axis(pd.interval_range(0, 3)), NUMBERS.set_axis(pd.interval_range(0, 3, closed="left")), NUMBERS.set_axis(pd.period_range("2020", periods=3)),
              NUMBERS.set_axis(pd.to_timedelta([1, 2, 3])), NUMBERS.set_axis(pd.MultiIndex.from_product([["a"], [1, 2, 3]])),
              NUMBERS.set_axis(pd.MultiIndex.from_product([["a"], [1, 2, 3]], names=["x", "y"])), NUMBERS.set_axis(pd.RangeIndex(0, 6, 2))],
    "levels": [multi("ab"), multi("ba"), multi("abc")],
    "frames": [pd.DataFrame({"a": [1, 2], "b": [3, 4]}), pd.DataFrame({"b": [3, 4], "a": [1, 2]}), pd.DataFrame({"a": [1, 2], "b": [3.0, 4]}),
               pd.DataFrame({"a": [1, 2], "c": [3, 4]}), pd.DataFrame([[1, 3], [2, 4]]), pd.DataFrame([[1, 3], [2, 4]], columns=["a", "a"]),
               pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": []}), pd.DataFrame(index=[0, 1]), pd.DataFrame(), pd.Series([1, 2], name="a"),
               pd.DataFrame({("a", 1): [1, 2]}), pd.DataFrame({"a": [1, 2], "b": [3, 4]}).rename_axis(columns="x"),
               flagged(pd.DataFrame({"a": [1, 2]}))],
    "nested": [pd.Series([[1], [2]]), pd.Series([(1,), (2,)]), pd.Series([{"a": 1}, {"a": 2}]), pd.Series([[1], [3]]), pd.Series(["[1]", "[2]"])],
    "sparse": [pd.Series(pd.arrays.SparseArray([0, 1], fill_value=fill)) for fill in (0, 1)] + [pd.Series([0, 1])],
    "intervals": [pd.Series(pd.arrays.IntervalArray.from_tuples(pairs, closed=closed)) for pairs, closed in (
        ([(0, 1)], "right"), ([(0, 1)], "left"), ([(0.0, 1.0)], "right"), ([(0, 2)], "right"), ([(0.1 + 0.2, 1)], "right"), ([(0.3, 1)], "right"),
        ([(pd.Timestamp(0), pd.Timestamp(1))], "right"), ([(pd.Timestamp(0), pd.Timestamp(2))], "right"))],
    "times": [pd.Timestamp(0), pd.Timestamp(1), pd.Timestamp(0).as_unit("s"), pd.Timestamp(0).as_unit("us"), pd.Timestamp(0, tz="UTC"), pd.Timestamp(0, tz="Europe/London"),
              pd.Timestamp("2025-10-26 02:30").tz_localize("Europe/Berlin", ambiguous=False),
              pd.Timestamp("2025-10-26 02:30").tz_localize("Europe/Berlin", ambiguous=True) + pd.Timedelta(1), pd.Timedelta(0), pd.Timedelta(1), pd.Timedelta(0).as_unit("s"),
              pd.Period("2020", "Y"), pd.Period("2020-01", "M"), pd.NaT, pd.NA, None, pd.Interval(0, 1), pd.Interval(0, 1, "left"), pd.Interval(0.0, 1.0)],
    "offsets": [pd.offsets.MonthEnd(), pd.offsets.MonthEnd(2), pd.offsets.MonthEnd(normalize=True), pd.offsets.CustomBusinessDay(),
                pd.offsets.CustomBusinessDay(holidays=["2020-01-01"]), pd.offsets.CustomBusinessDay(weekmask="Mon"), pd.DateOffset(months=1), pd.DateOffset(month=1),
                pd.offsets.BusinessHour(), pd.offsets.BusinessHour(start="10:00"), pd.offsets.Week(weekday=1), pd.offsets.Week(weekday=2), pd.offsets.Day(), pd.offsets.Hour(24)],
    "dtype objects": [pd.CategoricalDtype(range(1000)), pd.CategoricalDtype([*range(500), -1, *range(501, 1000)]), pd.CategoricalDtype(["a"]), pd.CategoricalDtype(["a"], ordered=True),
                      pd.CategoricalDtype(), pd.Int64Dtype(), pd.Int32Dtype(), pd.StringDtype(), pd.StringDtype(na_value=np.nan), pd.DatetimeTZDtype(tz="UTC"), pd.DatetimeTZDtype(tz="Europe/Berlin"),
                      pd.DatetimeTZDtype("s", tz="UTC"), pd.PeriodDtype("D"), pd.SparseDtype("f8"), pd.SparseDtype("f8", 0.0), pd.IntervalDtype("i8"), pd.IntervalDtype("i8", "left"), np.dtype("i8")],
    "arrays": [pd.array([1, 2]), pd.array([1, 2], "Int32"), pd.array([1, None], "Int64"), pd.array(["a"], "string"), pd.array([True]), pd.Categorical(["a"]), DAYS.array, DAYS,
               np.array([1, 2]), pd.Index([1, 2]), pd.Series([1, 2])],
    "frequency": [DAYS, DAYS[[0, 1, 2]], DAYS.rename("a"), pd.Series(DAYS)],
    "attributes": [pd.DataFrame({"a": [1]}), with_attribute(pd.DataFrame({"a": [1]}), unit="m"), with_attribute(pd.DataFrame({"a": [1]}), unit="cm")],
}  # fmt: skip


@pytest.mark.parametrize("kind", DISTINCT)
def test_different_values_differ(kind):
    """No two different values of a kind have the same fingerprint."""
    told = [(value, fingerprint(value)) for value in DISTINCT[kind]]
    pairs = itertools.combinations(told, 2)
    assert not [(one, other) for (one, first), (other, second) in pairs if first == second]


def test_attrs():
    """What is kept in `attrs` is content."""
    frame = pd.DataFrame({"a": [1]})
    before = fingerprint(frame)
    frame.attrs["unit"] = "m"
    assert fingerprint(frame) != before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            pd.DataFrame({"a": [1, 2], "b": [3, 4]}),
            pd.DataFrame(np.array([[1, 3], [2, 4]]), columns=["a", "b"]),
        ),
        (pd.DataFrame({"a": [1, 2, 3]}).iloc[:2], pd.DataFrame({"a": [1, 2]})),
        (pd.Series([1, 2, 3])[::-1][::-1], pd.Series([1, 2, 3])),
        (
            pd.Series([1, pd.NA], dtype="Int64"),
            pd.Series(pd.arrays.IntegerArray(np.array([1, 99]), np.array([False, True]))),
        ),
        (pd.concat([pd.Series([1]), pd.Series([2])], ignore_index=True), pd.Series([1, 2])),
        (pd.DataFrame({"a": list("ab")}), pd.DataFrame({"a": np.array(["a", "b"], object)}).astype("str")),
    ],
)
def test_blocks_are_no_content(one, other):
    """How a frame lies in memory, what lies under a mask and what it was cut from play no part."""
    assert fingerprint(one) == fingerprint(other)


def test_shared_categories_are_no_content():
    """Two columns of one categorical dtype equal two columns of equal dtypes."""

    def column():
        return pd.Categorical(["a", "b"], pd.Index(["a", "b"]))

    shared = column()
    one = pd.DataFrame({"a": shared, "b": shared.copy()})
    assert fingerprint(one) == fingerprint(pd.DataFrame({"a": column(), "b": column()}))


def test_a_copy_beside_its_original():
    """A frame and its copy have the fingerprint of two frames that were made apart."""

    def make():
        return pd.DataFrame({"a": [1, 2]}, index=["x", "y"])

    frame = make()
    assert fingerprint([frame, frame.copy()]) == fingerprint([make(), make()])


def test_looking_is_no_change():
    """Printing, indexing and grouping leave the fingerprint as it is."""
    frame = pd.DataFrame({"a": [1, 2, 2], "b": list("xyz")}, index=["i", "j", "k"])
    before = fingerprint(frame)
    repr(frame)
    frame.loc["j"], frame["a"], frame.groupby("a").sum(), frame.index.is_unique, frame.T, frame.describe()
    assert fingerprint(frame) == before


def test_levels_decide_about_unstack():
    """Two indexes of the same pairs, of which `unstack` makes different tables, are different."""
    one, other = (pd.Series(range(4), multi(levels)) for levels in ("ab", "ba"))
    assert list(one.unstack(0)) != list(other.unstack(0))
    assert fingerprint(one) != fingerprint(other)


def test_subclasses_of_the_user():
    """A frame of a class of the user's counts by that class."""
    source = "class C(pd.DataFrame):\n    def f(self): return {}"
    one, other = (made(source.format(value), pd=pd)({"a": [1]}) for value in (1, 2))
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) == fingerprint(made(source.format(1), pd=pd)({"a": [1]}))


@pytest.mark.parametrize("place", ["twice", "_twice"])
def test_methods_hung_on_frames(place):
    """A method or accessor of the user's that hangs on DataFrame is part of what a frame can do."""
    from lean_magic.values import Walk

    def told():
        walk = Walk()
        return walk.fingerprint("df", pd.DataFrame({"a": [1]})), walk.modules

    try:
        seen = []
        for value in (1, 2):
            setattr(pd.DataFrame, place, made(f"def C(self): return {value}"))
            seen.append(told()[0].digest)
        assert seen[0] != seen[1]
    finally:
        delattr(pd.DataFrame, place)


def test_arrow():
    """Columns kept by Arrow count by type and content."""
    arrow = pytest.importorskip("pyarrow")
    types = [arrow.int64(), arrow.int32(), arrow.string(), arrow.timestamp("ns"), arrow.timestamp("s")]
    columns = [
        pd.Series([1, None], dtype="i8[pyarrow]"),
        *(NUMBERS.astype(pd.ArrowDtype(kind)) for kind in types),
    ]
    digests = [fingerprint(column) for column in columns]
    assert len(set(digests)) == len(digests)
