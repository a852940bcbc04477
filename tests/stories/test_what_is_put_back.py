"""Names, functions, classes and identity are after a hit what they are after a run."""

import pytest
from story_oracle import cells

# Each is a notebook; every cached cell of it must hit in a fresh kernel and leave the same names.
BINDS = {
    "assignments": "%%cached\na = b = 1\nc, (d, *e) = 2, (3, 4, 5)\nf: int = 6",
    "annotation without a value": "%%cached\na: int\nb = 1\n# %%\nprint(__annotations__)",
    "augmented": "a = 1\n# %%\n%%cached\na += 1",
    "deleted": "a, b = 1, 2\n# %%\n%%cached\ndel a\nc = b",
    "bound and deleted": "%%cached\na = 1\ndel a\nb = 2",
    "imports": "%%cached\nimport math\nimport os.path as p\nfrom json import dumps as d, loads\n# %%\nprint(d({}), loads('1'), math.pi)",
    "import of a submodule": "%%cached\nimport xml.dom.minidom\n# %%\nprint(xml.dom.minidom.parseString('<a/>').documentElement.tagName)",
    "star import": "%%cached\nfrom string import *\n# %%\nprint(digits)",
    "loops": "%%cached\nfor i in range(3):\n    j = i\nwhile j > 0:\n    j -= 1",
    "with": "%%cached\nimport contextlib\nwith contextlib.nullcontext(3) as a:\n    b = a",
    "walrus": "%%cached\nb = [y := 1, y + 1]\nif (n := len(b)) > 1:\n    pass",
    "walrus in a comprehension": "%%cached\nx = [last := i for i in range(3)]",
    "match": "%%cached\nmatch {'a': 1, 'b': [2, 3]}:\n    case {'a': a, 'b': [b, *c], **d}:\n        pass",
    "except as": "%%cached\ntry:\n    1 / 0\nexcept ZeroDivisionError as e:\n    x = str(e)",
    "global in a function": "%%cached\ndef f():\n    global a\n    a = 1\nf()",
    "globals()[...]": "%%cached\nglobals()['a'] = 1\nb = 2",
    "exec of a literal": "%%cached\nexec('a = 1\\nb = a + 1')",
    "type alias and generics": "%%cached\nimport typing\nT = typing.TypeVar('T')\nclass C(typing.Generic[T]): pass\nD = C[int]",
    "private names": "%%cached\n_a = 1\n__b = 2\n_ = 3\n# %%\nprint(_a, __b, _)",
    "names of builtins": "%%cached\nlist = [1]\nid = 2",
    "a module's attribute": "import types\nm = types.SimpleNamespace()\n# %%\n%%cached --off\nm.a = 1",
    "await": "%%cached\nimport asyncio\nawait asyncio.sleep(0)\nx = await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))",
    "async for": "%%cached\nasync def g():\n    yield 1\nxs = [x async for x in g()]\nasync for y in g():\n    z = y",
    "async with": "%%cached\nimport contextlib\n@contextlib.asynccontextmanager\nasync def c():\n    yield 1\nasync with c() as x:\n    pass",
    "time around the body": "%%cached\nx = 1\n# %%\ny = x",
}

