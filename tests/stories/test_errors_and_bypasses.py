"""A cell that fails fails as without us; what cannot be cached runs, and the line says why."""

import pytest
from story_kernels import plain

FAILS = {
    "an exception": "x = 1\n1 / 0",
    "an exception in a function of the cell": "def f(a):\n    return 1 / a\n\nf(0)",
    "an exception in an earlier function": "f(0)",
    "an exception in a library": "import json\njson.loads('{')",
    "a chained exception": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('a') from e",
    "an exception while handling": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    undefined",
    "a name that is not bound": "undefined + 1",
    "a syntax error": "x = (1",
    "a syntax error of the compiler": "return 1",
    "a syntax error in the middle": "x = 1\ny = = 2\nz = 3",
    "an indentation error": "if True:\nx = 1",
    "an assertion": "assert 1 == 2, 'no'",
    "an exception after output": "print('a')\ndisplay(1)\nraise KeyError('b')",
    "an exception group": "raise ExceptionGroup('a', [ValueError(1), TypeError(2)])",
    "an exception in await": "import asyncio\nasync def g():\n    await asyncio.sleep(0)\n    1 / 0\nawait g()",
    "system exit": "import sys\nsys.exit(3)",
    "an exception of the user's class": "class E(Exception): pass\nraise E('a')",
    "an exception in the value's text": "class C:\n    def __repr__(self): raise ValueError('no text')\nC()",
    "an exception in a thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\ndel t",
    "an exception in writing": "import sys\ntry:\n    sys.stdout.write(1)\nexcept TypeError:\n    print('caught')\nsys.stdout.write(2)",
    "an exception in showing": "display({1}, raw=True)",
    "an exception without a traceback": "from IPython.core.error import UsageError\nraise UsageError('use it well')",
    "an exception with its own traceback": "class E(Exception):\n    def _render_traceback_(self): return ['mine']\nraise E",
}


@pytest.mark.parametrize("cell", FAILS.values(), ids=FAILS)
def test_traceback_is_the_users_own(kernels, cell):
    """A cell that fails shows exactly what it shows without us, leaves the same names, and is never replayed."""
    before = "def f(a):\n    # earlier\n    return 1 / a"
    wanted = kernels(lean=False)
    wanted.run(before)
    events = plain(wanted.run(cell).events)
    for _ in range(2):
        kernel = kernels()
        kernel.run(before)
        done = kernel.run(f"%%cached\n{cell}")
        assert plain(done.events) == events
        assert (done.kind, done.status_line) == ("", "") or "thread" in cell or "no text" in cell
        assert plain(kernel.portrait()) == plain(wanted.portrait())


def test_failed_cell_is_not_stored(kernels):
    """A cell that raised runs again, and is stored once it does not."""
    cell = "%%cached\nif fails:\n    raise ValueError\nx = 1"
    kernel = kernels()
    kernel.run("fails = True")
    assert kernel.run(cell).error
    kernel.run("fails = False")
    assert kernel.run(cell).kind == "miss"
    assert kernel.run(cell).kind == "hit"


def test_interrupted_cell_is_not_stored(kernel):
    """An interrupted cell shows KeyboardInterrupt, stores nothing, and the kernel goes on."""
    begun = kernel.start(
        "%%cached\nx = 1\nprint('ready', flush=True)\nimport time\nwhile True:\n    time.sleep(0.01)"
    )
    while kernel.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass
    kernel.interrupt()
    done = kernel.finish(begun)
    assert "KeyboardInterrupt" in done.error
    assert "lean_magic" not in plain(done.error)
    assert done.kind == ""
    assert kernel.run("%%cached\ny = x").kind == "miss"


def test_next_cell_after_a_failure_works(kernel):
    """A failed cell leaves nothing of ours behind in streams and hooks."""
    kernel.run("%%cached\n1 / 0")
    assert kernel.run("print('a')\n2").events == [("stdout", "a\n"), ("value", {"text/plain": "2"})]
    assert kernel.ask(
        "'run_ast_nodes' in vars(get_ipython()) and 'publish' not in vars(get_ipython().display_pub)"
    )


