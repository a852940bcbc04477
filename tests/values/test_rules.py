"""Fingerprints of Python's own kinds of objects."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import itertools
import math
import operator
import pathlib
import re
import struct
import threading
import types
import typing
import uuid
import weakref
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from notebook_code import in_processes, made

from lean_magic.errors import Unfingerprintable
from lean_magic.values import fingerprint

BERLIN, PARIS = map(zoneinfo.ZoneInfo, ("Europe/Berlin", "Europe/Paris"))
DAY = datetime.datetime(2025, 10, 26, 2, 30)  # noqa: DTZ001
Point = collections.namedtuple("Point", "x y")
Place = collections.namedtuple("Place", "x y")


@dataclasses.dataclass
class Plain:
    """A dataclass."""

    a: int = 1
    b: object = None


class Colour(enum.Enum):
    """An enum."""

    RED = 1
    BLUE = 2


class Right(enum.Flag):
    """A flag."""

    READ = 1
    WRITE = 2


def nan(payload):
    """Return a NaN with a payload."""
    return struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0000 | payload))[0]


def used(iterator, count):
    """Return an iterator after `count` steps."""
    list(itertools.islice(iterator, count))
    return iterator


def held():
    """Return a lock that is held."""
    lock = threading.Lock()
    lock.acquire()
    return lock


# Values of which no two are the same.
DISTINCT = {
    "numbers": [0, 0.0, -0.0, False, 1, 1.0, True, 1j, 0j, -0j, complex(-0.0, 0.0), decimal.Decimal(1),
                fractions.Fraction(1), "1", b"1", None, ..., NotImplemented, -1, 2**64, 2**5000, 2**5000 + 1, 10**1300],
    "floats": [math.nan, nan(1), -math.nan, math.inf, -math.inf, 5e-324, 1e308, 0.1, 0.1 + 2**-56],
    "text": ["", "a", "A", "a\0", "\0a", "é", "e\u0301", "\ud800", b"", b"a", bytearray(b"a"), memoryview(b"a"), ["a"], ("a",)],
    "containers": [[], (), {}, set(), frozenset(), [[]], ([],), [()], {1: []}, [1, 2], [2, 1], (1, 2), {1, 2},
                   frozenset({1, 2}), {1: 2}, {2: 1}, [(1, 2)], [[1, 2]], [1, [2]], [[1], 2], [1, 2, []], [1, [], 2]],
    "scalars in containers": [[1], [1.0], [True], ["1"], [b"1"], [None], [0.0], [-0.0], [""], [b""], [1, 1], [[1]], [(1,)]],
    "dicts": [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}, {"a": 1}, {"a": 1.0}, {"a": True}, {1: 1}, {1.0: 1},
              {True: 1}, {"a": {"b": 2}}, {("a", 1): 0}, {"a": [1]}, {"a": (1,)}, [("a", 1)],
              types.MappingProxyType({"a": 1}), types.SimpleNamespace(a=1), collections.OrderedDict(a=1),
              collections.Counter(a=1), collections.defaultdict(int, a=1), collections.defaultdict(list, a=1),
              collections.defaultdict(None, a=1), collections.UserDict(a=1), collections.ChainMap({"a": 1}),
              collections.ChainMap({"a": 1}, {})],
    "deques": [collections.deque([1, 2]), collections.deque([2, 1]), collections.deque([1, 2], 2), collections.deque([1, 2], 3), [1, 2]],
    "sets": [{1}, {1.0}, {True}, {"1"}, {b"1"}, {(1,)}, {frozenset({1})}, {None}, {0.0}, {-0.0}, frozenset({1})],
    "named tuples": [Point(1, 2), Place(1, 2), Point(2, 1), (1, 2), Point, Place],
    "dataclasses": [Plain(), Plain(2), Plain(1.0), Plain(True), Plain(1, 2), Plain, {"a": 1, "b": None}],
    "enums": [Colour.RED, Colour.BLUE, Colour, 1, Right.READ, Right.WRITE, Right.READ | Right.WRITE, Right(0)],
    "ranges": [range(3), range(0, 3, 2), range(1, 3), range(0), range(3, 0, -1), [0, 1, 2], slice(3), slice(0, 3), slice(0, 3, 1)],
    "paths": [pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), pathlib.Path("a"), pathlib.Path("a/b"), pathlib.Path("/a"), "a"],
    "times": [DAY, DAY.replace(fold=1), DAY.replace(tzinfo=BERLIN), DAY.replace(tzinfo=BERLIN, fold=1),
              DAY.replace(tzinfo=PARIS), DAY.replace(tzinfo=datetime.UTC),
              DAY.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1))),
              DAY.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1), "A")), DAY.replace(microsecond=1),
              DAY.date(), DAY.time(), DAY.time().replace(tzinfo=BERLIN), datetime.timedelta(1), datetime.timedelta(0, 1),
              datetime.timedelta(0, 0, 1), BERLIN, PARIS, str(DAY)],
    "decimals": [decimal.Decimal(text) for text in ("1", "1.0", "-0", "0", "nan", "snan", "-nan", "nan1", "inf", "1e5", "100000")],
    "ids": [uuid.UUID(int=1), uuid.UUID(int=2), str(uuid.UUID(int=1))],
    "patterns": [re.compile("a"), re.compile("b"), re.compile("a", re.IGNORECASE), re.compile(b"a"), "a"],
    "memory": [memoryview(b"abcd"), memoryview(b"abcd").cast("H"), memoryview(b"abcd").cast("B", (2, 2)), memoryview(b"abce"),
               memoryview(b"abcd")[::2], b"abcd"],
    "partials": [functools.partial(int), functools.partial(int, "1"), functools.partial(int, base=2), functools.partial(float),
                 functools.partial(int, "1", base=2), operator.itemgetter(1), operator.itemgetter(2), operator.itemgetter(1, 2),
                 operator.attrgetter("a"), operator.attrgetter("a.b"), operator.methodcaller("a"), operator.methodcaller("a", 1)],
    "callables": [len, max, [].append, [1].append, [].extend, str.upper, "a".upper, "b".upper, (1).__add__, (2).__add__, (1).__sub__,
                  dict.fromkeys, int.from_bytes, print, property(len), property(len, len), property(None, len),
                  staticmethod(len), classmethod(len)],
    "iterators": [used(iter([1, 2]), 0), used(iter([1, 2]), 1), used(iter([1, 2]), 2), used(iter((1, 2)), 0), enumerate([1, 2]),
                  used(enumerate([1, 2]), 1), itertools.count(1), itertools.count(2), reversed([1, 2]), zip([1, 2], [1]),
                  zip([1, 2], [1], strict=True), map(str, [1]), map(int, [1])],
    "generics": [list[int], list[str], dict[str, int], typing.Optional[int], int | None, int | str, typing.Any, typing.Literal[1],
                 typing.Literal[True], typing.Callable[[int], str], typing.TypeVar("T"), typing.TypeVar("T", bound=int),
                 typing.TypeVar("T", covariant=True), typing.NewType("N", int), typing.NewType("N", str), typing.ParamSpec("P")],
    "exceptions": [ValueError("a"), ValueError("b"), TypeError("a"), OSError(1, "a"), KeyError("a"), ExceptionGroup("a", [ValueError()])],
    "namespaces": [types.SimpleNamespace(a=1), types.SimpleNamespace(a=2), types.SimpleNamespace(b=1), types.SimpleNamespace()],
    "locks": [threading.Lock(), threading.RLock(), held(), threading.Event()],
    "modules": [math, operator, types, types.ModuleType("a"), types.ModuleType("b")],
    "classes": [int, float, bool, object, type, list, collections.OrderedDict, Plain, Colour],
}  # fmt: skip


@pytest.mark.parametrize("kind", DISTINCT)
def test_different_values_differ(kind):
    """No two different values of a kind have the same fingerprint."""
    digests = [_digest(value) for value in DISTINCT[kind]]
    same = [
        (one, other)
        for (one, first), (other, second) in itertools.combinations(
            zip(DISTINCT[kind], digests, strict=True), 2
        )
        if first is not None and first == second
    ]
    assert not same


def _digest(value):
    """Fingerprint a value; None if it is refused."""
    try:
        return fingerprint(value)
    except Unfingerprintable:
        return None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, int("1")),
        (math.nan, float("nan")),
        ("ab", "".join(["a", "b"])),
        ([1, 2], list((1, 2))),
        ({3, 1, 2}, {2, 3, 1}),
        (frozenset("abc"), frozenset("cba")),
        ({"a": [1]}, {"a": [1]}),
        (Plain([1]), Plain([1])),
        (DAY.replace(tzinfo=BERLIN), DAY.replace(tzinfo=zoneinfo.ZoneInfo.no_cache("Europe/Berlin"))),
        (re.compile("a"), re.compile("a", re.UNICODE)),
        (memoryview(b"abcd")[::2], memoryview(b"ac")),
        (pathlib.Path("a/b"), pathlib.Path("a//b/")),
        (fractions.Fraction(2, 4), fractions.Fraction(1, 2)),
        (collections.deque([1]), collections.deque((1,))),
        (used(iter([]), 1), used(iter([1]), 2)),
    ],
)
def test_equal_content_is_equal(one, other):
    """Values of equal content and type have the same fingerprint, however they were made."""
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: property(len, doc="a"),
        lambda: property(len, doc="b"),
    ],
)
def test_property_documentation(make):
    """What `help` says about a property is content."""
    assert fingerprint(make()) != fingerprint(property(len))


def test_attribute_order_of_a_namespace():
    """The order that a namespace prints its names in is content, as a dict's is."""
    assert repr(types.SimpleNamespace(a=1, b=2)) != repr(types.SimpleNamespace(b=2, a=1))
    assert fingerprint(types.SimpleNamespace(a=1, b=2)) != fingerprint(types.SimpleNamespace(b=2, a=1))