DEFINES = {
    "a function on live globals": """
        k = 1
        # %%
        %%cached
        def f(): return k
        # %%
        k = 2
        print(f())
        """,
    "a function that binds a global": """
        %%cached
        def f():
            global n
            n = 5
        # %%
        f()
        print(n, f.__globals__ is globals())
        """,
    "a lambda": """
        %%cached
        f = lambda a, *b, c=1, **d: (a, b, c, d)
        # %%
        print(f(1, 2, c=3, e=4))
        """,
    "a closure with a shared variable": """
        %%cached
        def make():
            n = 0
            def up():
                nonlocal n
                n += 1
                return n
            def get(): return n
            return up, get
        up, get = make()
        up()
        # %%
        up()
        print(get())
        """,
    "functions that call one another": """
        %%cached
        def even(n): return n == 0 or odd(n - 1)
        def odd(n): return n != 0 and even(n - 1)
        # %%
        print(even(10))
        def odd(n): return 'replaced'
        # %%
        print(even(10))
        """,
    "decorated functions": """
        %%cached
        import functools
        def twice(f):
            @functools.wraps(f)
            def g(*args): return f(*args), f(*args)
            return g
        @twice
        def f(a):
            '''Doc of f.'''
            return a
        # %%
        print(f(1), f.__name__, f.__doc__, f.__wrapped__(2))
        """,
    "lru_cache": """
        %%cached
        import functools
        @functools.lru_cache(maxsize=None)
        def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
        x = fib(30)
        # %%
        print(fib(40), fib.cache_parameters())
        """,
    "partials": """
        %%cached
        import functools
        def add(a, b): return a + b
        f = functools.partial(add, 1)
        # %%
        print(f(2), f.func is add)
        """,
    "source of functions": """
        %%cached
        # a comment before
        def f(a):
            # a comment inside
            return a

        class C:
            def g(self):
                return 1  # one
        # %%
        import inspect
        print(inspect.getsource(f), inspect.getsource(C), inspect.getsource(C.g), inspect.getsourcelines(f)[1])
        """,
    "pickling": """
        %%cached
        def f(): return 1
        class C:
            a = 1
        c = C()
        c.b = 2
        # %%
        import pickle
        print(pickle.loads(pickle.dumps(f)) is f, pickle.loads(pickle.dumps(c)).b, pickle.loads(pickle.dumps(C)) is C)
        """,
    "an instance is of the bound class": """
        %%cached
        class C:
            def __init__(self): self.a = 1
        c = C()
        # %%
        print(isinstance(c, C), type(c) is C, C.__module__, C.__qualname__)
        """,
    "an instance of an earlier cell's class": """
        class C:
            def __init__(self, a): self.a = a
            def f(self): return self.a
        # %%
        %%cached
        c = C(1)
        cs = [C(2), C(3)]
        # %%
        print(type(c) is C, type(cs[0]) is C, c.f())
        C.f = lambda self: 'patched'
        print(c.f())
        """,
    "a class derived from an earlier cell's class": """
        class B:
            def f(self): return 1
        # %%
        %%cached
        class C(B):
            def f(self): return super().f() + 1
        c = C()
        # %%
        print(C.__mro__[1] is B, c.f(), B.__subclasses__() == [C])
        """,
    "properties, slots, class and static methods": """
        %%cached
        class C:
            __slots__ = ('a', '_b')
            kind = 'K'
            def __init__(self): self.a = 1
            @property
            def b(self): return getattr(self, '_b', 0)
            @b.setter
            def b(self, value): self._b = value
            @classmethod
            def make(cls): return cls()
            @staticmethod
            def two(): return 2
        c = C.make()
        c.b = 7
        # %%
        print(c.a, c.b, C.two(), hasattr(c, '__dict__'), C.make().a)
        """,
    "metaclass, abstract class, init_subclass": """
        %%cached
        import abc
        class M(type):
            def __getitem__(cls, key): return key
        class A(abc.ABC):
            @abc.abstractmethod
            def f(self): ...
        class B(metaclass=M):
            subs = []
            def __init_subclass__(cls, **options): B.subs.append(cls.__name__)
        class C(B): pass
        # %%
        print(C[3], B.subs, A.__abstractmethods__, type(C) is M)
        class D(B): pass
        # %%
        print(B.subs)
        """,
    "dataclasses": """
        %%cached
        import dataclasses
        @dataclasses.dataclass(frozen=True, order=True)
        class P:
            x: int
            y: list = dataclasses.field(default_factory=list)
        p = P(1)
        # %%
        print(p, P(1) == p, dataclasses.replace(p, x=2), dataclasses.fields(P)[1].name, p < P(2))
        """,
    "enumerations": """
        %%cached
        import enum
        class E(enum.Enum):
            A = 1
            B = 2
        class F(enum.Flag):
            X = enum.auto()
            Y = enum.auto()
        e = E.B
        # %%
        print(e is E.B, E(1), list(E), F.X | F.Y, E['A'] is E.A)
        """,
    "named tuples": """
        %%cached
        import collections, typing
        T = collections.namedtuple('T', 'a b', defaults=[2])
        class U(typing.NamedTuple):
            a: int = 1
        t, u = T(1), U()
        # %%
        print(t, type(t) is T, u, type(u) is U, t._replace(a=5))
        """,
    "exceptions": """
        %%cached
        class E(ValueError):
            def __init__(self, code): super().__init__(f'code {code}'); self.code = code
        e = E(3)
        # %%
        print(repr(e), e.code, isinstance(e, E))
        """,
    "nested classes": """
        %%cached
        class A:
            class B:
                def f(self): return A.B
        b = A.B()
        # %%
        print(b.f() is A.B, type(b) is A.B, A.B.__qualname__)
        """,
    "a class that names itself": """
        %%cached
        class Node:
            def __init__(self): self.next = None
            def make(self): return Node()
        n = Node()
        n.next = n
        # %%
        print(n.next is n, type(n.make()) is Node)
        """,
    "generics and protocols": """
        %%cached
        import typing
        T = typing.TypeVar('T')
        class Box(typing.Generic[T]):
            def __init__(self, a: T): self.a = a
        @typing.runtime_checkable
        class HasA(typing.Protocol):
            a: int
        class D(typing.TypedDict):
            a: int
        b = Box[int](1)
        # %%
        print(isinstance(b, HasA), typing.get_type_hints(D), type(b) is Box, Box[int])
        """,
    "single dispatch": """
        %%cached
        import functools
        @functools.singledispatch
        def f(a): return 'any'
        @f.register
        def _(a: int): return 'int'
        # %%
        print(f(1), f('a'))
        @f.register
        def _(a: str): return 'str'
        print(f('a'))
        """,
    "a generator function and a coroutine function": """
        %%cached
        def g():
            yield 1
        async def c(): return 2
        # %%
        print(list(g()), await c())
        """,
    "a function redefined over an earlier one": """
        def f(): return 1
        g = f
        # %%
        %%cached
        def f(): return g() + 1
        # %%
        print(f(), g())
        """,
    "a class redefined over an earlier one": """
        class C: pass
        old = C()
        # %%
        %%cached
        class C: pass
        new = C()
        # %%
        print(isinstance(old, C), isinstance(new, C))
        """,
}

