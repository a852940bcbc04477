"""Notebooks that generated programs found: each once came back different, or missed without need."""

import pytest
from story_oracle import cells

FILES = {"helper.py": "STATE = []\nLIMIT = 3\n"}

RIGHT = {
    "a class attribute equal to the base's": """
        class C:
            n = 5
            def go(self): return 1
        # %%
        %%cached
        class K(C):
            n = 5
            go = C.go
        # %%
        C.n = 9
        C.go = None
        print(K.n, K.go(1), sorted(vars(K)))
        """,
    "a view of an array": """
        import numpy as np
        # %%
        %%cached
        x = memoryview(np.arange(3))
        # %%
        print(type(x), x.format, x.shape, bytes(x))
        """,
    "flags of the decimal context": """
        import decimal
        # %%
        %%cached
        s = str(decimal.Decimal(1) / 3)
        # %%
        print(decimal.getcontext().flags[decimal.Inexact])
        """,
    "traps of the decimal context": """
        import decimal
        # %%
        %%cached
        decimal.getcontext().traps[decimal.Inexact] = True
        # %%
        print(decimal.getcontext().traps[decimal.Inexact])
        """,
    "the identity of a bound method": """
        class C:
            def go(self): return 1
        p = C(); h = p.go
        # %%
        %%cached
        fs = [h, 1]
        # %%
        print(fs[0] is h)
        """,
    "a class as the last value": """
        1
        # %%
        %%cached
        class C: pass
        C
        # %%
        print(C.__name__, _ is C)
        """,
    "the traceback of a caught exception": """
        %%cached
        import json, traceback
        def f(text): return json.loads(text)
        try:
            f('{')
        except ValueError as error:
            try:
                raise KeyError('late') from error
            except KeyError as late:
                kept = late
        # %%
        lines = traceback.format_exception(kept)
        print(''.join(line for line in lines if 'ipykernel' not in line))
        print(kept.__cause__.__traceback__.tb_lineno, kept.__cause__.doc)
        """,
    "a pool and futures that are over": """
        %%cached
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.submit(abs, -1), pool.submit(int, 'x')
        # %%
        print(one.result(), type(other.exception()), pool._shutdown)
        del pool, one, other
        """,
    "a class that an object changes to": """
        class A:
            def go(self): return "a"
        class B:
            def go(self): return "b"
        o = A(); p = o
        # %%
        %%cached
        o.__class__ = B
        # %%
        print(o.go(), type(p) is B)
        """,
    "attributes that the reduced form leaves out": """
        class R:
            def __init__(self, v): self.v = v; self.extra = None
            def __reduce__(self): return (R, (self.v,))
        # %%
        %%cached
        a = R(1)
        a.extra = [a.v]
        # %%
        print(a.extra)
        """,
    "attributes that the state leaves out": """
        class S:
            __slots__ = ("__dict__", "slot")
            def __init__(self): self.keep, self.drop, self.slot = [1], [2], {3}
            def __getstate__(self): return {"keep": self.keep}
            def __setstate__(self, state): self.__dict__.update(state); self.drop = "restored"
        s = S()
        # %%
        %%cached
        s.keep.append(3)
        s.drop.append(4)
        s.slot.add(5)
        t = S()
        # %%
        print(s.keep, s.drop, s.slot, t.drop, t.slot)
        """,
    "an instance of a class that the cell binds anew": """
        %%cached
        class K:
            n = 2
            def go(self): return self.n
        p = K()
        d = {'o': p, 'c': K}
        class K:
            n = 0
            def go(self): return self.n
        # %%
        print(p.go(), type(p) is K, d['c'] is type(p))
        """,
    "registering with an abstract base class": """
        import abc
        class Shape(abc.ABC): pass
        class Sq: pass
        # %%
        %%cached
        Shape.register(Sq)
        # %%
        print(isinstance(Sq(), Shape))
        """,
    "a finalizer of what the cell rebinds": """
        log = []
        class D:
            def __init__(self, v): self.v = v
            def __del__(self): log.append(self.v)
        d = D(1)
        # %%
        %%cached
        d = D(2)
        # %%
        print(log)
        """,
    "first import of a local module": """
        %%cached
        import helper
        x = helper.LIMIT
        # %%
        print(helper.LIMIT, helper.__spec__.loader.__class__.__name__)
        """,
    "a local module and a new file": """
        %%cached
        open('b.txt', 'w').write('zz')
        import helper
        """,
}


@pytest.mark.parametrize("notebook", RIGHT.values(), ids=RIGHT)
def test_found_and_mended(story, notebook):
    """It comes back as a run leaves it, as a hit."""
    story.replays(*cells(notebook), files=FILES)


