"""A cell runs again when its code, or any code it reaches, says something else."""

import pytest
from story_oracle import cells

SAME_SENSE = {
    "comment": ("x = 1 + 2", "# a remark\nx = 1 + 2  # another"),
    "blank lines": ("x = 1\ny = 2", "\n\nx = 1\n\n\ny = 2\n\n"),
    "spaces": ("x = [1,2,3]", "x = [ 1, 2, 3 ]"),
    "quotes": ("x = 'a'", 'x = "a"'),
    "triple quotes": ("x = 'a\\nb'", 'x = """a\nb"""'),
    "line breaks": ("x = sum([1, 2, 3])", "x = sum(\n    [\n        1,\n        2,\n        3,\n    ]\n)"),
    "parentheses": ("x = 1 + 2 * 3", "x = (1 + (2 * 3))"),
    "indentation": ("if True:\n  x = 1", "if True:\n        x = 1"),
    "number format": ("x = 1000000", "x = 1_000_000"),
    "joined strings": ("x = 'ab'", "x = 'a' 'b'"),
    "trailing semicolon on an assignment": ("x = 1", "x = 1;"),
    "body of a function": (
        "def f(a):\n  return a\nx = f(1)",
        "def f(a):\n    # says it back\n    return (\n        a\n    )\nx = f(1)",
    ),
}

OTHER_SENSE = {
    "constant": ("x = 1 + 2", "x = 1 + 3"),
    "integer or float": ("x = 1", "x = 1.0"),
    "integer or bool": ("x = 1", "x = True"),
    "sign of zero": ("x = 0.0", "x = -0.0"),
    "operator": ("x = 7 // 2", "x = 7 / 2"),
    "comparison": ("x = 1 < 1", "x = 1 <= 1"),
    "f-string text": ("x = f'a{1}'", "x = f'b{1}'"),
    "f-string format": ("x = f'{1.5:.1f}'", "x = f'{1.5:.2f}'"),
    "f-string conversion": ("x = f'{\"a\"}'", "x = f'{\"a\"!r}'"),
    "name bound": ("x = 1", "z = 1"),
    "order": ("x = 1\nx = 2", "x = 2\nx = 1"),
    "order of dict keys": ("x = {'a': 1, 'b': 2}", "x = {'b': 2, 'a': 1}"),
    "bytes or text": ("x = b'a'", "x = 'a'"),
    "tuple or list": ("x = (1, 2)", "x = [1, 2]"),
    "value silenced": ("1 + 1", "1 + 1;"),
    "string of code points": ("x = 'é'", "x = 'e\u0301'"),
    "default in a function of the cell": ("def f(a=1): return a\nx = f()", "def f(a=2): return a\nx = f()"),
    "docstring": ("def f():\n    'a'\nx = f.__doc__", "def f():\n    'b'\nx = f.__doc__"),
    "decorated or not": (
        "def f(): return 1\nx = callable(f)",
        "@property\ndef f(): return 1\nx = callable(f)",
    ),
    "annotation": (
        "def f(a: int): return a\nx = f.__annotations__",
        "def f(a: str): return a\nx = f.__annotations__",
    ),
}

