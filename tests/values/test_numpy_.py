"""Fingerprints of numpy's objects."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as some_numpy
from notebook_code import made

from lean_magic.errors import Unfingerprintable
from lean_magic.values import fingerprint

BASE = np.arange(24).reshape(4, 6)
FIELDS = [("a", "i4"), ("b", "f8")]


def filled(dtype):
    """Return an array of six elements of a dtype."""
    kind = np.dtype(dtype).kind
    if kind in "Mm":
        return np.arange(6).astype(dtype)
    if kind == "O":
        return np.array([1, "a", None, 2.0, (1,), b"c"], object)
    return np.arange(6).astype(dtype)


DTYPES = [
    "?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g", "c8", "c16", "G", "S3", "U3", "O",
    "M8[ns]", "M8[s]", "M8[D]", "m8[ns]", "m8[s]", ">i4", ">f8", ">c16", ">U3", ">M8[ns]", "V4", np.dtypes.StringDType(),
]  # fmt: skip


def test_every_dtype():
    """The same numbers in two dtypes have two fingerprints, and a copy has the fingerprint of its original."""
    arrays = [filled(dtype) for dtype in DTYPES]
    digests = [fingerprint(array) for array in arrays]
    assert len(set(digests)) == len(digests)
    assert digests == [fingerprint(array.copy()) for array in arrays]


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_every_element_counts(dtype):
    """Changing one element changes the fingerprint, whatever the dtype."""
    array = filled(dtype)
    for position in range(6):
        other = array.copy()
        other[position] = array[(position + 1) % 6]
        assert fingerprint(array) != fingerprint(other)


def test_layout_is_no_content():
    """Strides, order, contiguity and ownership of the buffer play no part."""
    wide = np.zeros((8, 12), BASE.dtype)
    wide[::2, ::2] = BASE
    same = [
        BASE.copy(),
        np.asfortranarray(BASE),
        wide[::2, ::2],
        BASE[::-1][::-1],
        BASE.T.copy().T,
        BASE[:],
        BASE.view(),
    ]
    assert {fingerprint(array) for array in same} == {fingerprint(BASE)}


def test_writability_is_put_back_not_compared():
    """An array that is read-only equals one that is not, or both are told apart for good."""
    frozen = BASE.copy()
    frozen.flags.writeable = False
    assert fingerprint(frozen) == fingerprint(frozen.copy()) or fingerprint(frozen) != fingerprint(BASE)


@pytest.mark.parametrize(
    "arrays",
    [
        [BASE, BASE.T, BASE.reshape(6, 4), BASE.ravel(), BASE[None], BASE[:3], BASE[::-1], BASE[:, ::-1]],
        [np.zeros(0), np.zeros((0, 2)), np.zeros((2, 0)), np.zeros(0, "i4"), np.zeros((0, 0))],
        [np.array(1.0), np.array([1.0]), np.float64(1), 1.0, np.float32(1), np.array(1.0, "f4"), [1.0]],
        [np.array([0.0]), np.array([-0.0]), np.array([0], "i8"), np.array([False]), np.array([0j])],
        [np.array([np.nan]), np.array([-np.nan]), np.array([0x7FF8000000000001], "u8").view("f8")],
        [np.array(["a"]), np.array(["a\0b"]), np.array(["a"], "U2"), np.array([b"a"]), np.array(["a"], object), np.array("a")],
        [np.array([1, "a"], object), np.array(["1", "a"], object), np.array([1.0, "a"], object), np.array([[1, "a"]], object)],
        [np.array([[1], [2]], object), np.array([[1, 2]], object), np.array([1, 2], object)],
        [np.zeros(2, FIELDS), np.zeros(2, FIELDS[::-1]), np.zeros(2, [("a", "i4"), ("c", "f8")]), np.zeros(2, [("a", "i8"), ("b", "f8")]),
         np.zeros(2, np.dtype((np.record, FIELDS))), np.rec.array(np.zeros(2, FIELDS)), np.zeros(2, np.dtype(FIELDS, align=True))],
        [np.zeros(2, [("a", "i4", (2,))]), np.zeros(2, [("a", "i4", (3,))]), np.zeros(2, [("a", [("b", "i4"), ("c", "i4")])])],
        [np.matrix(BASE), BASE, np.ma.array(BASE), np.ma.array(BASE, mask=BASE > 3), np.ma.array(BASE, fill_value=7),
         np.rec.array([(1, 2.0)], FIELDS)],
        [np.datetime64(1, "s"), np.datetime64(1, "ms"), np.datetime64("NaT", "s"), np.timedelta64(1, "s"), np.int64(1), np.uint64(1),
         np.bool_(True), np.str_("1"), np.bytes_(b"1"), np.complex128(1), np.longdouble(1), 1, True, "1"],
        [np.zeros(1, FIELDS)[0], np.ones(1, FIELDS)[0], (0, 0.0)],
        [np.dtype("i4"), np.dtype(">i4"), np.dtype(("i4", 2)), np.dtype(("f4", 2)), np.dtype("V8"), np.dtype(FIELDS), np.int32,
         np.dtype((np.record, FIELDS)), np.dtype(FIELDS, align=True), np.dtype("i4", metadata={"a": 1}), np.dtypes.StringDType(),
         np.dtypes.StringDType(coerce=False), np.dtypes.StringDType(na_object=None)],
        [np.add, np.subtract, np.sum, np.linalg.norm, np.vectorize(abs), np.vectorize(round), np.poly1d([1]), np.poly1d([2])],
        [np.array(["a", None], np.dtypes.StringDType(na_object=None)), np.array(["a", "b"], np.dtypes.StringDType(na_object=None))],
    ],
    ids=lambda arrays: str(arrays[0])[:20].replace("\n", " "),
)  # fmt: skip
def test_different_content(arrays):
    """Shape, dtype, order of fields, kind of array and every bit of a float are content."""
    digests = [fingerprint(array) for array in arrays]
    pairs = itertools.combinations(zip(arrays, digests, strict=True), 2)
    assert not [(one, other) for (one, first), (other, second) in pairs if first == second]


def test_masked_arrays():
    """The masked constant has a fingerprint of its own, and a hard mask is not a soft one."""
    assert fingerprint(np.ma.masked) == fingerprint(np.ma.masked) != fingerprint(np.ma.array(0.0, mask=True))
    assert fingerprint(np.ma.array([1, 2], hard_mask=True)) != fingerprint(np.ma.array([1, 2]))


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int64", "float16", "U1", "M8[s]", "O", "?"])
def test_the_usual_filling_of_a_masked_array(kind):
    """Asking for the filling that nobody chose, which may not fit the dtype, changes no fingerprint; choosing does."""
    array = np.ma.array(np.zeros(3, kind), mask=[1, 0, 0])
    before = fingerprint(array)
    with np.errstate(over="ignore"):
        _ = array.fill_value
    assert fingerprint(array) == before
    array.fill_value = np.ones(1, kind)[0] if kind != "?" else False
    assert fingerprint(array) != before


@pytest.mark.parametrize(
    "dtype",
    [
        {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 0]},
        {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [4, 0]},
        {"names": ["a"], "formats": ["i4"], "offsets": [4], "itemsize": 16},
        {"names": [], "formats": []},
        [(("title", "a"), "i4")],
    ],
)
def test_unusual_records(dtype):
    """Records with overlapping, unordered, padded or titled fields are compared field by field."""
    array = np.zeros(2, np.dtype(dtype))
    assert fingerprint(array) == fingerprint(array.copy())
    assert fingerprint(array) != fingerprint(array[:1])
    assert fingerprint(array.dtype) != fingerprint(np.dtype("i4"))


def test_padding_is_no_content():
    """Bytes between the fields, and beyond a long double's bits, are no content."""
    one, other = np.frombuffer(bytes(16) * 2, "V16").copy(), np.frombuffer(b"\1" * 32, "V16").copy()
    dtype = {"names": ["a"], "formats": ["i4"], "offsets": [0], "itemsize": 16}
    one, other = one.view(dtype), other.view(dtype)
    one["a"] = other["a"] = 5
    assert fingerprint(one) == fingerprint(other)
    dirty = np.frombuffer(b"\xff" * 16, "g").copy()
    clean = np.zeros(1, "g")
    dirty[0] = clean[0] = np.longdouble(1) / 3
    assert fingerprint(dirty) == fingerprint(clean)


