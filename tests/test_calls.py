"""`lean_magic.cached`: the calls of a function, with the guarantees of a cell."""

import asyncio
import os
import pickle
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import pytest

from lean_magic.effects import rng

DEFINE = """
import lean_magic
ran = []
{}
"""


@pytest.fixture
def outcome():
    """Return a function that tells the kind of the last outcome."""
    import lean_magic

    return lambda: type(lean_magic.last_outcome()).__name__.lower()


def define(shell, body):
    """Run a cell that defines what the others use."""
    assert shell.run(DEFINE.format(body)).error is None


COUNTED = "@lean_magic.cached\ndef f(a, *rest, b=2, **more):\n    print('ran')\n    return [a * K, rest, b, more]\nK = 3"


def test_same_call_hits_and_shows_the_same(shell, outcome):
    """The same call gives an equal result and shows the same, without running."""
    define(shell, COUNTED)
    first = shell.run("x = f(1, 2, c=4)")
    assert outcome() == "miss"
    second = shell.run("y = f(1, 2, c=4)")
    assert outcome() == "hit"
    assert first.stdout == second.stdout == "ran\n"
    assert shell.ns["x"] == shell.ns["y"] == [3, (2,), 2, {"c": 4}]


@pytest.mark.parametrize("call", ["f(2)", "f(1, 3)", "f(1, b=3)", "f(1, c=2)", "f(1.0)", "f(True)"])
def test_other_arguments_run(shell, outcome, call):
    """Another argument, or one of another type, is another call."""
    define(shell, COUNTED)
    shell.run("f(1)")
    shell.run(call)
    assert outcome() == "miss"


@pytest.mark.parametrize(
    "change", ["K = 4", "f.__wrapped__.__kwdefaults__['b'] = 5", COUNTED.replace("a * K", "a + K")]
)
def test_what_the_function_reaches_counts(shell, outcome, change):
    """A global, a default or the code of the function that changes makes the call run."""
    define(shell, COUNTED)
    shell.run("f(1)")
    shell.run(change)
    shell.run("f(1)")
    assert outcome() == "miss"


def test_keyword_or_position_is_the_same_call(shell, outcome):
    """An argument is what its parameter gets, however it was passed."""
    define(shell, "@lean_magic.cached\ndef f(a, b): return a - b")
    shell.run("f(1, 2)")
    shell.run("f(b=2, a=1)")
    assert outcome() == "hit"


def test_change_in_place_is_put_back(shell, outcome):
    """What a call does to its arguments and to globals, a hit does to the ones of now."""
    define(
        shell,
        "@lean_magic.cached\ndef f(xs):\n    global n\n    xs.append(1)\n    n = len(xs)\n    return xs",
    )
    shell.run("a = [0]; r = f(a); n = None")
    shell.run("b = [0]; r = f(b)")
    assert outcome() == "hit"
    assert shell.ns["b"] == [0, 1]
    assert shell.ns["r"] is shell.ns["b"]
    assert shell.ns["n"] == 2


def test_method(shell, outcome):
    """A decorated method depends on its object, and a hit changes that object."""
    define(
        shell,
        "class A:\n    def __init__(self, n): self.n = n\n    @lean_magic.cached\n    def add(self, k):\n        self.n += k\n        return self",
    )
    shell.run("a, b, c = A(1), A(1), A(2)\na.add(2)")
    shell.run("r = b.add(2)")
    assert outcome() == "hit"
    assert shell.ns["b"].n == 3
    assert shell.ns["r"] is shell.ns["b"]
    shell.run("c.add(2)")
    assert outcome() == "miss"


def test_error_is_the_functions_own(shell):
    """A call that raises raises the same, is not stored, and its traceback ends in the function."""
    define(shell, "@lean_magic.cached\ndef f(x):\n    return 1 / x")
    for _ in range(2):
        error = shell.run("f(0)").error
        assert isinstance(error, ZeroDivisionError)
        assert traceback.extract_tb(error.__traceback__)[-1].name == "f"
    assert isinstance(shell.run("f()").error, TypeError)
    assert "argument x" not in shell.ns