# In each notebook OLD stands for what changes.
REACHED = {
    "a function": """
        def f(a): return a + OLD
        # %%
        %%cached
        x = f(1)
        """,
    "a function's function": """
        def g(a): return a + OLD
        def f(a): return g(a)
        # %%
        %%cached
        x = f(1)
        """,
    "ten functions deep": """
        def f0(a): return a + OLD
        """
    + "".join(f"\n        def f{n}(a): return f{n - 1}(a)" for n in range(1, 10))
    + """
        # %%
        %%cached
        x = f9(1)
        """,
    "a recursive function": """
        def f(a): return OLD if a <= 0 else f(a - 1)
        # %%
        %%cached
        x = f(3)
        """,
    "a lambda": """
        f = lambda a: a + OLD
        # %%
        %%cached
        x = f(1)
        """,
    "a lambda in a dict": """
        steps = {"one": lambda a: a + OLD}
        # %%
        %%cached
        x = steps["one"](1)
        """,
    "a callback in a list": """
        def f(a): return a + OLD
        steps = [f]
        # %%
        %%cached
        x = [step(1) for step in steps]
        """,
    "a registered callback": """
        registry = {}
        def register(function):
            registry[function.__name__] = function
            return function
        @register
        def f(a): return a + OLD
        # %%
        %%cached
        x = registry["f"](1)
        """,
    "a closure's variable": """
        def make(k):
            return lambda a: a + k
        f = make(OLD)
        # %%
        %%cached
        x = f(1)
        """,
    "a closure's variable, rebound with nonlocal": """
        def make():
            k = 0
            def get(a): return a + k
            def put(value):
                nonlocal k
                k = value
            return get, put
        f, put = make()
        put(OLD)
        # %%
        %%cached
        x = f(1)
        """,
    "a default": """
        k = OLD
        def f(a, b=k): return a + b
        # %%
        %%cached
        x = f(1)
        """,
    "a keyword default": """
        def f(a, *, b=OLD): return a + b
        # %%
        %%cached
        x = f(1)
        """,
    "a decorator": """
        import functools
        def plus(f):
            @functools.wraps(f)
            def inner(a): return f(a) + OLD
            return inner
        @plus
        def f(a): return a
        # %%
        %%cached
        x = f(1)
        """,
    "what a decorator wraps": """
        import functools
        def same(f):
            @functools.wraps(f)
            def inner(a): return f(a)
            return inner
        @same
        def f(a): return a + OLD
        # %%
        %%cached
        x = f(1)
        """,
    "a decorator's argument": """
        def plus(k):
            def around(f):
                return lambda a: f(a) + k
            return around
        @plus(OLD)
        def f(a): return a
        # %%
        %%cached
        x = f(1)
        """,
    "a function under lru_cache": """
        import functools
        @functools.lru_cache
        def f(a): return a + OLD
        # %%
        %%cached
        x = f(1)
        """,
    "a partial's function": """
        import functools
        def add(a, b): return a + b + OLD
        f = functools.partial(add, 1)
        # %%
        %%cached
        x = f(1)
        """,
    "a partial's argument": """
        import functools
        def add(a, b): return a + b
        f = functools.partial(add, OLD)
        # %%
        %%cached
        x = f(1)
        """,
    "a partial's keyword": """
        import functools
        def add(a, b=0): return a + b
        f = functools.partial(add, b=OLD)
        # %%
        %%cached
        x = f(1)
        """,
    "a method": """
        class C:
            def f(self, a): return a + OLD
        # %%
        %%cached
        x = C().f(1)
        """,
    "a method of an object made before": """
        class C:
            def f(self, a): return a + OLD
        c = C()
        # %%
        %%cached
        x = c.f(1)
        """,
    "a bound method": """
        class C:
            def f(self, a): return a + OLD
        f = C().f
        # %%
        %%cached
        x = f(1)
        """,
    "the object a method is bound to": """
        class C:
            def __init__(self, k): self.k = k
            def f(self, a): return a + self.k
        f = C(OLD).f
        # %%
        %%cached
        x = f(1)
        """,
    "a base class's method": """
        class B:
            def f(self, a): return a + OLD
        class C(B): pass
        c = C()
        # %%
        %%cached
        x = c.f(1)
        """,
    "a method reached by super": """
        class B:
            def f(self, a): return a + OLD
        class C(B):
            def f(self, a): return super().f(a)
        # %%
        %%cached
        x = C().f(1)
        """,
    "a property": """
        class C:
            @property
            def k(self): return OLD
        c = C()
        # %%
        %%cached
        x = c.k
        """,
    "a cached property": """
        import functools
        class C:
            @functools.cached_property
            def k(self): return OLD
        # %%
        %%cached
        x = C().k
        """,
    "a static method": """
        class C:
            @staticmethod
            def f(a): return a + OLD
        # %%
        %%cached
        x = C.f(1)
        """,
    "a class method": """
        class C:
            @classmethod
            def f(cls, a): return a + OLD
        # %%
        %%cached
        x = C.f(1)
        """,
    "a class attribute": """
        class C:
            k = OLD
            def f(self): return self.k
        # %%
        %%cached
        x = C().f()
        """,
    "a metaclass": """
        class M(type):
            def __call__(cls, *args): return OLD
        class C(metaclass=M): pass
        # %%
        %%cached
        x = C()
        """,
    "a hook that sees subclasses": """
        class B:
            def __init_subclass__(cls): cls.k = OLD
        # %%
        %%cached
        class C(B): pass
        x = C.k
        """,
    "a callable object": """
        class C:
            def __call__(self, a): return a + OLD
        f = C()
        # %%
        %%cached
        x = f(1)
        """,
    "an operator": """
        class C:
            def __add__(self, a): return a + OLD
        c = C()
        # %%
        %%cached
        x = c + 1
        """,
    "a descriptor": """
        class D:
            def __get__(self, instance, owner): return OLD
        class C:
            k = D()
        # %%
        %%cached
        x = C().k
        """,
    "a looked-up attribute": """
        class C:
            def __getattr__(self, name): return OLD
        c = C()
        # %%
        %%cached
        x = c.anything
        """,
    "a dataclass's default": """
        import dataclasses
        @dataclasses.dataclass
        class C:
            k: int = OLD
        # %%
        %%cached
        x = C().k
        """,
    "a field's factory": """
        import dataclasses
        @dataclasses.dataclass
        class C:
            ks: list = dataclasses.field(default_factory=lambda: [OLD])
        # %%
        %%cached
        x = C().ks
        """,
    "an enumeration": """
        import enum
        class E(enum.Enum):
            A = OLD
        # %%
        %%cached
        x = E.A.value
        """,
    "a named tuple's default": """
        import typing
        class T(typing.NamedTuple):
            k: int = OLD
        # %%
        %%cached
        x = T().k
        """,
    "a generator function": """
        def f():
            yield OLD
        # %%
        %%cached
        x = list(f())
        """,
    "a context manager": """
        import contextlib
        @contextlib.contextmanager
        def f():
            yield OLD
        # %%
        %%cached
        with f() as x:
            pass
        """,
    "a coroutine function": """
        async def f(): return OLD
        # %%
        %%cached
        x = await f()
        """,
    "an overload of singledispatch": """
        import functools
        @functools.singledispatch
        def f(a): return 0
        @f.register
        def _(a: int): return a + OLD
        # %%
        %%cached
        x = f(1)
        """,
    "a function in an instance": """
        import types
        c = types.SimpleNamespace(f=lambda a: a + OLD)
        # %%
        %%cached
        x = c.f(1)
        """,
    "a function's attribute": """
        def f(a): return a + f.k
        f.k = OLD
        # %%
        %%cached
        x = f(1)
        """,
    "a function used as a key": """
        key = lambda a: a * OLD
        # %%
        %%cached
        x = sorted([1, 2, 3], key=key)
        x = [key(a) for a in x]
        """,
    "a method patched from outside": """
        class C:
            def f(self): return 0
        def f(self): return OLD
        C.f = f
        # %%
        %%cached
        x = C().f()
        """,
    "a class made with type()": """
        C = type("C", (), {"f": lambda self: OLD})
        # %%
        %%cached
        x = C().f()
        """,
    "a class inside a function": """
        def f():
            class C:
                k = OLD
            return C.k
        # %%
        %%cached
        x = f()
        """,
    "a function in a comprehension": """
        def f(a): return a + OLD
        # %%
        %%cached
        x = [f(a) for a in range(3)]
        """,
    "a function in a nested function of the cell": """
        def f(a): return a + OLD
        # %%
        %%cached
        def outer():
            def inner(): return f(1)
            return inner()
        x = outer()
        """,
    "a class used in an annotation-only signature": """
        class C:
            k = OLD
        def f(a: C = C()): return a.k
        # %%
        %%cached
        x = f()
        """,
}