USAGE = {
    "an option that is not there": ("%%cached --refesh\nx = 1", "--refresh"),
    "an option without its value": ("%%cached --ttl\nx = 1", "--ttl"),
    "a duration that is none": ("%%cached --ttl soon\nx = 1", "12h"),
    "two names": ("%%cached one two\nx = 1", "two"),
    "an expression that is none": ("%%cached --depends 1+\nx = 1", "--depends"),
    "an expression that fails": ("%%cached --depends undefined\nx = 1", "undefined"),
    "a name that is none": ("%%cached --ignore 1a\nx = 1", "1a"),
    "open quotes": ("%%cached 'one\nx = 1", "one"),
    "a flag with a value": ("%%cached --refresh=yes\nx = 1", "--refresh"),
    "an unknown verb": ("%lean lss", "ls"),
    "nothing after %cached": ("%cached", "%cached"),
}


@pytest.mark.parametrize(("cell", "says"), USAGE.values(), ids=USAGE)
def test_mistake_on_the_line_is_told_and_nothing_runs(kernel, cell, says):
    """A mistake is one clear line that names what is right; the cell does not run."""
    done = kernel.run(cell)
    told = plain(done.error + done.stderr + done.stdout)
    assert says in told
    assert "Traceback" not in told
    assert "x" not in kernel.portrait()
    assert kernel.run("x = 2\nx").value == {"text/plain": "2"}


@pytest.mark.parametrize(
    "cell", ["%%cached", "%%cached\n", "%%cached\n\n\n", "%%cached name\n# only a remark"]
)
def test_empty_cell_is_told(kernel, cell):
    """An empty cell does nothing and is no failure of ours."""
    done = kernel.run(cell)
    assert "lean_magic failed" not in done.status_line + done.error
    assert "Traceback" not in done.error
    assert kernel.run("1").value == {"text/plain": "1"}


NAMED = {
    "a live generator": ("g = (i for i in range(3))\nnext(g)", "x = list(g)", "`g`"),
    "a socket": ("import socket\ns = socket.socket()", "x = s.family", "`s`"),
    "an open file": ("f = open('a.txt', 'w')", "x = f.name", "`f`"),
    "an output that is a generator": ("", "g = (i for i in range(3))\nx = next(g)", "`g`"),
    "an output that is a socket": ("", "import socket\ns = socket.socket()", "`s`"),
    "an output that is an open file": ("", "f = open('a.txt', 'w')", "`f`"),
    "a shell escape": ("", "!echo a", "!echo a"),
    "a shell escape with a result": ("", "x = !echo a", "!echo a"),
    "a magic": ("", "%pwd", "%pwd"),
    "a cell magic": ("", "x = 1\nget_ipython().run_cell_magic('bash', '', 'echo a')", "`%%bash`"),
    "a thread left running": (
        "import threading\nstop = threading.Event()",
        "threading.Thread(target=stop.wait, name='Story').start()",
        "Story",
    ),
    "a process left running": ("import subprocess", "p = subprocess.Popen(['sleep', '30'])", "p"),
    "a task left running": (
        "import asyncio",
        "t = asyncio.create_task(asyncio.sleep(30), name='Story')",
        "Story",
    ),
    "computed names": ("n = 1", "x = eval('n' * n)", "eval()"),
    "a list changed in place": ("xs = []", "xs.append(1)", "`xs`"),
    "a dict changed in place": ("d = {}", "d['a'] = 1", "`d`"),
    "an object changed in place": ("class C: pass\nc = C()", "c.a = 1", "`c`"),
    "a class changed in place": ("class C: pass", "C.a = 1", "`C`"),
    "a list changed in a function": ("xs = []\ndef f(a): xs.append(a)", "f(1)", "`xs`"),
    "input": ("", "x = input('name? ')", "input()"),
    "breakpoint": ("", "if False:\n    breakpoint()", "breakpoint()"),
    "--off": ("", "x = 1", "switched off"),
}