def test_recursion(shell, outcome):
    """A cached function may call itself; nobody waits for himself."""
    define(shell, "@lean_magic.cached\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)")
    shell.run("x = fib(10)")
    shell.run("y = fib(10)")
    assert outcome() == "hit"
    assert shell.ns["x"] == shell.ns["y"] == 55


def test_deep_recursion(shell, outcome):
    """A function that calls itself hundreds of times deep does so under the decorator, too."""
    define(shell, "@lean_magic.cached\ndef deep(n):\n    return n and 1 + deep(n - 1)")
    assert shell.run("x = deep(200)").error is None
    assert shell.ns["x"] == 200
    shell.run("x = deep(200)")
    assert outcome() == "hit"


def test_coroutine_function(shell, outcome):
    """A cached coroutine function is awaited, run or replayed."""
    define(
        shell,
        "@lean_magic.cached\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1\nimport asyncio",
    )
    shell.run("x = await f(1)")
    shell.run("y = await f(1)")
    assert outcome() == "hit"
    assert shell.ns["x"] == shell.ns["y"] == 2
    shell.run("z = await asyncio.gather(*(f(i) for i in range(5)))")
    assert shell.ns["z"] == [1, 2, 3, 4, 5]


def test_calls_at_once_are_right(shell):
    """Calls from several threads at once all give their own result."""
    define(shell, "@lean_magic.cached\ndef f(x):\n    return [x]")
    found = {}
    threads = [threading.Thread(target=lambda n=n: found.update({n: shell.ns["f"](n)})) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [n] for n in range(20)}
    assert not [name for name in shell.ns if " " in name]


OPTIONS = {
    "a value": ("depends=version", "version = 2"),
    "a function": ("depends=lambda: version", "version = 2"),
}


@pytest.mark.parametrize(("option", "change"), OPTIONS.values(), ids=OPTIONS)
def test_depends(shell, outcome, option, change):
    """What a call depends on besides what it reads is told by `depends`."""
    source = f"@lean_magic.cached({option})\ndef f(): return 1"
    define(shell, f"version = 1\n{source}")
    shell.run("f()")
    shell.run(f"{source}\nf()")
    assert outcome() == "hit"
    shell.run(f"{change}\n{source}\nf()")
    assert outcome() == "miss"


def test_ignore_and_ttl(shell, outcome):
    """An ignored argument does not count, and an entry is stale after its time."""
    define(shell, "@lean_magic.cached(ignore=['log'], ttl='1h')\ndef f(x, log=None): return x")
    shell.run("f(1, log=1)")
    shell.run("f(1, log=2)")
    assert outcome() == "hit"
    define(shell, "@lean_magic.cached(ttl=0)\ndef g(x): return x")
    shell.run("g(1)")
    shell.run("g(1)")
    assert outcome() == "miss"


def test_mistakes_are_told():
    """A wrong option or something that cannot be called is one clear error."""
    import lean_magic

    with pytest.raises(TypeError, match="no option 'tll'"):
        lean_magic.cached(tll=1)
    with pytest.raises(TypeError, match="takes a function"):
        lean_magic.cached(3)
    with pytest.raises(lean_magic.errors.UsageError, match="soon"):
        lean_magic.cached(ttl="soon")(len)


def test_context(shell, outcome):
    """`with cached(function) as f` gives the cached function."""
    define(shell, "def slow(x): return [x]")
    shell.run("with lean_magic.cached(slow) as f:\n    x = f(1)\n    y = f(1)")
    assert outcome() == "hit"
    assert shell.ns["x"] == shell.ns["y"] == [1]


def test_cached_cell_reaches_through_it(shell):
    """A cached cell that calls a cached function depends on that function's code and globals."""
    define(shell, COUNTED)
    cell = "%%cached\nx = f(1)"
    assert shell.run(cell).kind == "miss"
    assert shell.run(cell).kind == "hit"
    shell.run("K = 5")
    assert shell.run(cell).kind == "miss"
    assert shell.ns["x"][0] == 5