@pytest.mark.parametrize(("before", "after"), SAME_SENSE.values(), ids=SAME_SENSE)
def test_layout_makes_no_difference(shells, before, after):
    """A cell that is only written differently is a hit."""
    assert shells().run(f"%%cached\n{before}").kind == "miss"
    again = shells().run(f"%%cached\n{after}")
    assert again.kind == "hit", again.outcome


@pytest.mark.parametrize(("before", "after"), OTHER_SENSE.values(), ids=OTHER_SENSE)
def test_other_code_runs(shells, before, after):
    """A cell that says something else runs; the old text hits again."""
    assert shells().run(f"%%cached\n{before}").kind == "miss"
    assert shells().run(f"%%cached\n{after}").kind == "miss"
    assert shells().run(f"%%cached\n{before}").kind == "hit"


@pytest.mark.parametrize("notebook", REACHED.values(), ids=REACHED)
def test_reached_code_runs(recycled, notebook):
    """A cell runs when code it reaches changes, and hits when that code is as it was."""
    before, after = (cells(notebook.replace("OLD", value)) for value in ("10", "20"))
    recycled.changes(before, after, "miss")


@pytest.mark.parametrize("after", [
    'def f(a):\n    # longer\n    return (\n        g(a)\n    )\n\n\ndef g(a):\n    return "x" * a',
    "def g(a): return 'x' * a\nother = 5\ndef f(a): return g(a)",
], ids=["formatted", "moved"])  # fmt: skip
def test_layout_of_reached_code_makes_no_difference(story, after):
    """Formatting, comments and the order of definitions in another cell are no reason to run."""
    cell = "%%cached\nx = f(3)"
    story.changes(["def f(a): return g(a)\ndef g(a): return 'x' * a", cell], [after, cell], "hit")