@pytest.mark.parametrize("name", NAMED)
def test_bypass_names_the_culprit(kernel, name):
    """A cell that cannot be cached runs, and one line says what stands in the way."""
    before, cell, says = NAMED[name]
    kernel.run(before)
    done = kernel.run(f"%%cached {'--off' if name == '--off' else ''}\n{cell}")
    if name == "input":
        assert "StdinNotImplementedError" in done.error
        return
    assert not done.error
    if done.kind == "bypass":
        assert says in done.reason
        assert done.status_line.startswith("○")
        assert "lean_magic failed" not in done.reason
    else:
        assert "in place" in name or "in a function" in name, done


MUTATES = {
    "append": ("xs = []", "xs.append(1)"),
    "item": ("d = {'a': [1]}", "d['a'][0] = 2"),
    "nested": ("d = {'a': {'b': []}}", "d['a']['b'].append(1)"),
    "del item": ("d = {'a': 1}", "del d['a']"),
    "sort": ("xs = [2, 1]", "xs.sort()"),
    "slice": ("xs = [1, 2, 3]", "xs[1:] = [9]"),
    "augmented list": ("xs = []\nys = xs", "xs += [1]"),
    "set": ("s = set()", "s.add(1)"),
    "attribute": ("class C: pass\nc = C()", "c.a = 1"),
    "setattr": ("class C: pass\nc = C()", "setattr(c, 'a', 1)"),
    "class attribute": ("class C: n = 0", "C.n += 1"),
    "class attribute through an instance": (
        "class C:\n    n = 0\n    def __init__(self): C.n += 1",
        "x = C()",
    ),
    "function attribute": ("def f(): pass", "f.a = 1"),
    "closure": (
        "def make():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n    return up\nup = make()",
        "x = up()",
    ),
    "global in a function": ("n = 0\ndef up():\n    global n\n    n += 1", "up()"),
    "through an alias": ("xs = []\nys = xs", "ys.append(1)"),
    "through a container": ("xs = []\nbox = {'a': xs}", "box['a'].append(1)"),
    "iterator": ("it = iter([1, 2, 3])", "x = next(it)"),
    "counter": ("import itertools\ncount = itertools.count()", "x = next(count)"),
    "stateful method": (
        "class C:\n    n = 0\n    def f(self):\n        self.n += 1\n        return self.n\nc = C()",
        "x = c.f()",
    ),
    "default argument": ("def f(a, xs=[]):\n    xs.append(a)\n    return list(xs)", "x = f(1)"),
    "Out": ("[1]", "Out[1].append(2)"),
    "module attribute": ("import types\nm = types.ModuleType('m')", "m.a = 1"),
    "attribute of an installed module": ("import math", "math.story = 1"),
    "attribute of a local module": ("import tools", "tools.K = 5"),
    "list in a local module": ("import tools", "tools.XS.append(5)"),
    "global of a local module changed by its function": ("import tools", "tools.up()"),
    "sys.modules": ("import sys, types", "sys.modules['handmade'] = types.ModuleType('handmade')"),
    "deque": ("import collections\nq = collections.deque([1, 2])", "q.popleft()"),
    "bytearray": ("b = bytearray(b'abc')", "b[0] = 65"),
    "heap": ("import heapq\nh = [1]", "heapq.heappush(h, 0)"),
    "lru_cache": ("import functools\n@functools.lru_cache\ndef f(a): return a", "x = f(1)"),
    "cached property": (
        "import functools\nclass C:\n    @functools.cached_property\n    def k(self): return 1\nc = C()",
        "x = c.k",
    ),
    "shuffle": ("import random\nrandom.seed(1)\nxs = list(range(9))", "random.shuffle(xs)"),
    "rebound and changed": ("xs = [1]\nys = xs", "xs.append(2)\nxs = [0]"),
    "swap": ("a, b = [1], [2]", "a, b = b, a"),
    "registry": (
        "registry = {}\ndef register(f):\n    registry[f.__name__] = f\n    return f",
        "@register\ndef g(): return 1",
    ),
    "subclass": (
        "class B:\n    subs = []\n    def __init_subclass__(cls): B.subs.append(cls.__name__)",
        "class C(B): pass",
    ),
    "logging": ("import logging\nlog = logging.getLogger('story')", "log.setLevel(10)"),
    "StringIO": ("import io\nout = io.StringIO()", "print('a', file=out)"),
    "an object reached only by a weak reference": (
        "import weakref\nclass C: pass\nc = C()\nr = weakref.ref(c)",
        "r().a = 1",
    ),
    "an object of a bound method": (
        "class C:\n    def __init__(self): self.xs = []\n    def add(self): self.xs.append(1)\nc = C()\nadd = c.add",
        "add()",
    ),
    "a list passed on to a library": ("import bisect\nxs = [1, 3]", "bisect.insort(xs, 2)"),
    "an object in the namespace of globals": ("xs = []", "globals()['xs'].append(1)"),
}
SHOWS = """
for name in sorted(globals()):
    if not name.startswith('_') and name not in ('In', 'Out', 'exit', 'quit', 'get_ipython', 'open'):
        value = globals()[name]
        print(name, list(vars(value).items())[-1:] if type(value).__name__ == 'C' else '')
"""