INSIDE = {
    "a file": ("def f(): return open('in.txt').read()", "open('in.txt', 'w').write('new')"),
    "a folder": (
        "import os\n@lean_magic.cached\ndef f(): return sorted(os.listdir('data'))",
        "open('data/b', 'w').close()",
    ),
    "a draw": ("import random\ndef f(): return random.random()", "random.seed(3)"),
}


@pytest.mark.parametrize(("function", "change"), INSIDE.values(), ids=INSIDE)
def test_what_a_call_inside_observed_counts_for_the_cell(shell, monkeypatch, function, change):
    """A cell around a call that was a hit depends on what that call read when it ran."""
    monkeypatch.setattr(rng, "_seeded", set())  # other tests of this process may have seeded
    rng.assume_unseeded()
    Path("in.txt").write_text("old")
    Path("data").mkdir()
    define(
        shell, function if "cached" in function else function.replace("def f", "@lean_magic.cached\ndef f")
    )
    shell.run("f()")
    cell = "%%cached\nx = [f()]"
    assert shell.run(cell).kind == "miss"
    assert shell.run(cell).kind == "hit"
    shell.run(change)
    assert shell.run(cell).kind == "miss"


def test_files_of_a_call_inside_are_put_back(shell):
    """A file that a call inside a cell put back is an effect of the cell, and our own files are not."""
    define(shell, "@lean_magic.cached\ndef f(): open('out.txt', 'w').write('a')")
    shell.run("f()")
    cell = "%%cached\nf()\nx = 1"
    shell.run(cell)
    Path("out.txt").unlink()
    assert shell.run(cell).kind == "hit"
    assert Path("out.txt").read_text() == "a"


def test_pickled_function_is_cached_too(shell):
    """A cached function of a module can be pickled, by value of the function it wraps."""
    import lean_magic
    from lean_magic.calls import CachedFunction

    again = pickle.loads(pickle.dumps(lean_magic.cached(os.path.join, label="join")))
    assert isinstance(again, CachedFunction)
    assert again("a", "b") == os.path.join("a", "b")


PROGRAM = """
import lean_magic
@lean_magic.cached
def f(x):
    print("ran")
    return x + 1
print(f(1), type(lean_magic.last_outcome()).__name__)
"""


def test_program_without_ipython(tmp_path):
    """In a program without IPython a second process hits."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    environ = {**os.environ, "LEAN_MAGIC_CACHE_DIR": str(tmp_path / "cache")}
    said = [
        subprocess.run([sys.executable, path], env=environ, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["ran\n2 Miss\n", "ran\n2 Hit\n"]


def test_generator_just_runs(shell, outcome):
    """What cannot be stored, such as a generator half used, is given as it is, and the outcome says why."""
    define(
        shell, "@lean_magic.cached\ndef f():\n    rest = (i for i in (1, 2))\n    next(rest)\n    return rest"
    )
    shell.run("x = list(f())")
    assert outcome() == "bypass"
    assert shell.ns["x"] == [2]


def test_fresh_generator(shell, outcome):
    """A call of a generator function gives a generator that begins anew, in the run and in each hit."""
    define(shell, "@lean_magic.cached\ndef f(n):\n    yield n\n    yield n + 1")
    shell.run("x = list(f(1))")
    assert outcome() == "miss"
    shell.run("y = list(f(1)), list(f(1)), list(f(2))")
    assert shell.ns["x"] == [1, 2]
    assert shell.ns["y"] == ([1, 2], [1, 2], [2, 3])


def test_event_loop_of_its_own(outcome, cache_dir):
    """`asyncio.run` of a cached coroutine works outside a notebook."""
    import lean_magic

    async def f(x):
        return x + 1

    assert asyncio.run(lean_magic.cached(f)(1)) == 2


WITH_CLASSES = """
import dataclasses
import lean_magic
import multiprocessing

@dataclasses.dataclass
class Pair:
    a: int

@lean_magic.cached
def make(a):
    return Pair(a), [a]