IDENTITY = {
    "two names": "%%cached\na = [1]\nb = a\n# %%\nb.append(2)\nprint(a)",
    "inside containers": "%%cached\na = [1]\nb = {'a': a, 'c': (a,)}\n# %%\na.append(2)\nprint(b)",
    "a cycle": "%%cached\na = []\na.append(a)\n# %%\nprint(a[0] is a)",
    "an object made before": "a = [1]\n# %%\n%%cached\nb = a\nc = {'x': a}\n# %%\na.append(2)\nprint(b is a, c)",
    "an element of an object made before": "a = {'x': [1]}\n# %%\n%%cached\nb = a['x']\n# %%\na['x'].append(2)\nprint(b)",
    "an object of another name made before": "a = [1]\nkeep = {'a': a}\n# %%\n%%cached\nb = keep['a']\n# %%\nprint(b is a)",
    "a value in Out": "[1]\n# %%\n%%cached\nx = Out[1]\n# %%\nprint(x is Out[1])",
    "a bound method": "class C:\n    def f(self): return self\nc = C()\n# %%\n%%cached\ng = c.f\n# %%\nprint(g() is c)",
    "a module": "%%cached\nimport math as m\nx = [m]\n# %%\nimport math\nprint(m is math, x[0] is math)",
    "constants": "%%cached\na = None, True, Ellipsis, NotImplemented, int, len\n# %%\nprint([x is y for x, y in zip(a, (None, True, ..., NotImplemented, int, len))])",
    "two cached cells": "%%cached\na = [1]\n# %%\n%%cached\nb = a\nc = [a]\n# %%\nprint(a is b, c[0] is a)",
    "a function's default": "xs = []\n# %%\n%%cached\ndef f(a, into=xs):\n    return into\n# %%\nprint(f(1) is xs)",
    "a closure's variable": "xs = []\n# %%\n%%cached\ndef make(): \n    ys = xs\n    return lambda: ys\nf = make()\n# %%\nprint(f() is xs)",
}