def test_attributes_of_an_enum_member():
    """What is set on a member after the class was made is content."""
    one, other = (made("import enum\nclass C(enum.Enum):\n    A = 1") for _ in range(2))
    assert fingerprint(one.A) == fingerprint(other.A)
    other.A.extra = 5
    assert fingerprint(one.A) != fingerprint(other.A)


def test_zones_of_the_user():
    """A zone of the user's own class counts by its rules, not by its name."""
    source = """
import datetime
class C(datetime.tzinfo):
    def __init__(self, late): self.late = late
    def utcoffset(self, when): return datetime.timedelta(hours=self.late if when and when.year > 2025 else 0)
    def tzname(self, when): return "zone"
    def __str__(self): return "zone"
    def dst(self, when): return None
"""
    zone = made(source)
    assert fingerprint(DAY.replace(tzinfo=zone(1))) != fingerprint(DAY.replace(tzinfo=zone(2)))


def test_weak_references():
    """A weak reference counts by what it refers to."""
    one, other = Plain(1), Plain(2)
    assert fingerprint(weakref.ref(one)) != fingerprint(weakref.ref(other))


def test_a_generator_at_work():
    """A generator half used has a rest that nobody can compare; one not begun is what it was called with."""
    finished = used((i for i in [1]), 2)
    assert fingerprint(finished) == fingerprint(used((i for i in []), 1))
    with pytest.raises(Unfingerprintable, match="rest"):
        fingerprint(used((i for i in [1, 2]), 1))
    one, same, other, finished = ((i for i in range(last)) for last in (2, 2, 3, 0))
    assert fingerprint(one) == fingerprint(same)
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint(one) != fingerprint(used(finished, 1))