found = [make(1), make(1)]
print(type(lean_magic.last_outcome()).__name__, found[0] == found[1], type(found[1][0]) is Pair)
"""


def test_results_of_a_program_under_two_names(tmp_path, cache_dir):
    """A program is `__mp_main__` as well once multiprocessing is loaded; what its functions give comes back all the same."""
    (tmp_path / "program.py").write_text(WITH_CLASSES)
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Hit", "True", "True"]


ATTRIBUTES = (
    "@lean_magic.cached\ndef f(x):\n    f.calls += 1\n    return x * f.factor\nf.calls, f.factor = 0, 2"
)


def test_attributes_of_the_function(shell, outcome):
    """What is set on a cached function counts for its calls, and what a call sets on it is put back."""
    define(shell, ATTRIBUTES)
    shell.run("a = f(3), f.calls")
    shell.run("f.calls = 0\nb = f(3), f.calls")
    assert outcome() == "hit"
    assert shell.ns["a"] == shell.ns["b"] == (6, 1)
    shell.run("f.factor = 5\nc = f(3)")
    assert shell.ns["c"] == 15
    assert shell.ns["f"].__wrapped__.factor == 5


LOGGED = (
    "import functools\ndef log(g):\n    @functools.wraps(g)\n    def w(*a, **k):\n        print(a, k)\n        return g(*a, **k)\n"
    "    return w\n@lean_magic.cached\n@log\ndef f(x, y=2): return x * y"
)


def test_wrapper_sees_how_arguments_were_passed(shell):
    """A wrapper that takes any arguments may show how they were passed, whatever signature it borrows."""
    define(shell, LOGGED)
    assert [shell.run(f"{call};").stdout for call in ("f(1)", "f(x=1)", "f(1)")] == [
        "(1,) {}\n",
        "() {'x': 1}\n",
        "(1,) {}\n",
    ]


def test_depends_takes_no_name_of_the_users(shell):
    """A global called `depends` is the function's own."""
    define(shell, "depends = 'mine'\n@lean_magic.cached(depends=7)\ndef f(): return depends")
    shell.run("x = f()")
    assert shell.ns["x"] == shell.ns["depends"] == "mine"


def test_static_method_below(shell):
    """A static method may be cached, too, and is called without an object."""
    define(shell, "class A:\n    @lean_magic.cached\n    @staticmethod\n    def f(x): return x")
    shell.run("x = A.f(1), A().f(2)")
    assert shell.ns["x"] == (1, 2)


def test_changed_parts_of_a_tuple(shell, outcome):
    """A tuple that is given back, and in which something was changed, is a hit the next time."""
    define(shell, "@lean_magic.cached\ndef f(t):\n    t[0].append(2)\n    return t")
    shell.run("t = ([1],); f(t)")
    shell.run("t = ([1],); u = f(t)")
    assert outcome() == "hit"
    assert shell.ns["u"] is shell.ns["t"]
    assert shell.ns["t"] == ([1, 2],)


AT_ONCE = {
    "threads": (
        "def f(x):\n    time.sleep(.02)\n    done.append(x)\n    return x",
        "import concurrent.futures as c\nwith c.ThreadPoolExecutor(3) as pool:\n    list(pool.map(time.sleep, [.1] * 3))\n    list(pool.map(f, range(3)))",
    ),
    "tasks": (
        "async def f(x):\n    await asyncio.sleep(.02)\n    done.append(x)\n    return x",
        "await asyncio.gather(*map(f, range(3)))",
    ),
}


@pytest.mark.parametrize(("function", "calls"), AT_ONCE.values(), ids=AT_ONCE)
def test_what_others_do_meanwhile_is_nobodys(shell, outcome, function, calls):
    """A call during which others ran is stored only if it did nothing but give a result."""
    define(shell, f"import asyncio, time\ndone = []\n@lean_magic.cached\n{function}")
    for _ in range(2):
        shell.run(f"done.clear()\n{calls}")
        assert sorted(shell.ns["done"]) == [0, 1, 2]
        assert outcome() == "bypass"
    assert "another thread or task" in shell.ns["lean_magic"].last_outcome().reason
    define(shell, f"import asyncio, time\n@lean_magic.cached\n{function.replace('done.append(x)', 'pass')}")
    shell.run(calls)
    assert outcome() == "miss"