LIBRARIES = {
    "arrays": "%%cached\na = np.arange(6).reshape(2, 3)\nb = a.astype('float32')\nc = np.array(['a', None], dtype=object)\nd = np.array(5)",
    "array order and flags": "%%cached\na = np.asfortranarray(np.ones((2, 3)))\nb = np.ones(3)\nb.flags.writeable = False\nc = np.zeros((0, 3))",
    "views of one buffer": "%%cached\na = np.arange(100000)\nb = a[10:20]\nc = a.reshape(100, 1000)\n# %%\nb[0] = -1\nprint(a[10], c[0, 10])",
    "small views of one buffer": "%%cached\na = np.arange(10)\nb = a[2:5]\n# %%\nb[0] = -1\nprint(a)",
    "a view of an array made before": "a = np.arange(10)\n# %%\n%%cached\nb = a[2:5]\n# %%\nb[0] = -1\nprint(a)",
    "arrays can be written": "%%cached\na = np.ones(100000)\n# %%\na += 1\na.sort()\na.resize(10)\nprint(a)",
    "structured, dates and masked": "%%cached\na = np.array([(1, 'x')], dtype=[('n', 'i4'), ('s', 'U3')])\nb = np.array(['2020-01-01'], 'M8[D]')\nc = np.ma.masked_array([1, 2], [0, 1])",
    "numbers of numpy": "%%cached\na = np.float32(1.5), np.int8(3), np.bool_(True)",
    "tables": "%%cached\nd = pd.DataFrame({'a': [1, 2], 'b': ['x', None], 'c': pd.Categorical(['u', 'v'])}, index=['i', 'j'])\ns = d['a']\nd.attrs['k'] = 1",
    "a table that is changed afterwards": "%%cached\nd = pd.DataFrame({'a': [1, 2], 'b': [1., 2.]})\n# %%\nd.loc[0, 'a'] = 9\nd['c'] = 1\nprint(d)",
    "tensors": "%%cached\na = torch.arange(6).reshape(2, 3).T\nb = torch.ones(3, dtype=torch.bfloat16)\nc = torch.ones(2, requires_grad=True)",
    "tensors that share memory": "%%cached\na = torch.zeros(100000)\nb = a[5:10]\n# %%\nb += 1\nprint(a[4:11])",
    "a tensor and an array that share memory": "%%cached\na = np.zeros(10)\nb = torch.from_numpy(a)\n# %%\nb += 1\nprint(a)",
    "a module": "%%cached\nm = torch.nn.Linear(2, 2)\nwith torch.no_grad():\n    m.weight.fill_(1)\n    m.bias.fill_(0)\nm.eval();\n# %%\nprint(m(torch.ones(1, 2)), m.training)",
    "a module with shared parameters": "%%cached\na, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)\nb.weight = a.weight\nfor p in [*a.parameters(), b.bias]:\n    torch.nn.init.zeros_(p)\n# %%\nprint(b.weight is a.weight)",
    "gradients": "%%cached\nw = torch.ones(2, requires_grad=True)\n(w * 3).sum().backward()\n# %%\nprint(w.grad)",
    "a module of the user's class": "class N(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.p = torch.nn.Parameter(torch.ones(2))\n    def forward(self, x): return x * self.p\n# %%\n%%cached\nn = N()\ny = n(torch.ones(2)).detach()\n# %%\nprint(type(n) is N, n(y))",
}


@pytest.mark.parametrize("notebook", BINDS.values(), ids=BINDS)
def test_every_form_of_binding(story, notebook):
    """Names bound, rebound and deleted, in whichever way, are after a hit as after a run."""
    notebook = cells(notebook)
    story.replays(*notebook, kinds=["bypass"] if "--off" in str(notebook) else None)


@pytest.mark.parametrize("notebook", DEFINES.values(), ids=DEFINES)
def test_functions_and_classes_live(story, notebook):
    """Functions and classes of a replayed cell cannot be told from those of a cell that ran."""
    story.replays(*cells(notebook))


@pytest.mark.parametrize("notebook", IDENTITY.values(), ids=IDENTITY)
def test_one_object_stays_one(story, notebook):
    """What was one object after the run is one object after the hit."""
    story.replays(*cells(notebook))


@pytest.mark.parametrize("notebook", LIBRARIES.values(), ids=LIBRARIES)
def test_arrays_tables_and_tensors(loaded_story, notebook):
    """Arrays, tables, tensors and modules come back with all their properties."""
    loaded_story.replays("import numpy as np, pandas as pd, torch", *cells(notebook))


