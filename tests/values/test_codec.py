"""A graph of values and its file."""

import gc
import io
import mmap
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
import weakref
from pathlib import Path

import joblib
import numpy as np
import pytest
from notebook_code import made

from lean_magic.errors import Unstorable
from lean_magic.values import codec, fingerprint

LARGE = 50_000  # float64s: enough to be mapped


@pytest.fixture
def saved(tmp_path):
    """Return a function that dumps named values; it returns the file and its layout."""

    def save(live=None, **values):
        path = tmp_path / "payload.joblib"
        graph = codec.encode(values, live)
        with path.open("wb") as file:
            return path, codec.dump(graph, file)

    return save


@pytest.fixture
def again(saved):
    """Return a function that dumps named values and loads them; `space` stands for the notebook."""

    def again(*, live=None, space=None, **values):
        path, layout = saved(live, **values)
        return codec.load(path, layout, {}, {"__main__": {} if space is None else space})

    return again


def root_of(array):
    """Return what an array's memory belongs to in the end."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    while isinstance(array, memoryview | pickle.PickleBuffer):
        array = memoryview(array).obj
    return array


# -- the file ---------------------------------------------------------------------------


def test_plain_joblib_opens_it(saved):
    """The file is opened by joblib and read by pickle, without any of ours."""
    values = {"big": np.arange(LARGE, dtype=float), "small": np.arange(3), "text": ["a", {"b": 1.5}]}
    path, _ = saved(**values)
    payload = joblib.load(path)
    assert set(payload) == {"graph", "buffers"}
    assert [buffer.nbytes for buffer in payload["buffers"]] == [8 * LARGE]
    read = pickle.loads(payload["graph"], buffers=payload["buffers"])
    assert read["text"] == values["text"]
    assert all((read[name] == values[name]).all() for name in ("big", "small"))


def test_large_arrays_are_not_copied_to_be_written():
    """What is written of a large array is its own memory, in pieces of at most a megabyte."""
    value = np.arange(1_000_000, dtype=float)
    shared = []

    class File(io.BytesIO):
        def write(self, data):
            view = np.frombuffer(data, "u1")
            shared.append(view.nbytes if np.shares_memory(view, value) else 0)
            return super().write(data)

    codec.dump(codec.encode({"x": value}), File())
    assert sum(shared) == value.nbytes
    assert max(shared) <= 1 << 20


def test_large_arrays_are_mapped(again):
    """A large array comes back as a plain writable array on a mapping of the file."""
    back = again(big=np.arange(LARGE, dtype=float))["big"]
    assert type(back) is np.ndarray
    assert back.flags.writeable
    assert isinstance(root_of(back), mmap.mmap)


def test_writing_leaves_the_file_alone(saved):
    """Changing what was loaded changes neither the file nor what is loaded next."""
    path, layout = saved(big=np.zeros(LARGE))
    content = path.read_bytes()
    first = codec.load(path, layout, {}, {})["big"]
    first[:] = 7
    assert path.read_bytes() == content
    assert not codec.load(path, layout, {}, {})["big"].any()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted by Linux's /proc")
def test_loading_reads_nothing(saved):
    """Loading does not bring a large array into memory."""
    path, layout = saved(big=np.ones(16_000_000))  # 128 MB
    gc.collect()
    before = anonymous()
    back = codec.load(path, layout, {}, {})["big"]
    assert anonymous() - before < 16_000_000
    assert back[-1] == 1


def anonymous():
    """Return the bytes of this process that are in memory."""
    resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(resident) * os.sysconf("SC_PAGE_SIZE")


def test_many_small_arrays(again):
    """Small arrays are kept together: a hundred thousand of them need no mapping of their own."""
    back = again(many={place: np.full(3, place) for place in range(2000)})["many"]
    assert back[1999].tolist() == [1999] * 3


def test_the_layout_is_json(saved):
    """The places of the parts are plain numbers that fit the file."""
    path, layout = saved(one=np.zeros(LARGE), two=np.ones(LARGE))
    size = path.stat().st_size
    assert all(type(number) is int for part in layout["parts"] for number in part)
    assert all(0 < start and start + length <= size for start, length in layout["parts"])
    assert len(layout["parts"]) == 3


def test_progress_is_told(tmp_path):
    """While writing, the bytes written so far are told, and what there is in all."""
    told = []
    graph = codec.encode({"big": np.zeros(LARGE)})
    codec.dump(graph, io.BytesIO(), lambda done, whole: told.append((done, whole)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] >= told[-1][1]
    assert told[-1][1] == graph.size


def test_arrays_outlive_the_load(again):
    """An array keeps its mapping alive, and lets it go with itself."""
    back = again(big=np.ones(LARGE))["big"]
    gc.collect()
    assert back.sum() == LARGE
    gone = weakref.ref(back)
    del back
    gc.collect()
    assert gone() is None


# -- what was one object is one object (law 4) --------------------------------------------


def test_one_object_under_two_names(again):
    """Two names of one object stand for one object after."""
    one = [1, {"inner": [2]}]
    array = np.zeros(LARGE)
    back = again(a=one, b=one, inner=one[1]["inner"], x=array, y={"array": array})
    assert back["a"] is back["b"]
    assert back["a"][1]["inner"] is back["inner"]
    assert back["x"] is back["y"]["array"]


def test_cycles(again):
    """An object that holds itself does so after."""
    loop = []
    loop.append({"me": loop})
    back = again(loop=loop)["loop"]
    assert back[0]["me"] is back


@pytest.mark.parametrize("size", [10, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[2:8],
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a.reshape(2, -1).T,
        lambda a: a.view("u1"),
    ],
    ids=["slice", "steps", "backwards", "transposed", "bytes"],
)
def test_views_stay_views(again, size, view):
    """Two arrays on one memory are on one memory after: writing to one is seen in the other."""
    base = np.arange(size, dtype=float)
    back = again(base=base, view=view(base))
    assert np.shares_memory(back["base"], back["view"])
    assert (back["view"] == view(base)).all()
    back["base"][:] = -1
    assert (back["view"] == view(back["base"])).all()


def test_views_without_their_base(again):
    """Two views stay on one memory although the array behind them has no name."""
    base = np.arange(20.0)
    back = again(left=base[:12], right=base[8:])
    back["left"][10] = -5
    assert back["right"][2] == -5


def test_arrays_that_share_nothing(again):
    """Arrays of equal content on two memories do not come to share one."""
    back = again(one=np.zeros(LARGE), two=np.zeros(LARGE))
    back["one"][0] = 1
    assert back["two"][0] == 0


def test_read_only_stays_read_only(again):
    """An array that cannot be written to cannot be written to after."""
    fixed = np.zeros(LARGE)
    fixed.flags.writeable = False
    assert not again(fixed=fixed)["fixed"].flags.writeable


@pytest.mark.parametrize("size", [10, LARGE], ids=["small", "large"])
def test_tensor_views_stay_views(again, size):
    """Two tensors on one storage are on one storage after."""
    torch = pytest.importorskip("torch")
    base = torch.arange(float(size))
    back = again(base=base, view=base[2:8], turned=base.reshape(2, -1).t())
    back["base"][:] = -1
    assert (back["view"] == -1).all()
    assert (back["turned"] == -1).all()
    assert back["view"].untyped_storage().data_ptr() == back["base"].untyped_storage().data_ptr()


def test_tensor_and_array_share(again):
    """A tensor and an array on one memory are on one memory after."""
    torch = pytest.importorskip("torch")
    array = np.zeros(LARGE)
    back = again(array=array, tensor=torch.from_numpy(array))
    back["array"][3] = 5
    assert back["tensor"][3] == 5


def test_shared_parameters(again):
    """Layers that share a parameter share it after, and an optimizer goes on training them."""
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3))
    model[1].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    back = again(model=model, optimizer=optimizer)
    assert back["model"][1].weight is back["model"][0].weight
    assert isinstance(back["model"][0].weight, torch.nn.Parameter)
    assert back["optimizer"].param_groups[0]["params"][0] is back["model"][0].weight
    assert fingerprint(back["model"]) == fingerprint(model)


def test_large_tensors_are_mapped(again):
    """A large tensor comes back writable, with its gradient flag."""
    torch = pytest.importorskip("torch")
    back = again(big=torch.ones(LARGE, requires_grad=True))["big"]
    assert back.requires_grad
    with torch.no_grad():
        back[0] = 2
    assert back.sum() == LARGE + 1


# -- code of the notebook -------------------------------------------------------------------

COUNTER = """
def C():
    count = 0
    def up():
        nonlocal count
        count += 1
        return count
    def look():
        return count
    return up, look