@pytest.mark.parametrize(("before", "cell"), MUTATES.values(), ids=MUTATES)
def test_change_in_place_is_never_lost(story, before, cell):
    """After a cell that changes an earlier object, that object is what a run makes of it, hit or not."""
    story.stays_right(
        before,
        f"%%cached\n{cell}",
        files={"tools.py": "K = 1\nXS = []\nN = 0\ndef up():\n    global N\n    N += 1\n"},
    )


@pytest.mark.parametrize(("before", "cell"), MUTATES.values(), ids=MUTATES)
def test_change_in_place_happens_each_time(recycled, before, cell):
    """Run twice in one kernel, the change happens twice."""
    if "tools" in before or "modules" in cell or "math" in before:
        pytest.skip("needs a kernel of its own")
    wanted = recycled.uncached(before, cell, cell)
    found = recycled.run(before, f"%%cached\n{cell}", f"%%cached\n{cell}")
    assert plain(found.portrait) == plain(wanted.portrait), found


SAME_KERNEL = {
    "loop": ("xs = [1, 2, 3]", "total = 0\nfor x in xs:\n    total += x"),
    "while": ("n = 3", "i = 0\nwhile i < n:\n    i += 1"),
    "with open": ("", "with open('a.txt') as file:\n    x = file.read()"),
    "import in the cell": ("", "import json\nx = json.dumps({'a': 1})"),
    "from import in the cell": ("", "from collections import Counter\nx = Counter('aab')"),
    "comprehension": ("xs = [1, 2]", "ys = [x * 2 for x in xs]"),
    "function defined and used": ("k = 2", "def f(a): return a * k\nx = f(3)"),
    "class defined and used": ("", "class C:\n    def __init__(self): self.a = 1\nc = C()\nx = c.a"),
    "class of an earlier cell": ("class C:\n    def __init__(self): self.a = 1", "c = C()\nx = c.a"),
    "try": ("", "try:\n    x = int('a')\nexcept ValueError as e:\n    x = 0"),
    "if": ("go = True", "if go:\n    x = 1\nelse:\n    y = 2"),
    "bound on one branch": ("go = False", "if go:\n    x = 1\ny = 1"),
    "rebinding from another name": ("a = 1", "b = a\nb = b + 1"),
    "print and value": ("a = 1", "print(a)\na"),
    "with suppress": ("import contextlib", "with contextlib.suppress(ValueError):\n    y = int('a')\nx = 1"),
    "unpacking": ("", "a, b = 1, 2\na, b = b, a"),
    "dict built up": ("xs = 'abc'", "d = {}\nfor x in xs:\n    d[x] = d.get(x, 0) + 1"),
    "nested loops and functions": (
        "",
        "rows = []\nfor i in range(3):\n    def f(a): return a + i\n    rows.append(f(1))",
    ),
    "recursion": ("", "def fact(n): return 1 if n < 2 else n * fact(n - 1)\nx = fact(5)"),
    "lambda and sorted": ("xs = [3, 1]", "ys = sorted(xs, key=lambda a: -a)"),
    "generator consumed": ("", "x = sum(i for i in range(4))"),
    "global statement": ("n = 0", "def f():\n    global m\n    m = 1\nf()"),
    "await": ("", "import asyncio\nx = await asyncio.sleep(0, 1)"),
    "dataclass": ("", "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\np = P(1)"),
    "enum": ("", "import enum\nclass E(enum.Enum):\n    A = 1\ne = E.A"),
    "path": ("from pathlib import Path\nbase = Path('.')", "x = (base / 'a.txt').read_text()"),
    "lru_cache of an earlier cell": (
        "import functools\n@functools.lru_cache\ndef f(a): return a + 1",
        "x = f(1)",
    ),
    "decorator": (
        "import functools",
        "def deco(f):\n    @functools.wraps(f)\n    def g(*a): return f(*a)\n    return g\n@deco\ndef h(a): return a\nx = h(1)",
    ),
    "logging": ("import logging\nlog = logging.getLogger('a')", "log.info('b')\nx = 1"),
    "time": ("", "import time\nstart = 1\nx = time.strftime('%Y', time.gmtime(0))"),
    "write a file": ("", "with open('out.txt', 'w') as file:\n    file.write('a')\nx = 1"),
    "deleted at the end": ("", "a = 1\nx = a\ndel a"),
    "f-strings": ("name = 'a'", "x = f'{name!r:>{5}}'"),
    "regex": ("import re\npattern = re.compile('a+')", "x = pattern.findall('aab')"),
    "datetime": ("import datetime as dt", "x = dt.date(2020, 1, 1) + dt.timedelta(days=1)"),
}


