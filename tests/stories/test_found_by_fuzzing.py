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