def test_threads_of_a_call_belong_to_it(shell, outcome):
    """What a call's own threads do is the call's."""
    define(shell, f"import time\ndone = []\n@lean_magic.cached\n{AT_ONCE['threads'][0]}")
    body = AT_ONCE["threads"][1].replace("\n", "\n    ")
    shell.run(f"@lean_magic.cached\ndef g():\n    {body}")
    for kind in ("miss", "hit"):
        shell.run("done.clear()\ng()")
        assert outcome() == kind
        assert sorted(shell.ns["done"]) == [0, 1, 2]


CATCHING = """
import logging, unittest, warnings
import lean_magic
warnings.simplefilter("always")
@lean_magic.cached
def warn(): warnings.warn("a")
@lean_magic.cached
def log(): logging.getLogger("a").warning("b")
def catch():
    with warnings.catch_warnings(record=True) as caught, unittest.TestCase().assertLogs("a") as logged:
        warn(), log()
    return len(caught), len(logged.output)
def kind(function): return function() or type(lean_magic.last_outcome()).__name__
print(catch(), kind(warn), kind(log), catch(), kind(warn), kind(log), catch())
"""


def test_what_is_caught_around_a_call(tmp_path, cache_dir):
    """Warnings and messages that are caught around a call are caught each time, stored before or not."""
    (tmp_path / "program.py").write_text(CATCHING)
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == "(1, 1) Miss Miss (1, 1) Hit Hit (1, 1)".split()


WARNING = """
import warnings
warnings.simplefilter("ignore")
import lean_magic
@lean_magic.cached
def f(): warnings.warn("a")
f()
warnings.simplefilter("always")
f()
print(type(lean_magic.last_outcome()).__name__)
"""


def test_warning_filters_of_a_program(tmp_path, cache_dir):
    """Filters that a program sets count, before the first call and between two."""
    path = tmp_path / "program.py"
    for text, warned in ((WARNING, 1), (WARNING, 1), (WARNING.replace("ignore", "default"), 2)):
        path.write_text(text)
        done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
        assert done.stderr.count("UserWarning: a") == warned


POOL = """
import lean_magic, multiprocessing, pickle
@lean_magic.cached
def f(x): return x + 1
@lean_magic.cached_map(quiet=True)
def g(xs): return [x + 1 for x in xs]
if __name__ == "__main__":
    for kind in ("fork", "spawn"):
        with multiprocessing.get_context(kind).Pool(1) as pool:
            print(pool.map(f, [1, 2]), pool.map(g, [[1]]))
    print(pickle.loads(pickle.dumps(f)) is f)
"""


def test_in_workers(tmp_path, cache_dir):
    """A decorated function is handed to worker processes by its name, as any function is."""
    (tmp_path / "program.py").write_text(POOL)
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[2, 3] [[2]]", "[2, 3] [[2]]", "True"]


def test_by_value_in_other_programs(shell):
    """Cloudpickle takes a cached function of the notebook along, with what it holds."""
    import cloudpickle

    define(shell, "k = 3\n@lean_magic.cached\ndef f(x): return x + k")
    stored = cloudpickle.dumps(shell.ns["f"])
    shell.run("del f, k")
    assert pickle.loads(stored)(1) == 4


def test_without_a_console(shell, outcome, monkeypatch, capsys):
    """Where there is no stream to write to, calls are cached all the same, but not for where there is one."""
    define(shell, "@lean_magic.cached\ndef f(x):\n    print(x)\n    return x")
    for kind in ("miss", "hit"):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", None)
            assert shell.ns["f"](3) == 3
        assert outcome() == kind
    for kind in ("miss", "hit"):
        assert shell.ns["f"](3) == 3
        assert outcome() == kind
        assert capsys.readouterr().out == "3\n"