LEFT_OVER = {
    "a closed file": "%%cached\nwith open('a.txt') as file:\n    x = file.read()\n# %%\nprint(file.closed, file.name, file.mode)",
    "a closed text in memory": "%%cached\nimport io\nwith io.StringIO('a') as file:\n    x = file.read()\n# %%\nprint(file.closed)",
    "an exhausted iterator": "%%cached\nit = iter([1, 2])\nx = list(it)\n# %%\nprint(list(it))",
    "an exhausted generator": "%%cached\ng = (i for i in range(3))\nx = list(g)\n# %%\nprint(list(g))",
    "a half used iterator": "%%cached\nit = iter([1, 2, 3])\nx = next(it)\n# %%\nprint(list(it))",
    "a half used range, zip, map and enumerate": "%%cached\na, b, c, d = iter(range(3)), zip('ab', 'cd'), map(abs, [1, -2]), enumerate('ab')\nx = [next(i) for i in (a, b, c, d)]\n# %%\nprint(list(a), list(b), list(c), list(d))",
    "a cycle made before": "from itertools import cycle\nc, d = cycle('ab'), cycle([1, 2, 3])\nx = next(d)\n# %%\n%%cached\nx = list(zip(range(3), c)), next(d)\n# %%\nprint(x, next(c), next(c), next(d), next(d))",
    "a finished pool": "%%cached\nfrom concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as pool:\n    future = pool.submit(abs, -1)\n    x = list(pool.map(abs, [-1, -2]))\n# %%\nprint(x, future.done(), future.result())\ndel pool, future",
    "a csv reader": "%%cached\nimport csv\nwith open('a.txt') as file:\n    rows = list(csv.reader(file))\n# %%\nprint(rows)",
    "a file that is open": "%%cached\nfile = open('a.txt')\nx = file.readline()\n# %%\nprint(file.read())",
    "a compiled pattern and a match": "%%cached\nimport re\np = re.compile('a(b)')\nm = p.match('ab')\nx = m.group(1)\n# %%\nprint(x, p.match('ab').group())",
    "a lock": "%%cached\nimport threading\nlock = threading.Lock()\nx = lock.locked()\n# %%\nwith lock:\n    print(x)",
    "a logger": "%%cached\nimport logging\nlog = logging.getLogger('story')\nx = log.name\n# %%\nprint(log is logging.getLogger('story'), log.level)\ndel log",
    "a started and joined thread": "%%cached\nimport threading\nt = threading.Thread(target=abs, args=(1,))\nt.start()\nt.join()\nx = 1\n# %%\nprint(t.is_alive())\ndel t",
    "a weak reference": "%%cached\nimport weakref\nclass C: pass\nc = C()\nr = weakref.ref(c)\n# %%\nprint(r() is c)",
    "a finished task": "%%cached\nimport asyncio\nt = asyncio.create_task(asyncio.sleep(0, 5))\nx = await t\n# %%\nprint(t.done(), t.result())\ndel t",
    "a caught exception": "%%cached\ntry:\n    1 / 0\nexcept ZeroDivisionError as e:\n    kept = e\n# %%\nprint(repr(kept), kept.__traceback__ is not None)",
}


@pytest.mark.parametrize("notebook", LEFT_OVER.values(), ids=LEFT_OVER)
def test_leftovers(story, notebook):
    """What is left over after a cell is right in the cells after it, whether the cell hits or just runs."""
    story.stays_right(*cells(notebook), files={"a.txt": "one\ntwo\n"})


@pytest.mark.parametrize("name", ["a closed file", "a closed text in memory", "an exhausted iterator", "an exhausted generator",
                                  "a finished pool", "a csv reader", "a half used iterator", "a cycle made before", "a lock", "a logger",
                                  "a weak reference", "a file that is open"])  # fmt: skip
def test_leftovers_that_are_over_hit(story, name):
    """Closed files, exhausted iterators and the like do not stand in the way of a hit."""
    notebook = cells(LEFT_OVER[name])
    for kind in ("miss", "hit"):
        ran = story.run(*notebook, files={"a.txt": "one\ntwo\n"})
        assert ran.kinds == [kind], ran
