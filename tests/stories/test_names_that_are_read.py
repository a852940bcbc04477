"""A cell runs when something it reads has other content, and only then."""

import pytest
from story_oracle import cells, shown

# In each notebook OLD stands for a value that changes from 10 to 20.
READ = {
    "a variable": """
        k = OLD
        # %%
        %%cached
        x = k + 1
        """,
    "a variable read in a function": """
        def f(): return k + 1
        k = OLD
        # %%
        %%cached
        x = f()
        """,
    "a variable read three functions deep": """
        def f(): return k + 1
        def g(): return f()
        def h(): return g()
        k = OLD
        # %%
        %%cached
        x = h()
        """,
    "a variable read in a method": """
        class C:
            def f(self): return k
        k = OLD
        # %%
        %%cached
        x = C().f()
        """,
    "a name in a query, beside a long list of texts": """
        import pandas as pd
        texts = [f"text {i}" for i in range(50_000)]
        t = pd.DataFrame({"a": [5, 15, 25]})
        words = "a > @k"
        k = OLD
        # %%
        %%cached
        n = len(texts)
        print(t.query(words)["a"].tolist())
        """,
    "a name in a long query": """
        import pandas as pd
        t = pd.DataFrame({"a": [5, 15, 25]})
        words = "a > @k" + " " * 3000
        k = OLD
        # %%
        %%cached
        print(t.query(words)["a"].tolist())
        """,
    "a variable read in a lambda of the cell": """
        k = OLD
        # %%
        %%cached
        x = (lambda: k)()
        """,
    "a variable read in a comprehension": """
        k = OLD
        # %%
        %%cached
        x = [a * k for a in range(3) if a < k]
        """,
    "a variable read in an f-string": """
        k = OLD
        # %%
        %%cached
        x = f"{k:>{k}}"
        """,
    "a variable used as a default in the cell": """
        k = OLD
        # %%
        %%cached
        def f(a=k): return a
        x = f()
        """,
    "a variable used as an annotation": """
        k = OLD
        # %%
        %%cached
        def f(a: k): return a
        x = f.__annotations__["a"]
        """,
    "a variable read in a class body": """
        k = OLD
        # %%
        %%cached
        class C:
            a = k
        x = C.a
        """,
    "a variable a class body reads and binds": """
        k = OLD
        # %%
        %%cached
        class C:
            k = k + 1
        x = C.k
        """,
    "a variable augmented in the cell": """
        k = OLD
        # %%
        %%cached
        k += 1
        """,
    "a variable read before it is bound": """
        k = OLD
        # %%
        %%cached
        x = k
        k = 0
        """,
    "a variable bound on one branch": """
        k, go = OLD, False
        # %%
        %%cached
        if go:
            k = 0
        x = k
        """,
    "a variable bound by a loop without rounds": """
        k, rounds = OLD, []
        # %%
        %%cached
        for k in rounds:
            pass
        x = k
        """,
    "a variable bound where an exception came first": """
        k = OLD
        # %%
        %%cached
        try:
            int("a")
            k = 0
        except ValueError:
            pass
        x = k
        """,
    "a variable bound in a with that swallows": """
        import contextlib
        k = OLD
        # %%
        %%cached
        with contextlib.suppress(ValueError):
            int("a")
            k = 0
        x = k
        """,
    "a variable bound in a match that does not": """
        k, subject = OLD, 1
        # %%
        %%cached
        match subject:
            case [k]:
                pass
        x = k
        """,
    "a variable bound by a walrus that is skipped": """
        k, go = OLD, False
        # %%
        %%cached
        go and (k := 0)
        x = k
        """,
    "a variable bound by a function that is not called": """
        k = OLD
        # %%
        %%cached
        def f():
            global k
            k = 0
        x = k
        """,
    "a variable in the iterable of a comprehension of the same name": """
        k = OLD
        # %%
        %%cached
        x = [k for k in range(k)]
        """,
    "a variable shadowed by a parameter elsewhere": """
        k = OLD
        # %%
        %%cached
        def f(k): return k
        x = f(1) + k
        """,
    "a variable deleted in the cell": """
        k = OLD
        # %%
        %%cached
        x = k
        del k
        """,
    "a variable unpacked": """
        ks = [1, OLD]
        # %%
        %%cached
        x, *y = ks
        """,
    "an element deep inside": """
        k = {"a": [1, (2, {"b": OLD})]}
        # %%
        %%cached
        x = k["a"][1][1]["b"]
        """,
    "an attribute of an object": """
        import types
        k = types.SimpleNamespace(a=OLD)
        # %%
        %%cached
        x = k.a
        """,
    "a slot of an object": """
        class C:
            __slots__ = ("a",)
        k = C()
        k.a = OLD
        # %%
        %%cached
        x = k.a
        """,
    "a private attribute of an object": """
        class C:
            def __init__(self): self.__a = OLD
            def f(self): return self.__a
        k = C()
        # %%
        %%cached
        x = k.f()
        """,
    "an attribute of a list's subclass": """
        class L(list): pass
        k = L()
        k.a = OLD
        # %%
        %%cached
        x = k.a
        """,
    "an object that reduces itself": """
        class C:
            def __init__(self): self.a = OLD
            def __getstate__(self): return {"a": self.a}
        k = C()
        # %%
        %%cached
        x = k.a
        """,
    "a keyword argument": """
        options = {"start": OLD}
        # %%
        %%cached
        x = sum([1], **options)
        """,
    "a deque": """
        import collections
        k = collections.deque([OLD])
        # %%
        %%cached
        x = k[0]
        """,
    "a default dict's factory": """
        import collections
        k = collections.defaultdict(lambda: OLD)
        # %%
        %%cached
        x = k.copy()["a"]
        """,
    "a counter": """
        import collections
        k = collections.Counter({"a": OLD})
        # %%
        %%cached
        x = k["a"]
        """,
    "a chained map": """
        import collections
        k = collections.ChainMap({}, {"a": OLD})
        # %%
        %%cached
        x = k["a"]
        """,
    "a date": """
        import datetime
        k = datetime.date(2020, 1, OLD)
        # %%
        %%cached
        x = k.day
        """,
    "the last value": """
        OLD
        # %%
        %%cached
        x = _ + 1
        """,
    "an older value": """
        OLD
        # %%
        %%cached
        x = Out[1] + 1
        """,
    "a name taken by exec of a literal": """
        k = OLD
        # %%
        %%cached
        exec("x = k + 1")
        """,
    "a name taken by eval of a literal": """
        k = OLD
        # %%
        %%cached
        x = eval("k + 1")
        """,
    "a name taken by eval of a variable": """
        k, text = OLD, "k + 1"
        # %%
        %%cached
        x = eval(text)
        """,
    "a name taken from globals": """
        k = OLD
        # %%
        %%cached
        x = globals()["k"] + 1
        """,
    "a name taken from globals in a function": """
        k = OLD
        def f(name="k"): return globals()["k"] + 1
        # %%
        %%cached
        x = f()
        """,
    "an environment variable": """
        import os
        os.environ["STORY"] = "OLD"
        # %%
        %%cached
        x = os.environ["STORY"]
        """,
    "an environment variable read by getenv": """
        import os
        os.environ["STORY"] = "OLD"
        # %%
        %%cached
        x = os.getenv("STORY")
        """,
    "an environment variable read in a function": """
        import os
        os.environ["STORY"] = "OLD"
        def f(name): return os.environ.get(name, "")
        # %%
        %%cached
        x = f("STORY")
        """,
    "an environment variable whose name is in a variable": """
        import os
        os.environ["STORY"] = "OLD"
        name = "STORY"
        # %%
        %%cached
        x = os.environ[name]
        """,
    "an environment variable read through os.environ's alias": """
        from os import environ as e
        e["STORY"] = "OLD"
        # %%
        %%cached
        x = e["STORY"]
        """,
    "--depends": """
        k = OLD
        # %%
        %%cached --depends k*2
        x = 1
        """,
}