def test_aliasing_inside_object_arrays():
    """Objects in an array have an identity, as in a list."""
    inner = [1]
    one, other = np.empty(2, object), np.empty(2, object)
    one[:] = inner, inner
    other[:] = [1], [1]
    assert fingerprint(one) != fingerprint(other)
    loop = np.empty(1, object)
    loop[0] = loop
    assert fingerprint(loop)


SUBCLASS = "class C(np.ndarray):\n    def f(self): return {}"


def test_subclasses_of_the_user():
    """An array of a class of the user's counts by that class and by the attributes set on it."""
    one, other = (np.zeros(3).view(made(SUBCLASS.format(value), np=np)) for value in (1, 2))
    assert fingerprint(one) != fingerprint(other)
    first, second = (np.zeros(3).view(made(SUBCLASS.format(1), np=np)) for _ in range(2))
    assert fingerprint(first) == fingerprint(second)
    second.unit = "m"
    assert fingerprint(first) != fingerprint(second)


def after(make, *steps):
    """Return a generator after drawing from it."""
    generator = make()
    for step in steps:
        getattr(generator, step[0])(*step[1:])
    return generator


def test_generators():
    """A generator counts by its kind and by all it will ever draw."""
    state, fresh = (lambda: np.random.RandomState(0)), (lambda: np.random.default_rng(0))
    generators = [
        fresh(), np.random.default_rng(1), np.random.Generator(np.random.MT19937(0)), np.random.PCG64(0), np.random.Generator(np.random.SFC64(0)),
        np.random.Generator(np.random.Philox(0)), after(fresh, ("random",)), after(fresh, ("spawn", 1)), after(fresh, ("spawn", 2)),
        state(), after(state, ("randn",)), after(state, ("randn",), ("randn",)), after(state, ("random_sample",)),
        np.random.SeedSequence(0), np.random.SeedSequence(1), after(lambda: np.random.SeedSequence(0), ("spawn", 1)),
    ]  # fmt: skip
    digests = [fingerprint(generator) for generator in generators]
    assert len(set(digests)) == len(digests)
    assert fingerprint(fresh()) == fingerprint(fresh())
    assert fingerprint(after(state, ("randn",))) == fingerprint(after(state, ("randn",)))