"""


def test_closures_share_their_variable(again):
    """Two functions that share a variable share it after, at the value it had."""
    up, look = made(COUNTER)()
    up()
    back = again(up=up, look=look)
    assert (back["up"](), back["look"]()) == (2, 2)
    assert look() == 1


def test_a_dict_of_a_library_that_is_its_own_attributes(again, monkeypatch):
    """A dict of an installed class that gives its items as attributes still does so, and is equal to what it was."""

    class Bunch(dict):
        def __init__(self, **items):
            super().__init__(items)
            self.__dict__ = self

    Bunch.__module__, Bunch.__qualname__ = "joblib", "Bunch"
    monkeypatch.setattr(joblib, "Bunch", Bunch, raising=False)
    bunch = Bunch(x=1, y=[2])
    found = again(value=bunch)["value"]
    assert vars(found) is found
    found.z = 3
    assert list(found) == ["x", "y", "z"]
    bunch["z"] = 3
    assert fingerprint(found) == fingerprint(bunch) != fingerprint(Bunch(x=1, y=[2], z=4))


def test_a_tuple_of_a_library_that_is_made_of_parts(again, monkeypatch):
    """A tuple of an installed class that asks for its parts is not handed the whole, as pickle would."""

    class Pair(tuple):  # noqa: SLOT001  libraries have such
        def __new__(cls, first=None, second=None):
            return super().__new__(cls, (first, second))

    Pair.__module__, Pair.__qualname__ = "joblib", "Pair"
    monkeypatch.setattr(joblib, "Pair", Pair, raising=False)
    pair = Pair(1, [2])
    pair.note = "of mine"
    found = again(value=pair)["value"]
    assert (type(found), found, found.note) == (Pair, pair, "of mine")
    assert fingerprint(found) == fingerprint(pair)


def test_functions_live_on_the_live_globals(again):
    """A function of the notebook looks its names up in the notebook as it is now."""
    space = {"__name__": "__main__"}
    exec("def double(a): return a * factor", space)
    live = codec.Live(spaces={id(space): "__main__"})
    now = {"__name__": "__main__", "factor": 2}
    back = again(live=live, space=now, double=space["double"])["double"]
    assert back.__globals__ is now
    assert back(4) == 8
    now["factor"] = 3
    assert back(4) == 12


def test_functions_keep_what_they_carry(again):
    """Defaults, annotations, attributes, name and docstring come back with a function."""
    function = made('def C(a: int, b=[1], *, c="x") -> str:\n    "Tell."\n    return b, c')
    function.tag = {"one": 1}
    back = again(function=function)["function"]
    assert back(0) == ([1], "x")
    for name in (
        "__name__",
        "__qualname__",
        "__doc__",
        "__module__",
        "__kwdefaults__",
        "__annotations__",
        "tag",
    ):
        assert getattr(back, name) == getattr(function, name), name


def test_recursion(again):
    """A function inside another that calls itself does so after."""
    source = "def C():\n    def fact(n):\n        return 1 if n < 2 else n * fact(n - 1)\n    return fact"
    assert again(fact=made(source)())["fact"](5) == 120


CLASSES = {
    "plain": ("class C:\n    def __init__(self, a=1):\n        self.a = a", "C(2)"),
    "dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = 1\n    b: list = None",
        "C(2, [3])",
    ),
    "frozen with slots": (
        "import dataclasses\n@dataclasses.dataclass(frozen=True, slots=True)\nclass C:\n    a: int = 1",
        "C(2)",
    ),
    "enum": ("import enum\nclass C(enum.Enum):\n    A = 1\n    B = 'b'", "[C.A, C.B]"),
    "flag": ("import enum\nclass C(enum.Flag):\n    A = enum.auto()\n    B = enum.auto()", "C.A | C.B"),
    "named tuple": ("import typing\nclass C(typing.NamedTuple):\n    a: int\n    b: str = 'x'", "C(1)"),
    "collections' named tuple": ("import collections\nC = collections.namedtuple('C', 'a b')", "C(1, 2)"),
    "slots": ("class C:\n    __slots__ = ('a', 'b')\n    def __init__(self):\n        self.a = [1]", "C()"),
    "abstract": (
        "import abc\nclass B(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\nclass C(B):\n    def f(self): return 2",
        "C()",
    ),
    "generic": (
        "import typing\nT = typing.TypeVar('T')\nclass C(typing.Generic[T]):\n    def __init__(self, a):\n        self.a = a",
        "C(1)",
    ),
    "derived with super": (
        "class B:\n    def f(self): return 1\nclass C(B):\n    def f(self): return super().f() + 1",
        "C()",
    ),
    "of a list": ("class C(list):\n    tag = 1", "C([1, 2])"),
    "property and class method": (
        "class C:\n    @property\n    def a(self): return 1\n    @classmethod\n    def make(cls): return cls()",
        "C.make()",
    ),
    "an error": ("class C(ValueError):\n    def __init__(self, a):\n        super().__init__(a)", "C('x')"),
    "a protocol": ("import typing\nclass C(typing.Protocol):\n    a: int", "1"),
    "a typed dict": ("import typing\nclass C(typing.TypedDict):\n    a: int", "C(a=1)"),
    "a metaclass": ("class M(type):\n    def tell(cls): return 1\nclass C(metaclass=M):\n    pass", "C()"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_classes_of_the_notebook(again, name):
    """A class of the notebook and its instance come back with the fingerprints they had (law 2)."""
    source, expression = CLASSES[name]
    space = {"__name__": "__main__"}
    cls, value = made(f"{source}\nboth = C, {expression}", "both")
    before = fingerprint(cls), fingerprint(value)
    back = again(space=space, cls=cls, value=value)
    assert (fingerprint(back["cls"]), fingerprint(back["value"])) == before
    assert (fingerprint(cls), fingerprint(value)) == before, "the originals are as they were"
    assert back["cls"] is not cls
    if type(value) is cls:
        assert type(back["value"]) is back["cls"]


def test_without_numpy(tmp_path):
    """A kernel that has not loaded numpy writes without it, and so keeps its warning filters; joblib reads that, too."""
    code = """import sys, warnings