# before and after of a first cell, then a cell; the cell must run.
OTHER_CONTENT = {
    "integer and float": ("k = 1", "k = 1.0", "x = type(k).__name__"),
    "integer and bool": ("k = 1", "k = True", "x = type(k).__name__"),
    "integer and float in a list": ("k = [1, 2]", "k = [1, 2.0]", "x = repr(k)"),
    "integer and bool in a dict": ("k = {'a': 1}", "k = {'a': True}", "x = repr(k)"),
    "key of integer and bool": ("k = {1: 1}", "k = {True: 1}", "x = repr(k)"),
    "sign of zero": ("k = 0.0", "k = -0.0", "x = str(k)"),
    "sign of zero in a complex": ("k = complex(0.0, 0.0)", "k = complex(0.0, -0.0)", "x = str(k)"),
    "order of dict keys": ("k = {'a': 1, 'b': 2}", "k = {'b': 2, 'a': 1}", "x = list(k)"),
    "text and bytes": ("k = 'a'", "k = b'a'", "x = len(k)"),
    "tuple and list": ("k = (1,)", "k = [1]", "x = type(k).__name__"),
    "tuple and named tuple": (
        "import collections\nT = collections.namedtuple('T', 'a')\nk = (1,)",
        "import collections\nT = collections.namedtuple('T', 'a')\nk = T(1)",
        "x = type(k).__name__",
    ),
    "set and frozenset": ("k = {1}", "k = frozenset({1})", "x = type(k).__name__"),
    "dict and ordered dict": (
        "k = {}",
        "import collections\nk = collections.OrderedDict()",
        "x = type(k).__name__",
    ),
    "decimal places": (
        "import decimal\nk = decimal.Decimal('1.0')",
        "import decimal\nk = decimal.Decimal('1.00')",
        "x = str(k)",
    ),
    "time zone of a time": (
        "import datetime\nk = datetime.datetime(2020, 1, 1)",
        "import datetime\nk = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)",
        "x = k.isoformat()",
    ),
    "one object or two": ("a = []\nk = [a, a]", "k = [[], []]", "x = len({id(item) for item in k})"),
    "one object or two, across names": ("a = []\nb = a", "a = []\nb = []", "x = a is b"),
    "text and path": ("k = 'a'", "import pathlib\nk = pathlib.Path('a')", "x = type(k).__name__"),
    "surrogates": ("k = '\\ud800'", "k = '\\ud801'", "x = ascii(k)"),
    "lengths of texts": ("k = ['ab', 'c']", "k = ['a', 'bc']", "x = k[0]"),
    "maxlen of a deque": (
        "import collections\nk = collections.deque([1], maxlen=1)",
        "import collections\nk = collections.deque([1], maxlen=2)",
        "x = k.maxlen",
    ),
    "class of the same shape": (
        "class A: pass\nclass B: pass\nk = A()",
        "class A: pass\nclass B: pass\nk = B()",
        "x = type(k).__name__",
    ),
    "bound and unbound": ("k = 1", "", "try:\n    x = k\nexcept NameError:\n    x = None"),
}

