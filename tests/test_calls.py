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
    """What cannot be stored, such as a generator, is given as it is, and the outcome says why."""
    define(shell, "@lean_magic.cached\ndef f():\n    yield 1")
    shell.run("x = list(f())")
    assert outcome() == "bypass"
    assert shell.ns["x"] == [1]


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