@pytest.mark.parametrize(
    "make", [lambda: {"a": 1}.keys(), lambda: {"a": 1}.values(), lambda: {"a": 1}.items()]
)
def test_views_of_a_dict(make):
    """The keys, values and items of a dict count by the dict."""
    assert fingerprint(make()) == fingerprint(make())


SET_OF_OBJECTS = """
from dataclasses import dataclass
@dataclass(frozen=True)
class P:
    name: str
a, b, c = P("a"), P("b"), P("c")
"""


@pytest.mark.parametrize(
    "expression",
    [
        "set('abcdef')",
        "frozenset('abcdef')",
        "{'x': {('a', 1), ('b', 2)}}",
        "{frozenset('ab'), frozenset('cd')}",
        "{a, b, c}",
        "frozenset([a, b, c])",
        "[{a, b, c}, a]",
        "[a, {a, b, c}, {b, c}]",
        "{(a, 1), (b, 2)}",
        "{a: 1, b: 2}.keys() & {a, b}",
        "type('S', (set,), {})('abcdef')",
        "type('S', (frozenset,), {})('abcdef')",
        "lambda x: x in {'a', 'b', 'c'}",
        "type('C', (), {'names': {'a', 'b'}})",
    ],
)
def test_hash_seeds(expression):
    """The order that a set happens to have plays no part, whatever it holds."""
    assert len(in_processes(SET_OF_OBJECTS, expression)) == 1