SAME_CONTENT = {
    "order of a set": ("k = {'a', 'b', 'c', 'd'}", "k = {'d', 'c', 'b', 'a'}", "x = sorted(k)"),
    "set under another hash seed": (
        "k = {'alpha', 'beta', 'gamma'}",
        "k = {'alpha', 'beta', 'gamma'}",
        "x = len(k)",
    ),
    "frozenset inside a dict": ("k = {frozenset('abc'): 1}", "k = {frozenset('cba'): 1}", "x = len(k)"),
    "equal texts that are two objects": (
        "a = 'a b'\nk = [a, a]",
        "k = ['a b', ''.join(['a', ' b'])]",
        "x = len(k)",
    ),
    "interned and other integers": ("k = [1000, 1000]", "k = [int('1000'), int('1000')]", "x = sum(k)"),
    "how a value was made": ("k = [1, 2, 3]", "k = list(range(1, 4))", "x = sum(k)"),
    "capacity of a list": ("k = [1]", "k = [1, 2]\nk.pop();", "x = len(k)"),
    "dict that had other keys": ("k = {'a': 1}", "k = {'b': 2, 'a': 1}\ndel k['b']", "x = len(k)"),
    "NaN": ("k = float('nan')", "k = float('inf') - float('inf')\nk = abs(k)", "x = k != k"),
    "unread variable": ("k = 1\nother = 1", "k = 1\nother = 2", "x = k"),
    "variable bound before it is read": ("k = 1", "k = 2", "k = 3\nx = k"),
    "variable of a loop": ("k = 1", "k = 2", "x = 0\nfor k in range(3):\n    x += k"),
    "variable of a comprehension": ("k = 1", "k = 2", "x = [k for k in range(3)]"),
    "variable of a with": ("k = 1", "k = 2", "import io\nwith io.StringIO('a') as k:\n    x = k.read()"),
    "parameter": ("k = 1", "k = 2", "def f(k): return k\nx = f(3)"),
    "attribute of the same name": ("k = 1", "k = 2", "import math\nx = math.pi.real"),
    "keyword of the same name": ("k = 1", "k = 2", "x = dict(k=3)"),
    "what an object has": ("k = 1", "k = 2", "x = [name for name in dir('') if not name.startswith('k')]"),
    "what a module holds": (
        "import math\nk = 1",
        "import math\nk = 2",
        "x = [name for name in vars(math) if name != 'k']",
    ),
    "text with the name in it": ("k = 1", "k = 2", "x = 'k'"),
    "variable bound on both branches": (
        "k, go = 1, True",
        "k, go = 2, True",
        "if go:\n    k = 3\nelse:\n    k = 4\nx = k",
    ),
    "variable of an import": ("math = 1", "math = 2", "import math\nx = math.floor(1.5)"),
    "variable only deleted": ("k = 1", "k = 2", "k = 0\ndel k\nx = 1"),
    "ignored variable": ("k = 1", "k = 2", "x = 1 if k else 0"),
    "a name bound after a function that reads it": ("k = 1", "k = 2", "def f(): return k\nk = 3\nx = f()"),
}


