"""Write fingerprints.json anew: the digests that must stay the same in any process and next year.

    python tests/golden/make_fingerprints.py          writes the file
    python tests/golden/make_fingerprints.py --show   shows what it would write

A digest that changes makes every stored entry a miss: change one only on purpose.
"""

import builtins
import importlib.util
import json
import linecache
import sys
from pathlib import Path

FILE = Path(__file__).with_name("fingerprints.json")

# Section → expressions. A section in LIBRARIES stands for a library and is left out where that is missing.
CASES = {
    "python": [
        "None", "True", "0", "-1", "2**100", "1.5", "-0.0", "float('nan')", "float('inf')", "1+2j", "''", "'été 文'",
        "b''", "b'\\x00\\xff'", "bytearray(b'ab')", "...", "NotImplemented", "range(0, 10, 3)", "slice(1, None, 2)",
        "[]", "[1, 'a', None]", "(1, (2, ()))", "{}", "{'b': 1, 'a': [2]}", "{1, 2, 3}", "{'x', 'y', ('z', 1)}",
        "frozenset({'a', 'b'})", "shared()", "cycle()",
        "collections.OrderedDict(a=1, b=2)", "collections.Counter('abca')", "collections.deque([1, 2], 5)",
        "collections.defaultdict(list, a=[1])", "decimal.Decimal('1.50')", "fractions.Fraction(3, 9)",
        "uuid.UUID(int=7)", "pathlib.PurePosixPath('a/b')", "re.compile('a+', re.I)",
        "datetime.date(2024, 2, 29)", "datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc)",
        "datetime.timedelta(hours=1)", "array.array('d', [1, 2])", "random.Random(3)", "http.HTTPStatus.OK",
        "math.sqrt", "int", "functools.partial(int, base=2)", "operator.itemgetter(1, 2)", "types.SimpleNamespace(a=1)",
        "[argparse.Namespace(a=n, b=[n]) for n in range(40)]",
    ],
    # Code is compiled otherwise by each Python, so these are kept for each by itself.
    "code": [
        "Point(1, 2)", "Point", "Colour.RED", "Colour", "Pair(1, 'b')", "Slotted(3)", "double", "scaled(3)",
        "lambda a, *, b=2: a + b",
    ],
    "numpy": [
        "numpy.arange(6).reshape(2, 3)", "numpy.zeros(0)", "numpy.float32(1.5)", "numpy.dtype('int16')",
        "numpy.array(['a', 'bc'])", "numpy.array([1, 'a', None], dtype=object)", "numpy.asfortranarray(numpy.eye(3))",
        "numpy.array([(1, 2.0)], dtype=[('a', 'i4'), ('b', 'f8')])", "numpy.datetime64('2024-02-29')",
        "numpy.random.default_rng(3)", "numpy.ma.array([1, 2], mask=[0, 1])",
    ],
    "pandas": [
        "pandas.DataFrame({'a': [1, 2], 'b': [0.5, None]})", "pandas.Series([1, 2], name='s', dtype='int64')",
        "pandas.Series(['x', 'y'], dtype=object)", "pandas.Series(['x', None, 'x'], dtype='category')",
        "pandas.Series([1, None], dtype='Int64')", "pandas.Timestamp('2024-02-29 12:00', tz='UTC')",
        "pandas.MultiIndex.from_product([[1, 2], ['a']])", "pandas.date_range('2024-01-01', periods=3)",
    ],
    "polars": [
        "polars.DataFrame({'a': [1, 2], 'b': ['x', None]})", "polars.Series('s', [1.5, None])",
        "polars.Series('l', [[1], [], None])", "polars.Int64",
    ],
    "torch": [
        "torch.arange(6.0).reshape(2, 3)", "torch.zeros(2, dtype=torch.bfloat16)",
        "torch.nn.Parameter(torch.ones(2))", "torch.float16", "torch.device('cpu')", "torch.Size([1, 2])",
        "linear()",
    ],
}  # fmt: skip
LIBRARIES = ("numpy", "pandas", "polars", "torch")
MODULES = (
    "argparse array collections dataclasses datetime decimal enum fractions functools http math operator pathlib random re "
    "types uuid"
).split()
CELL = '''
import dataclasses, enum, typing

@dataclasses.dataclass
class Point:
    """A place."""
    x: int
    y: int = 0

    def length(self):
        return abs(self.x) + abs(self.y)

class Colour(enum.Enum):
    RED = 1
    BLUE = "b"

class Pair(typing.NamedTuple):
    one: int
    two: str

class Slotted:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a

def double(a):
    return 2 * a

def scaled(factor):
    def times(a):
        return double(a) * factor
    return times

def shared():
    one = [1]
    return [one, one, [1]]

def cycle():
    one = []
    one.append({"me": one})
    return one

def linear():
    layer = torch.nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.fill_(0.5)
        layer.bias.fill_(0.25)
    return layer
'''


def notebook():
    """Return a namespace as a notebook has it after CELL, with every library that is there."""
    namespace = {"__name__": "__main__", "__builtins__": builtins}
    for name in [*MODULES, *LIBRARIES]:
        if importlib.util.find_spec(name) is not None:
            namespace[name] = importlib.import_module(name)
    linecache.cache["<cell>"] = (len(CELL), None, CELL.splitlines(keepends=True), "<cell>")
    exec(compile(CELL, "<cell>", "exec", dont_inherit=True), namespace)
    return namespace


def name_of(section):
    """Return the name that a section has in the file."""
    return f"code {sys.version_info[0]}.{sys.version_info[1]}" if section == "code" else section


def digests():
    """Return section → expression → digest, for all that can be made here."""
    from lean_magic.values import fingerprint

    namespace = notebook()
    return {
        name_of(section): {text: fingerprint(eval(text, namespace)) for text in texts}
        for section, texts in CASES.items()
        if section not in LIBRARIES or section in namespace
    }


def main():
    """Write the file, or show what would be written; what was pinned for others stays."""
    found = digests()
    if "--show" in sys.argv:
        sys.stdout.write(json.dumps(found))
        return
    known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    FILE.write_text(json.dumps(known | found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