HUNG = {
    "a finalizer": (
        "import weakref\nlog = []\nclass A: pass\na = A()",
        "fin = weakref.finalize(a, log.append, 'bye')",
        "del a\nprint(log)",
    ),
    "an exit handler": ("import atexit", "atexit.register(print, 'end')", "print(1)"),
    "a signal handler": (
        "import signal",
        "signal.signal(signal.SIGUSR1, lambda *_: print('caught'))",
        "signal.raise_signal(signal.SIGUSR1)",
    ),
    "a hook for exceptions": (
        "import sys",
        "sys.excepthook = lambda *_: print('mine')",
        "print(sys.excepthook.__name__)",
    ),
    "a hook of threads": (
        "import threading",
        "threading.excepthook = lambda *_: print('mine')",
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()\ndel t",
    ),
    "a class registered with one of the library's": (
        "import collections.abc\nclass A: pass",
        "collections.abc.Sized.register(A)",
        "print(isinstance(A(), collections.abc.Sized))",
    ),
    "a module made by hand": (
        "import sys, types",
        "sys.modules['byhand'] = types.ModuleType('byhand')\nsys.modules['byhand'].x = 1",
        "import byhand\nprint(byhand.x)",
    ),
}


@pytest.mark.parametrize("notebook", HUNG.values(), ids=HUNG)
def test_what_is_hung_into_the_process(story, notebook):
    """A cell that hangs something into the process that nobody can put back runs each time, and says so."""
    before, cell, after = notebook
    ran = story.stays_right(before, f"%%cached\n{cell}", after)
    assert ran.kinds == ["bypass"]


def test_what_a_class_leaves_out_of_its_form_counts(story):
    """What an object holds besides what its own `__getstate__` tells is read as well."""
    before = (
        "class S:\n    def __init__(self, d): self.d = d\n    def __getstate__(self): return {{}}\ns = S({})"
    )
    cell = "%%cached\nx = s.d"
    story.changes([before.format(1), cell], [before.format(2), cell], "miss")


def test_state_of_a_module_changed_by_the_cell_that_loads_it(story):
    """A local module that is changed where it is loaded first is never taken for one just loaded."""
    notebook = ["%%cached\nimport helper\nhelper.STATE.append(0)", "helper.STATE"]
    assert story.stays_right(*notebook, files=FILES).kinds == ["bypass"]
    story.replays("import helper", *notebook, files=FILES)


def test_new_file_beside_a_module_is_no_reason(story):
    """Where Python looks for a module is no folder that the cell lists."""
    cell = "%%cached\nimport helper\nx = helper.LIMIT"
    story.run(cell, files=FILES)
    assert story.run(cell, files={**FILES, "new.txt": "a"}).kind == "hit"


def test_order_of_names_is_that_of_the_code(story):
    """Names stand in the order in which the cell binds them, whatever was bound when it was stored."""
    cell = "%%cached\nn = [5]\ni = 3"
    story.run("i = 0", cell)
    assert story.run("0", cell).value("[name for name in globals() if name in 'in']") == ["n", "i"]


HOOKS = {
    "a hook that registers": """
        %%cached
        class B:
            subs = []
            def __init_subclass__(cls, tag=None, **options):
                super().__init_subclass__(**options)
                B.subs.append((cls.__name__, tag))
        class C(B, tag=1): pass
        # %%
        class D(B, tag=2): pass
        print(B.subs, D.__mro__)
        """,
    "a metaclass that registers": """
        made = []
        # %%
        %%cached
        class M(type):
            def __new__(meta, name, bases, names, **options):
                made.append(name)
                return super().__new__(meta, name, bases, {**names, 'tag': len(made)})
            def __init__(cls, name, bases, names, **options):
                super().__init__(name, bases, names)
                cls.late = name.lower()
        class A(metaclass=M): pass
        class B(A, option=1): x = 1
        # %%
        class C(B): pass
        print(made, A.tag, B.tag, C.tag, C.late, type(B) is M)
        """,
    "a hook of an earlier cell": """
        class Plugin:
            known = {}
            def __init_subclass__(cls): Plugin.known[cls.__name__] = cls
        # %%
        %%cached
        class One(Plugin): pass
        class Two(One): pass
        # %%
        print(sorted(Plugin.known), Plugin.known['One'] is One)
        """,
    "an abstract metaclass of the user": """
        %%cached
        import abc
        class M(abc.ABCMeta):
            def __call__(cls, *args):
                return super().__call__(*args)
        class A(metaclass=M):
            @abc.abstractmethod
            def f(self): ...
        class B(A):
            def f(self): return 1
        # %%
        print(B().f(), A.__abstractmethods__, isinstance(B(), A))
        """,
}


@pytest.mark.parametrize("notebook", HOOKS.values(), ids=HOOKS)
def test_classes_are_not_made_twice(story, notebook):
    """What hooks and metaclasses did when a class was made is put back, and not done again."""
    story.replays(*cells(notebook))