from pathlib import Path
from lean_magic.values import codec
before = list(warnings.filters)
path = Path(sys.argv[1])
with path.open("wb") as file:
    layout = codec.dump(codec.encode({"names": {"x": [1, "a" * 100_000]}}), file)
print(codec.load(path, layout, {}, {})["names"]["x"] == [1, "a" * 100_000], "numpy" in sys.modules)
print(warnings.filters == before)"""
    path = tmp_path / "payload.joblib"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "True"]
    payload = joblib.load(path)
    assert pickle.loads(payload["graph"], buffers=payload["buffers"])["names"]["x"][0] == 1


# -- what is over, and what cannot be kept ------------------------------------------------------


def test_a_closed_store(again, tmp_path):
    """A closed file of h5py comes back closed."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "store.h5", "w") as file:
        file["x"] = [1, 2]
    back = again(file=file)["file"]
    assert type(back) is h5py.File
    assert not back


def test_closed_weights(again, tmp_path):
    """A closed file of safetensors comes back closed, and an open one is refused."""
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({}, tmp_path / "weights")
    with safetensors.safe_open(tmp_path / "weights", framework="np") as file:
        with pytest.raises(Unstorable, match="open file"):
            again(file=file)
        assert file.keys() == []
    back = again(file=file)["file"]
    with pytest.raises(sys.modules["safetensors"].SafetensorError, match="closed"):
        back.keys()