def test_unreached_function_is_no_reason(story):
    """A function that nothing reached calls may change."""
    cell = "%%cached\nx = f(1)"
    story.changes(
        ["def f(a): return a\ndef g(): return 1", cell],
        ["def f(a): return a\ndef g(): return 2", cell],
        "hit",
    )


def test_reason_names_the_changed_line(story):
    """The line under the cell shows which function changed, and how."""
    cell = "%%cached\nx = f(1)"
    story.run("def f(a):\n    return a + 1", cell)
    assert story.run("def f(a):\n    return a + 2", cell).reason == "`f` changed: return a + 1 → return a + 2"


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("%%cached\nx = o.go()", "`o`: class C changed: return 1 → return 2"),
        ("%%cached\nx = C().go()", "`C` changed: return 1 → return 2"),
    ],
)
def test_reason_names_the_changed_line_of_a_class(story, cell, reason):
    """The line shows what changed in a class, also where the cell uses an object of it."""
    text = "class C:\n    def go(self):\n        return 1\no = C()"
    story.run(text, cell)
    assert story.run(text.replace("return 1", "return 2"), cell).reason == reason


@pytest.mark.parametrize(
    ("before", "cell", "reason"),
    [
        (
            "def d(k):\n    def f():\n        return k\n    return f\nf = d(1)",
            "x = f()",
            "`f` has other content",
        ),
        (
            "import functools\nf = functools.cache(lambda k: k)\nf(1)",
            "x = f(3)",
            "what f remembers is another",
        ),
    ],
)
def test_reason_shows_no_digest(story, before, cell, reason):
    """Of what has no words of its own, the line says that it is another, on one line."""
    story.run(before, f"%%cached\n{cell}")
    found = story.run(before.replace("(1)", "(2)"), f"%%cached\n{cell}").reason
    assert found.startswith(reason)
    assert "\n" not in found