@pytest.mark.parametrize(("before", "cell"), SAME_KERNEL.values(), ids=SAME_KERNEL)
def test_ordinary_cell_hits_when_run_again(recycled, before, cell):
    """An ordinary cell run twice in one kernel is a hit the second time, and leaves what two runs leave."""
    wanted = recycled.uncached(before, cell, cell, files={"a.txt": "a"})
    found = recycled.run(before, f"%%cached\n{cell}", f"%%cached\n{cell}", files={"a.txt": "a"})
    assert plain(found.portrait) == plain(wanted.portrait), found
    assert found.kinds == ["miss", "hit"], found


def test_augmented_assignment_runs_each_time(kernel):
    """`k += 1` reads what it binds, so each run goes on from where the last one was."""
    kernel.run("k = 0")
    for count in (1, 2, 3):
        assert kernel.run("%%cached\nk += 1").kind == "miss"
        assert kernel.ask("k") == count
    kernel.run("k = 0")
    assert kernel.run("%%cached\nk += 1").kind == "hit"
    assert kernel.ask("k") == 1


def test_time_inside_a_cached_cell(story):
    """`%%time` under `%%cached`: the body is cached, and its names are known."""
    for kind in ("miss", "hit"):
        ran = story.run("k = 1", "%%cached\n%%time\nx = k + 1\nprint(x)")
        assert (ran.kind, ran.value("x"), ran[1].stdout.splitlines()[0]) == (kind, 2, "2")
    assert story.run("k = 2", "%%cached\n%%time\nx = k + 1\nprint(x)").value("x") == 3


def test_cached_inside_time(story):
    """`%%time` over `%%cached`: the cell below is cached."""
    for mark in ("●", "✓"):
        ran = story.run("k = 1", "%%time\n%%cached\nx = k + 1\nprint(x)")
        assert ran.value("x") == 2
        assert ran[1].status_line.startswith(mark)
    assert story.run("k = 2", "%%time\n%%cached\nx = k + 1").value("x") == 3


def test_cached_inside_capture(story):
    """`%%capture` over `%%cached` captures what is replayed, and not the status line, which is shown."""
    for _ in range(2):
        ran = story.run("k = 1", "%%capture out\n%%cached\nprint(k)\nx = k", "print(out.stdout)")
        assert ran[2].stdout == "1\n\n"
        assert (ran.value("x"), ran.value("len(out.outputs)")) == (1, 0)