def test_addresses_in_what_a_dataclass_says_of_itself():
    """The text that dataclasses write of a default names its address, which is another one in each process."""
    source = """
import dataclasses
MISSING = object()
def clean(text): return text
@dataclasses.dataclass
class P:
    make: object = clean
    more: object = MISSING
"""
    assert len(in_processes(source, "P")) == 1
    one, other = (made(source.replace("clean", name), "P") for name in ("clean", "other"))
    assert fingerprint(one) != fingerprint(other)


def test_annotations_that_somebody_asked_for():
    """Looking at a class leaves no trace on it, and that somebody asked for annotations it has not is no content."""

    @typing.runtime_checkable
    class HasSize(collections.abc.Sized, typing.Protocol):
        size: int

    cls = made("class C:\n    def f(self): pass", "C")
    before, held = fingerprint(cls), list(vars(cls))
    assert list(vars(cls)) == held
    assert not cls.__annotations__
    assert fingerprint(cls) == before
    assert fingerprint(made("class C:\n    x: int\n    def f(self): pass", "C")) != before
    assert HasSize


def test_which_of_a_set():
    """Two graphs that differ in which member of a set they name differ under every pair of hash seeds."""
    one = in_processes(SET_OF_OBJECTS, "[P, {a, b}, a]", range(6))
    assert not one & in_processes(SET_OF_OBJECTS, "[P, {a, b}, b]", range(6))


scalars = some.none() | some.booleans() | some.integers() | some.floats() | some.text() | some.binary()
hashables = some.recursive(
    scalars, lambda inner: some.tuples(inner, inner) | some.frozensets(inner, max_size=4), max_leaves=8
)
values = some.recursive(
    hashables,
    lambda inner: (
        some.lists(inner, max_size=5)
        | some.dictionaries(hashables, inner, max_size=4)
        | some.tuples(inner, inner)
    ),
    max_leaves=20,
)


def exact(value):
    """Spell a value so that two spellings are equal exactly if the values are the same, types and signs included."""
    match value:
        case float():
            return struct.pack("<d", value)
        case list() | tuple():
            return type(value), tuple(map(exact, value))
        case frozenset():
            return frozenset, frozenset(map(exact, value))
        case dict():
            return dict, tuple((exact(key), exact(item)) for key, item in value.items())
        case _:
            return type(value), value


@settings(deadline=None, max_examples=300)
@given(values, values)
def test_equal_exactly_if_the_same(one, other):
    """Two values made of Python's own types have one fingerprint exactly if they are the same."""
    assert (fingerprint(one) == fingerprint(other)) == (exact(one) == exact(other))
