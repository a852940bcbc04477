"""Notebooks that generated programs found: each once came back different, or missed without need."""

import pytest
from story_oracle import cells

CONF = "import dataclasses\n@dataclasses.dataclass\nclass Conf:\n    tags: list = dataclasses.field(default_factory=list)\nDEFAULT = Conf()\n"
FILES = {"helper.py": "STATE = []\nLIMIT = 3\n", "conf.py": CONF}

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
    "an object that becomes one of a class of the cell": """
        class K: n = 1
        p = K()
        # %%
        %%cached
        class K(K): pass
        p.__class__ = K
        # %%
        print(type(p) is K, p.n)
        """,
    "attributes set on a tensor": """
        import torch
        t = torch.ones(2)
        # %%
        %%cached
        t.note = ["x"]
        t.requires_grad_(True)
        # %%
        print(t.note, t.requires_grad)
        """,
    "an array of a tensor's memory": """
        import torch
        t = torch.ones(4)
        # %%
        %%cached
        a = t.numpy()
        # %%
        a[0] = 5
        print(t)
        """,
    "an optimizer that takes steps": """
        import torch
        torch.manual_seed(0)
        m = torch.nn.Linear(2, 1)
        o = torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)
        s = torch.optim.lr_scheduler.StepLR(o, 1)
        # %%
        %%cached
        for _ in range(3):
            o.zero_grad()
            m(torch.ones(4, 2)).pow(2).mean().backward()
            o.step()
            s.step()
        # %%
        print(m.weight, s.get_last_lr(), o.param_groups[0]['params'][0] is m.weight)
        """,
    "a bunch of data and an estimator": """
        %%cached
        from sklearn import datasets, svm
        digits = datasets.load_digits()
        c = svm.SVC(gamma=0.001).fit(digits.data[:50], digits.target[:50])
        # %%
        %%cached
        n = len(digits.images), c.predict(digits.data[:3])
        # %%
        print(n, '_sklearn_version' in vars(c))
        """,
    "weights saved by torch": """
        import torch
        torch.manual_seed(0)
        m = torch.nn.Linear(2, 2)
        # %%
        %%cached
        torch.save(m.state_dict(), 'm.pt')
        # %%
        %%cached
        again = torch.load('m.pt')
        # %%
        print(again['weight'])
        """,
    "what is registered with pandas": """
        import pandas as pd
        # %%
        %%cached
        @pd.api.extensions.register_dataframe_accessor("mine")
        class Mine:
            def __init__(self, t): self.t = t
            def rows(self): return len(self.t) * 2
        # %%
        print(pd.DataFrame({"a": [1]}).mine.rows())
        """,
    "a file that is mapped": """
        import numpy as np
        np.save('m.npy', np.arange(6.0).reshape(2, 3))
        # %%
        %%cached
        m = np.load('m.npy', mmap_mode='r')
        v = m[1]
        # %%
        print(type(m).__name__, m.flags.writeable, m, type(v).__name__, v.flags.writeable, np.shares_memory(m, v))
        """,
    "a table and its column": """
        import pandas as pd
        # %%
        %%cached
        w = pd.DataFrame({'a': [5, 2, 3], 'b': [4.0, 5, 6.0]})
        d = {'t': w, 'col': w['a']}
        # %%
        w.iloc[0, 0] = 2
        d['col'].iloc[1] = 7
        print(d['col'].tolist(), w['a'].tolist())
        """,
    "views of an array of objects": """
        import numpy as np
        z = np.array([[1], 2, None], dtype=object)
        # %%
        %%cached
        e = {'x': z, 'v': z[:2]}
        n = np.array(['a', [2], None, 3.5], dtype=object)
        m = n[1:3]
        # %%
        z[0] = 7
        m[0] = 'new'
        print(e['v'][0], np.shares_memory(z, e['v']), n)
        """,
    "views that refuse writing": """
        import numpy as np
        x = np.arange(3)
        # %%
        %%cached
        b = np.broadcast_to(x, (2, 3))
        w = np.lib.stride_tricks.sliding_window_view(np.arange(6), 3)
        c = np.arange(5)
        c.setflags(write=False)
        # %%
        print(b.flags.writeable, w.flags.writeable, c.flags.writeable)
        """,
    "a live array that the cell closes": """
        import numpy as np
        x = np.arange(3)
        # %%
        %%cached
        x.setflags(write=False)
        # %%
        print(x.flags.writeable)
        """,
    "flags of a table": """
        import pandas as pd
        t = pd.DataFrame({"a": [1]})
        # %%
        %%cached
        t.flags.allows_duplicate_labels = False
        # %%
        print(t.flags.allows_duplicate_labels)
        """,
    "an enum with an alias": """
        %%cached
        import enum
        class Color(enum.Enum):
            RED = 1
            ALIAS = 1
        # %%
        %%cached
        r = list(Color)
        # %%
        print(Color.ALIAS is Color.RED, list(Color.__members__))
        """,
    "an object of a local module": """
        %%cached
        from conf import DEFAULT
        # %%
        %%cached
        DEFAULT.tags.append("x")
        # %%
        import conf
        print(conf.DEFAULT is DEFAULT, conf.DEFAULT.tags)
        """,
    "a module's object taken by attribute": """
        import conf
        # %%
        %%cached
        x = [conf.DEFAULT]
        # %%
        x[0].tags.append(1)
        print(conf.DEFAULT.tags)
        """,
    "a module's object that the cell replaces": """
        import conf
        # %%
        %%cached
        conf.DEFAULT = conf.Conf(["new"])
        y = conf.DEFAULT
        # %%
        print(conf.DEFAULT.tags, y is conf.DEFAULT)
        """,
    "mode, times and links of files": """
        import os
        # %%
        %%cached
        open("p.txt", "w").write("p")
        os.symlink("p.txt", "link.txt")
        os.chmod("p.txt", 0o600)
        os.utime("p.txt", (1, 1))
        # %%
        print(os.path.islink("link.txt"), oct(os.stat("p.txt").st_mode)[-3:], os.path.getmtime("p.txt"))
        """,
    "folders that the cell makes": """
        import os, pathlib
        # %%
        %%cached
        os.makedirs("out/deep", exist_ok=True)
        pathlib.Path("out/deep/a.txt").write_text("a")
        os.mkdir("empty")
        # %%
        print(sorted(os.listdir("out")), os.path.isdir("empty"))
        """,
    "folders that the cell removes": """
        import os, shutil
        os.makedirs("out/deep", exist_ok=True)
        open("out/deep/a.txt", "w").close()
        os.mkdir("empty")
        # %%
        %%cached
        shutil.rmtree("out")
        os.rmdir("empty")
        # %%
        print(os.path.exists("out"), os.path.exists("empty"))
        """,
    "a folder for the moment": """
        import os, tempfile
        # %%
        %%cached
        with tempfile.TemporaryDirectory() as folder:
            open(os.path.join(folder, "a.txt"), "w").write("a")
            x = os.listdir(folder)
        del folder
        # %%
        print(x)
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


OTHER = {
    "a variable of the environment named by a default": (
        "import os\nos.environ['MODE'] = '{}'\ndef mode(name='MODE'): return os.environ[name]",
        "r = mode()",
    ),
    "the arguments of the program": (
        "import sys\nsys.argv = ['prog', '--n', '{}']",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--n', type=int)\nr = p.parse_args().n\ndel p",
    ),
    "a comment that the cell reads": (
        "import inspect\ndef f(x):\n    # {}\n    return x + 1",
        "src = inspect.getsource(f)",
    ),
    "an attribute of a tensor": ("import torch\nt = torch.ones(2)\nt.note = [{}]", "x = t.note"),
    "a name in evaluated text that the cell binds": ("i = {}", "i = eval('i + 3')"),
    "a name in a query that the cell binds afterwards": (
        "import pandas as pd\nt = pd.DataFrame({{'a': [1, 2, 3]}})\nk = {}",
        "k = len(t.query('a > @k'))",
    ),
}


@pytest.mark.parametrize(("before", "cell"), OTHER.values(), ids=OTHER)
def test_other_input_runs(story, before, cell):
    """An input that is hard to see is seen."""
    cached = f"%%cached\n{cell}"
    story.changes([before.format(1), cached], [before.format(2), cached], "miss")


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
    "a feature of a library": (
        "import faulthandler",
        "faulthandler.disable()",
        "print(faulthandler.is_enabled())",
    ),
    "the time zone": (
        "import os, time",
        "os.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()",
        "print(time.tzname)\ndel os.environ['TZ']\ntime.tzset()",
    ),
    "a lock that is taken": (
        "import threading\nlock = threading.Lock()",
        "lock.acquire()",
        "print(lock.locked())\ndel lock",
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


SWITCHES = {
    "garbage collection": ("import gc", "gc.disable()", "print(gc.isenabled())\ngc.enable()"),
    "logging to the screen": (
        "import logging, sys",
        "logging.basicConfig(level=10, stream=sys.stdout, format='%(message)s', force=True)",
        "logging.info('a')\nprint(logging.root.handlers)",
    ),
}


@pytest.mark.parametrize("notebook", SWITCHES.values(), ids=SWITCHES)
def test_switches_of_the_process_are_put_back(story, notebook):
    """What a cell sets for the whole process, and can be set again, is as after a run."""
    before, cell, after = notebook
    story.replays(before, f"%%cached\n{cell}", after)


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


def test_listing_of_a_folder_that_the_cell_writes_to(story):
    """A cell that lists a folder and then writes into it depends on what else lies there."""
    cell = "%%cached\nimport os\nx = sorted(os.listdir('d'))\nopen('d/own.txt', 'w').write('a')"
    story.changes(["1", cell], ["1", cell], "miss", files={"d/a": ""}, files_after={"d/a": "", "d/b": ""})


def test_out_is_the_shells_own(story):
    """What the display hook writes into `Out` is no doing of a cell that reads it."""
    cell = "%%cached\ns = str(Out)[:40]\n_"
    story.run(cell)
    story.stays_right("w = 1", cell, "sorted(Out)")


def test_what_is_logged_elsewhere(story):
    """What a cell logs into a buffer of the notebook is there after it, however often it runs."""
    before = "import io, logging\nbuf = io.StringIO()\nlog = logging.getLogger('story.buf')\nlog.setLevel(10)"
    hang = "log.handlers[:] = [logging.StreamHandler(buf)]"
    story.stays_right(before, hang, "%%cached\nlog.info('hello')", "buf.getvalue()\ndel log, buf")


def test_module_taken_out(story):
    """A cell that takes a local module out of `sys.modules` just runs."""
    notebook = ["import helper, sys", "%%cached\ndel sys.modules['helper']", "'helper' in sys.modules"]
    assert story.stays_right(*notebook, files=FILES).kinds == ["bypass"]


def test_a_finalizer_runs_where_the_cell_lets_go(story):
    """What a cell rebinds ends in it, and its `__del__` runs there: no replay could do that again, so the cell just runs."""
    before = """
        log = []
        class D:
            def __init__(self, v): self.v = v
            def __del__(self): log.append(self.v)
        d = D(1)
        # %%
        %%cached
        d = D(2)
        seen = [*log]
        # %%
        print(seen, log)
        """
    assert story.stays_right(*cells(before)).kinds == ["bypass"]


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