@pytest.mark.parametrize("around", [("%%capture out\n", ""), ("", "%%capture out\n")])
def test_value_kept_by_capture(story, around):
    """A value that `%%capture` keeps is kept again, and shown where nothing keeps it, whichever came first."""
    for turn, magic in enumerate(around):
        ran = story.run("k = 1\nout = None", f"{magic}%%cached\nprint(k)\n[k]", "(_ == [k], len(Out))")
        assert ran[1].kind == ("hit" if turn else "miss")
        if magic:
            assert ran.value("[one.data['text/plain'] for one in out.outputs]") == ["[1]"]
            assert ran[1].value is None
        else:
            assert ran[1].value == {"text/plain": "[1]"}
        assert ran[2].value == {"text/plain": "(False, 0)" if magic else "(True, 1)"}


def test_capture_inside_cached(story):
    """`%%capture` under `%%cached` is right, cached or not."""
    for k in (1, 1, 2):
        ran = story.run(f"k = {k}", "%%cached\n%%capture out\nprint(k)\nx = k", "print(out.stdout)")
        assert ran[2].stdout == f"{k}\n\n"
        assert ran.value("x") == k


@pytest.mark.parametrize(
    "magic",
    [
        "%matplotlib inline",
        "%config InlineBackend.figure_format = 'png'",
        "%load_ext autoreload",
        "%timeit -n1 -r1 k",
        "%time y = k",
        "%who",
        "%pinfo k",
        "k?",
        "%xmode minimal",
        "%precision 3",
        "%alias_magic t time",
        "%env STORY=1",
        "%cd sub",
        "%pushd sub",
        "%run tools.py",
    ],
)
def test_line_magics_inside_a_cached_cell(story, magic):
    """A magic among the lines of a cached cell leaves what it leaves without us."""
    files = {"tools.py": "z = 5\n", "sub/a.txt": ""}
    wanted = story.uncached("k = 1", f"{magic}\nx = k + 1", files=files)
    for _ in range(2):
        ran = story.run("k = 1", f"%%cached\n{magic}\nx = k + 1", files=files)
        for question in ("x", "__import__('os').environ.get('STORY')", "__import__('os').path.basename(__import__('os').getcwd())",
                         "globals().get('z')", "globals().get('y')", "str(getattr(get_ipython().display_formatter.formatters['text/plain'], 'float_format', ''))"):  # fmt: skip
            assert ran.value(question) == wanted.value(question) or (
                "getcwd" in question and "cd" not in magic
            )


def test_line_form(story):
    """`%cached x = f(y)` is the same machine for one statement."""
    for kind in ("miss", "hit"):
        ran = story.run("k = 1\ndef f(a): return a + 1", "%cached x = f(k)")
        assert (ran.kind, ran.value("x")) == (kind, 2)
    assert story.run("k = 2\ndef f(a): return a + 1", "%cached x = f(k)").value("x") == 3


def test_line_form_in_a_loop(story):
    """Also inside a loop, where each round has its own key."""
    for k in (1, 1, 2):
        ran = story.run(f"k = {k}", "xs = []\nfor i in range(3):\n    %cached x = i * k\n    xs.append(x)")
        assert ran.value("xs") == [0, k, 2 * k]