@pytest.mark.parametrize("notebook", READ.values(), ids=READ)
def test_what_a_cell_reads_counts(recycled, notebook):
    """A cell runs when what it reads changes, and hits when it is as it was."""
    before, after = (cells(notebook.replace("OLD", value)) for value in ("10", "20"))
    recycled.changes(before, after, "miss")


@pytest.mark.parametrize(("before", "after", "cell"), OTHER_CONTENT.values(), ids=OTHER_CONTENT)
def test_other_content_runs(recycled, before, after, cell):
    """Values that code can tell apart are different values."""
    recycled.changes([before, f"%%cached\n{cell}"], [after, f"%%cached\n{cell}"], "miss", back=False)


@pytest.mark.parametrize(("before", "after", "cell"), SAME_CONTENT.values(), ids=SAME_CONTENT)
def test_same_content_hits(recycled, before, after, cell):
    """What code cannot tell apart, or does not read, is no reason to run."""
    options = "--ignore k" if "if k else" in cell else ""
    recycled.changes([before, f"%%cached {options}\n{cell}"], [after, f"%%cached {options}\n{cell}"], "hit")


def test_reason_names_the_variable(story):
    """The line under the cell shows which variable changed, from what to what."""
    cell = "%%cached\nx = [chunk]"
    story.run("chunk = 256", cell)
    assert story.run("chunk = 512", cell).reason == "`chunk`: 256 → 512"


def test_reason_names_a_variable_read_in_a_function(story):
    """Also where only a function reads it."""
    cell = "%%cached\nx = f()"
    story.run("def f(): return chunk\nchunk = 256", cell)
    assert story.run("def f(): return chunk\nchunk = 512", cell).reason == "`chunk`: 256 → 512"


# Cells that give what `k` stands for, by ways that a reader of the text cannot follow.
COMPUTED = [
    "x = eval('k' * n)",
    "name = 'k' * n\nx = globals()[name]",
    "exec(open('more.py').read())",
    "x = '{k}'.format_map(globals())",
    "x = '{k}'.format(**vars())",
    "x = [globals()[name] for name in sorted(globals()) if name == 'k'][0]",
    "x = 1 if 'k' in globals() else 2",
    "import sys\nx = getattr(sys.modules['__main__'], 'k' * n)",
    "import sys\nx = sys.modules['__main__'].k",
    "import __main__\nx = __main__.k",
    "import __main__ as main\nx = vars(main)['k']",
    "from __main__ import k as x",
    "x = __import__('__main__').k",
    "import importlib\nx = importlib.import_module('__main__').k",
    "import sys\nx = sys._getframe().f_globals['k' * n]",
    "import inspect\nx = inspect.currentframe().f_globals['k' * n]",
    "import builtins\nx = builtins.eval('k' * n)",
    "look = eval\nx = look('k' * n)",
    "x = list(map(eval, ['k' * n]))[0]",
    "x = (lambda: 0).__globals__['k' * n]",
    "def f(): return 0\nx = f.__globals__['k']",
    "x = get_ipython().user_ns['k']",
    "x = get_ipython().ev('k')",
    "x = In and globals().get('k')",
    "import operator\nx = operator.itemgetter('k')(globals())",
    "exec('x = ' + 'k' * n)",
    "exec(compile('x = k', 'text', 'exec'))",
    "def f():\n    return eval('k')\nx = f()",
    "import pickle\nx = pickle.loads(b'c__main__\\nk\\n.')",
    "import timeit\nout = []\ntimeit.timeit('out.append(k)', globals=globals(), number=1)\nx = out[0]",
    "import string\nx = int(string.Template('$k').substitute(globals()))",
]


@pytest.mark.parametrize("cell", COMPUTED)
def test_computed_names_never_hit_wrongly(recycled, cell):
    """Where a name is computed, another value of what it stands for is seen, or the cell just runs."""
    for k in (1, 2, None):
        before = f"k, n = {k}, 1" if k else "n = 1"
        wanted = recycled.uncached(before, cell, files={"more.py": "x = k"})
        found = recycled.run(before, f"%%cached\n{cell}", files={"more.py": "x = k"})
        assert (found.portrait.get("x"), shown(found[-1])) == (wanted.portrait.get("x"), shown(wanted[-1])), (
            found
        )