def test_a_generator_of_any_seed_material():
    """A bit generator that was made without a sequence of seeds is compared by its state, or refused."""
    bits = np.random.PCG64(0)
    bits.state = np.random.PCG64(5).state
    try:
        assert fingerprint(bits) != fingerprint(np.random.PCG64(0))
    except Unfingerprintable:
        pass


@settings(deadline=None, max_examples=200)
@given(
    some_numpy.arrays(
        some_numpy.scalar_dtypes() | some_numpy.array_dtypes(),
        some_numpy.array_shapes(min_side=0, max_side=4),
    )
)
def test_any_array(array):
    """Any array equals its copy in any layout, and not itself reshaped."""
    assert fingerprint(array) == fingerprint(array.copy()) == fingerprint(np.asfortranarray(array))
    assert fingerprint(array) != fingerprint(array[None])


def test_fields_are_gone_through_once(monkeypatch):
    """Records with gaps have the digest that their fields have one by one, whatever lies between them."""
    kind = np.dtype([("a", "f8"), ("b", "i4"), ("c", "?"), ("d", "<M8[s]")], align=True)
    found = np.zeros(150_001, kind)
    for place, name in enumerate(kind.names):
        found[name] = (np.arange(len(found)) * (place + 3) % 251).astype(kind[name])
    cases = [found, found[::2], found[:70_001], found[:150_000].reshape(3, -1)]
    together = [fingerprint(array) for array in cases]
    monkeypatch.setattr("lean_magic.values.adapters.numpy_.digests_of_fields", lambda array: None)
    assert [fingerprint(array) for array in cases] == together
    found["c"][7] ^= True
    assert fingerprint(found) != together[0]