OPTIONS = {
    "refresh": (["%%cached\nx = 1", "%%cached --refresh\nx = 1", "%%cached\nx = 1"], ["miss", "miss", "hit"]),
    "readonly": (
        ["%%cached --readonly\nx = 1", "%%cached\nx = 1", "%%cached --readonly\nx = 1"],
        ["bypass", "miss", "hit"],
    ),
    "off": (["%%cached\nx = 1", "%%cached --off\nx = 1"], ["miss", "bypass"]),
    "label": (["%%cached one\nx = 1", "%%cached two\nx = 1", "%%cached\nx = 1"], ["miss", "hit", "hit"]),
    "ttl": (
        ["%%cached\nx = 1", "%%cached --ttl 12h\nx = 1", "%%cached --ttl 0s\nx = 1"],
        ["miss", "hit", "miss"],
    ),
    "ignore": (
        [
            "k = 1",
            "%%cached --ignore k\nx = 1 if k else 0",
            "k = 2",
            "%%cached --ignore k\nx = 1 if k else 0",
        ],
        ["miss", "hit"],
    ),
    "ignore is part of the key": (
        ["k = 1", "%%cached --ignore k\nx = k", "k = 2", "%%cached\nx = k"],
        ["miss", "miss"],
    ),
    "depends": (
        [
            "k = [1]",
            "%%cached --depends len(k)\nx = 1",
            "k = [2]",
            "%%cached --depends len(k)\nx = 1",
            "k = []",
            "%%cached --depends len(k)\nx = 1",
        ],
        ["miss", "hit", "miss"],
    ),
    "drop": (
        ["%%cached --drop y\nx, y = 1, 2", "del x, y", "%%cached --drop y\nx, y = 1, 2", "'y' in globals()"],
        ["miss", "hit"],
    ),
    "drop of what cannot be stored": (
        [
            "%%cached --drop g\ng = (i for i in range(3))\nx = 1",
            "%%cached --drop g\ng = (i for i in range(3))\nx = 1",
        ],
        ["miss", "hit"],
    ),
    "drop is part of the key": (
        ["%%cached --drop y\nx, y = 1, 2", "del x, y", "%%cached\nx, y = 1, 2", "y"],
        ["miss", "miss"],
    ),
}


@pytest.mark.parametrize(("notebook", "kinds"), OPTIONS.values(), ids=OPTIONS)
def test_options(kernel, notebook, kinds):
    """Each option does what its line in the documentation says."""
    done = [kernel.run(cell) for cell in notebook]
    assert not any(cell.error for cell in done), done
    assert [cell.kind for cell in done if cell.kind] == kinds, done


def test_switched_off_by_the_environment(kernels):
    """LEAN_MAGIC_OFF runs every cell as if there were no cache."""
    kernel = kernels(environ={"LEAN_MAGIC_OFF": "1"})
    assert [kernel.run("%%cached\nx = 1").kind for _ in range(2)] == ["bypass", "bypass"]


FOLDERS = {
    "a file": "folder.write_text('')",
    "not ours alone": "folder.mkdir(); folder.chmod(0o777)",
    "below a file": "folder.write_text(''); folder = folder / 'deeper'",
}


@pytest.mark.parametrize("make", FOLDERS.values(), ids=FOLDERS)
def test_cache_folder_that_cannot_be_used(kernels, tmp_path, make):
    """With a folder that cannot be used the cells run, and one line says why."""
    scope = {"folder": tmp_path / "bad"}
    exec(make, scope)
    kernel = kernels(environ={"LEAN_MAGIC_CACHE_DIR": scope["folder"]})
    for _ in range(2):
        done = kernel.run("%%cached\nprint('a')\nx = 1")
        assert (done.stdout, done.error, done.kind) == ("a\n", "", "bypass")
        assert "lean_magic failed" not in done.reason
        assert str(scope["folder"]) in done.reason or "bad" in done.reason