def test_a_closed_file(again, tmp_path):
    """A closed file comes back closed, under its name, and the file itself is left alone."""
    path = tmp_path / "a.txt"
    with path.open("w", encoding="utf-8") as file:
        file.write("kept")
    back = again(file=file)["file"]
    assert back.closed
    assert (back.name, back.mode) == (str(path), "w")
    assert path.read_text(encoding="utf-8") == "kept"


def test_files_in_memory(again):
    """Files in memory come back with content and place."""
    text, data = io.StringIO("one\ntwo"), io.BytesIO(b"abc")
    text.readline()
    back = again(text=text, data=data)
    assert back["text"].read() == "two"
    assert back["data"].read() == b"abc"


def test_a_finished_generator(again):
    """A generator that has given everything comes back as one that gives nothing."""
    finished = (number for number in range(3))
    assert sum(finished) == 3
    back = again(finished=finished)["finished"]
    assert list(back) == []


def test_iterators_stay_where_they_are(again):
    """An iterator over a list goes on where it stood."""
    numbers = iter([1, 2, 3])
    next(numbers)
    assert list(again(numbers=numbers)["numbers"]) == [2, 3]


def held_lock():
    """Make a lock that somebody holds."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def begun_generator():
    """Make a generator that has given one of its values."""
    numbers = (number for number in range(3))
    next(numbers)
    return numbers


NOWHERE = Path(os.devnull)
REFUSED = {
    "an open file": NOWHERE.open,
    "an open file inside": lambda: {"deep": [NOWHERE.open()]},
    "a generator half used": begun_generator,
    "a coroutine": made("async def C(): pass"),
    "a lock": held_lock,
    "a thread's frame": sys._getframe,
    "a mock": lambda: __import__("unittest.mock").mock.MagicMock(),
    "a module's socket": lambda: __import__("socket").socket(),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_what_cannot_be_kept_is_named(kind):
    """What cannot be stored is refused by the name it stands under, not by a name beside it."""
    value = REFUSED[kind]()
    with pytest.raises(Unstorable) as caught:
        codec.encode({"names": {"fine": [1], "handle": value, "also": 2}})
    assert caught.value.where == "handle"
    getattr(value, "close", int)()


def test_the_remedy_is_said():
    """The message says why, and what to do about it."""
    with (
        open(os.devnull) as file,
        pytest.raises(Unstorable, match="`handle` is an open file; close it in the cell"),
    ):
        codec.encode({"names": {"handle": file}})


# -- onto live objects ------------------------------------------------------------------------------


def test_live_objects_are_found_again(saved):
    """An object that existed before the cell comes back as the live one, not as a copy."""
    before, now = {"a": 1}, {"a": 1}
    path, layout = saved(codec.Live(marks={id(before): "value d#0"}), new=[before])
    back = codec.load(path, layout, {"value d#0": now}, {})
    assert back["new"][0] is now


def bytes_read():
    """Return the bytes this process has read so far."""
    return int(Path("/proc/self/io").read_text().splitlines()[0].split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs /proc")
def test_large_arrays_are_neither_copied_nor_read(tmp_path):
    """Storing holds no second copy of a large array, and loading reads next to nothing of it until it is touched."""
    size = 128 << 20
    path, array = tmp_path / "payload.joblib", np.ones(size, "u1")
    tracemalloc.start()
    try:
        with path.open("wb") as file:
            layout = codec.dump(codec.encode({"x": array}), file)
        assert tracemalloc.get_traced_memory()[1] < size / 2
        tracemalloc.reset_peak()
        before, held = bytes_read(), tracemalloc.get_traced_memory()[0]
        found = codec.load(path, layout, {}, {})["x"]
        assert bytes_read() - before < 1 << 20
        assert tracemalloc.get_traced_memory()[1] - held < 1 << 20
    finally:
        tracemalloc.stop()
    assert found[:: 1 << 20].all()
    assert found.shape == array.shape


def test_nothing_keeps_what_was_written():
    """A frame that was encoded goes with its last name: pandas copies whatever somebody else still holds."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [1.0, 2.0]})
    gone = weakref.ref(table)
    gc.disable()
    try:
        graph = codec.encode({"table": [table]})
        del table, graph
        assert gone() is None
    finally:
        gc.enable()