def test_damaged_entry_is_a_miss(story, tmp_path):
    """A payload that was cut or changed is found out, and the cell runs."""
    cell = "%%cached\nx = list(range(1000))\nprint(x[3])"
    story.run(cell)
    payload = max(
        (path for path in (tmp_path / "cache").rglob("*") if path.is_file()),
        key=lambda path: path.stat().st_size,
    )
    content = payload.read_bytes()
    for damaged in (content[: len(content) // 2], content[:-200] + bytes(200), b""):
        payload.write_bytes(damaged)
        ran = story.run(cell)
        assert (ran[0].stdout, ran[0].error, ran.value("x[3]")) == ("3\n", "", 3)
        story.run(cell)


def test_unload_leaves_the_shell_as_it_was(kernel):
    """After `%unload_ext` the magic is gone and cells run as ever."""
    kernel._asks = False
    kernel.run("%unload_ext lean_magic")
    assert "cached" in kernel.run("%%cached\nx = 1").error + kernel.run("%%cached\nx = 1").stderr
    assert kernel.run("2").value == {"text/plain": "2"}
    kernel.run("%load_ext lean_magic")
    assert kernel.run("%%cached\nx = 1\nx").value == {"text/plain": "1"}


def test_loading_twice_changes_nothing(story):
    """`%load_ext` and `%reload_ext` a second time are harmless."""
    for kind in ("miss", "hit"):
        ran = story.run("%load_ext lean_magic", "%reload_ext lean_magic", "%%cached\nprint('a')\nx = 1")
        assert ran[2].stdout == "a\n"
        assert ran[2].status_line.startswith({"miss": "●", "hit": "✓"}[kind])


def test_replay_that_fails_is_taken_back(story, tmp_path):
    """Where an entry cannot be put back, the cell runs from what was there before, as if nothing had been tried."""
    target = tmp_path / "target"
    before = f"import os, random, sys, warnings\nrandom.seed(3)\nxs, box, target = [1], {{'a': {{1}}}}, {str(target)!r}"
    cell = (
        "%%cached\nxs.append(random.random()); box['a'].add(2); y = 5\nos.environ['STORY'] = '1'; sys.path.append('zz')\n"
        "open('log.txt', 'a').write('one ')\nwarnings.simplefilter('ignore')\nos.chdir(target)"
    )
    target.mkdir()
    assert story.run(before, cell, files={"log.txt": ""}).kind == "miss"
    target.rmdir()
    wanted = story.uncached(before, cell, files={"log.txt": ""})
    found = story.run(before, cell, files={"log.txt": ""})
    assert found.kind == ""
    looks = "[xs, sorted(box['a']), os.environ.get('STORY'), sys.path.count('zz'), len(warnings.filters), random.random()]"
    assert found.value(looks)[:4] == wanted.value(looks)[:4]
    assert found.value("y") == 5
    assert (story.work / "log.txt").read_text() == "one "


def test_reason_names_the_damage(story, tmp_path):
    """A damaged entry is a miss that says so."""
    cell = "%%cached\nimport numpy as np\nx = np.arange(100_000)"
    story.run(cell)
    (payload,) = (tmp_path / "cache").rglob("*.joblib")
    content = bytearray(payload.read_bytes())
    content[len(content) // 2] ^= 1
    payload.write_bytes(content)
    ran = story.run(cell)
    assert ran.kind == "miss"
    assert "damaged" in ran.reason


def test_config_magic_changes_settings(kernel):
    """`%config LeanMagic.…` sets what the configuration file sets, at once."""
    kernel.run("%config LeanMagic.off = True")
    assert "switched off" in kernel.run("%%cached\nx = 1").reason
    kernel.run("%config LeanMagic.off = False")
    assert kernel.run("%%cached\nx = 1").kind == "miss"
    kernel.run("%config LeanMagic.quiet = True")
    assert kernel.run("%%cached\nx = 1").status_line == ""


def test_budget_that_cannot_be_read(kernel):
    """A mistake in a setting fails no cell: it runs, and the line names the setting."""
    kernel.run("import os; os.environ['LEAN_MAGIC_MAX_SIZE'] = 'much'")
    done = kernel.run("%%cached\nx = 1\nx")
    assert (done.error, done.stderr, done.value) == ("", "", {"text/plain": "1"})
    assert done.kind == "bypass"
    assert "LEAN_MAGIC_MAX_SIZE: 'much' is not a size" in done.reason
    kernel.run("del os.environ['LEAN_MAGIC_MAX_SIZE']")
    assert kernel.run("%%cached\nx = 1\nx").kind == "miss"


def test_status_line_is_one_line(story):
    """Whatever differs, the line that tells stays one line."""
    before = "import pandas as pd\npd.DataFrame.peek = lambda self: (\n    {})"
    cell = "%%cached\nx = pd.DataFrame({'a': [1]}).peek()"
    story.run(before.format(1), cell)
    ran = story.run(before.format(2), cell)
    assert ran.kind == "miss"
    assert "\n" not in ran.reason
    story.run("def f(): return 1\ng = f", "%%cached\ny = f(), g()")
    ran = story.run("def f(): return 1\ng = lambda: 1", "%%cached\ny = f(), g()")
    assert ran.kind == "miss"
    assert "\n" not in ran.reason
