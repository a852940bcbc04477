"""The flow through a cell: which names come from before it."""

import ast

import pytest
from cells import hits_as, reads

from lean_magic.key import analyse

SUPPRESS = "from contextlib import suppress"
SWALLOWS = "class context:\n    def __enter__(self): pass\n    def __exit__(self, *_): return True"


@pytest.mark.parametrize(
    "cell",
    [
        "print(y)",
        "y += 1",
        "y[0] = 1",
        "y.a = 1",
        "del y[0]",
        "x = a = y",
        "x: y = 1",
        "print(f'{y}', f'{1:{y}}', f'{y=}')",
        "print(*[y], **{'a': y})",
        "print([1, 2][y:])",
        "print([y for _ in range(2)])",
        "print({y: 1 for _ in range(2)})",
        "print(list(y for _ in range(2)))",
        "print([[y for _ in range(2)] for _ in range(2)])",
        "f = lambda: y\nprint(f())",
        "f = lambda a=y: a",
        "def f(a=y): pass",
        "def f(*, a=y): pass",
        "def f(a: y): pass",
        "def f() -> y: pass",
        "@y\ndef f(): pass",
        "def f(): return y\nf()",
        "def f():\n    def g(): return y\n    return g()\nf()",
        "def f():\n    class C:\n        z = y\n    return C\nf()",
        "async def f(): return [y async for _ in g()]\nf()",
        "class C(y): pass",
        "class C(metaclass=y): pass",
        "@y\nclass C: pass",
        "class C:\n    z = y",
        "class C:\n    y = y",
        "class C:\n    y = 5\n    def f(self): return y\nC().f()",
        "class C:\n    class D:\n        def f(self): return y\nC.D().f()",
        "class C:\n    z = [y for _ in range(2)]",
        "with y: pass",
        "for _ in y: pass",
        "while y: break",
        "assert y",
        "raise y",
        "global y\nprint(y)",
        "print(y)\ny = 5",
        "x = y = y",
        "await y",
        "match y:\n    case 1: pass",
        "match 1:\n    case 1 if y: pass",
        "try:\n    pass\nexcept y: pass",
        "try:\n    pass\nexcept* y: pass",
        "try:\n    pass\nfinally:\n    print(y)",
        "try:\n    pass\nexcept ValueError:\n    pass\nelse:\n    print(y)",
    ],
)
def test_every_way_to_read(cell):
    """A name that a statement of any kind reads is an input."""
    assert "y" in analyse(ast.parse(cell).body).reads


@pytest.mark.parametrize(
    "cell",
    [
        "y = 5\nprint(y)",
        "y, *z = 1, 2\nprint(y)",
        "(y := 5)\nprint(y)",
        "for y in [1]:\n    print(y)",
        "import os as y\nprint(y)",
        "from os import path as y\nprint(y)",
        "def y(): pass\ny()",
        "class y: pass\ny()",
        "with open('/dev/null') as y:\n    print(y)",
        "if 1:\n    y = 5\nelse:\n    y = 6\nprint(y)",
        "try:\n    y = 5\nexcept ValueError:\n    y = 6\nprint(y)",
        "try:\n    y = 5\nexcept ValueError:\n    raise\nprint(y)",
        "try:\n    pass\nfinally:\n    y = 5\nprint(y)",
        "try:\n    1 / 0\nexcept ZeroDivisionError as y:\n    print(y)",
        "match [1]:\n    case [y]: print(y)",
        "match {1: 2}:\n    case {**y}: print(y)",
        "for i in [1]:\n    y = i\n    print(y)",
        "for i in [1]:\n    if i:\n        continue\n    else:\n        y = 5\n    print(y)",
        "print([y for y in [1]])",
        "print(sorted([1], key=lambda y: y))",
        "def f(y): return y\nf(1)",
        "def f():\n    y = 5\n    return y\nf()",
        "class C:\n    y = 5\n    z = y",
        "y = 5\ndef f(): return y\nf()",
        "def f(): return y\ny = 5\nf()",
        "while (y := 0):\n    pass\nprint(y)",
    ],
)
def test_names_of_the_cell_itself(cell):
    """A name that is surely bound in the cell before it is read is no input."""
    assert not reads(cell)


@pytest.mark.parametrize(
    "expression",
    [
        "flag and (y := 5)",
        "1 if not flag else (y := 5)",
        "1 < flag < (y := 5)",
        "[(y := i) for i in []]",
        "[i for i in [] if (y := i)]",
        "any((y := i) for i in [])",
        "{(y := i): 1 for i in []}",
        "[[(y := j) for j in i] for i in [[]]]",
        "print(flag or 1, flag and (y := 5))",
    ],
)
@pytest.mark.parametrize("statement", ["z = {}", "if {}: pass"])
def test_a_walrus_that_may_not_run(expression, statement):
    """A name bound inside an expression that is not always evaluated may still come from before the cell."""
    assert reads(f"{statement.format(expression)}\nprint(y)", "flag = 0")


@pytest.mark.parametrize(
    "cell",
    [
        "if flag:\n    y = 5\nprint(y)",
        "for i in []:\n    y = i\nprint(y)",
        "for y in []:\n    pass\nprint(y)",
        "for y in []:\n    pass\nelse:\n    print(y)",
        "for i in [1]:\n    if i: continue\n    y = 3\nelse:\n    print(y)",
        "for i in [1]:\n    if i: break\n    y = 3\nprint(y)",
        "for i in [1, 2]:\n    print(y)\n    y = i",
        "while flag:\n    y = 1\nprint(y)",
        "while True:\n    if 1: break\n    y = 3\nprint(y)",
        "assert True, (y := 5)\nprint(y)",
        "try:\n    1 / 0\n    y = 5\nexcept ZeroDivisionError:\n    pass\nprint(y)",
        "try:\n    1 / 0\n    y = 5\nexcept ZeroDivisionError:\n    print(y)",
        "try:\n    1 / 0\n    y = 5\nexcept* ZeroDivisionError:\n    pass\nprint(y)",
        "try:\n    import nothing_of_this_name as y\nexcept ImportError:\n    pass\nprint(y)",
        "match 1:\n    case 2: y = 5\nprint(y)",
        "match [1, 2]:\n    case [y]: pass\nprint(y)",
        "match 3:\n    case 4 as y: pass\nprint(y)",
        "def f():\n    global y\n    y = 3\nif flag:\n    f()\nprint(y)",
        "def f(): return y\nif flag:\n    y = 5\nprint(f())",
        "def f(): return y\nz = [f]\ny2 = z[0]()\ny = 5",
        "class C:\n    def f(self): return y\nz = C().f()\ny = 5",
    ],
)
def test_names_bound_on_a_path_not_taken(cell):
    """A name bound only on some paths through the cell may come from before it."""
    assert reads(cell, "flag = 0")


@pytest.mark.parametrize(
    "cell",
    [
        "with suppress(ZeroDivisionError):\n    1 / 0\n    y = 5\nprint(y)",
        "with suppress(ValueError), fails() as y:\n    pass\nprint(y)",
        "with suppress(ValueError):\n    with fails() as y:\n        pass\nprint(y)",
        "with suppress(ValueError), suppress(fails() or (y := 1)):\n    pass\nprint(y)",
        "with context():\n    1 / 0\n    y = 5\nprint(y)",
    ],
)
def test_a_with_that_swallows(cell):
    """Where a context manager may swallow an exception, nothing bound after its entry is sure."""
    assert reads(cell, f"{SUPPRESS}\n{SWALLOWS}\ndef fails(): raise ValueError")


@pytest.mark.parametrize(
    "body",
    [
        "    try:\n        y = int('a')\n    except ValueError:\n        pass\n",
        "    with suppress(ValueError):\n        y = int('a')\n",
        "    if flag:\n        y = 5\n",
        "    for y in ():\n        pass\n",
        "    flag and (y := 5)\n",
        "    y = 5\n    del y\n",
    ],
)
def test_class_bodies_that_may_not_bind(body):
    """A class body reads the global where its own name may not be bound."""
    assert reads(f"class C:\n{body}    z = y\nprint(C.z)", f"{SUPPRESS}\nflag = 0")


@pytest.mark.parametrize(
    ("pattern", "setup"),
    [
        ("K.A", "class K: A = y"),
        ("[K.A, *_]", "class K: A = y"),
        ("{'a': K.A}", "class K: A = y"),
        ("K()", "class K:\n    def f(self): return y"),
        ("K(a=1)", "class K:\n    __match_args__ = ('a', str(y))"),
        ("K.A | 5", "class K: A = y"),
    ],
)
def test_match_patterns_read_names(pattern, setup):
    """The classes and dotted names in the patterns of `match` are inputs."""
    assert reads(f"match z:\n    case {pattern}: r = 1\n    case _: r = 2", f"{setup}\nz = 1")


@pytest.mark.parametrize(
    "other",
    [
        "x = f( a,'b' )  # comment",
        "# comment\n\nx = f(a, 'b')\n\n",
        "x = f(\n    a,\n    'b',\n)",
        'x = f(a, "b")',
        "x = (f(a, 'b'))",
        "x = f(a, u'b')",
        "x = f(a, '' 'b')",
        "x = f(a, '\\x62')",
        "x = \\\n f(a, 'b')",
        "x = f(a, 'b');",
    ],
)
def test_layout_is_no_content(other):
    """Comments, blank lines, quotes and line breaks leave the digest as it is."""
    assert hits_as("x = f(a, 'b')", other)


@pytest.mark.parametrize(
    "other",
    [
        "x = f(a, 'c')",
        "x = f(a, b'b')",
        "x = f(a, 'b', )\nx",
        "y = f(a, 'b')",
        "x = f('b', a)",
        "x = f(a, f'b')",
        "x: int = f(a, 'b')",
        "x = f(a, 'b')\npass",
        "'doc'\nx = f(a, 'b')",
    ],
)
def test_code_is_content(other):
    """Any other change of the code is another digest."""
    assert analyse(ast.parse("x = f(a, 'b')").body).digest != analyse(ast.parse(other).body).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1", "True"),
        ("0.0", "-0.0"),
        ("1", "1j"),
        ("'a'", "b'a'"),
        ("None", "..."),
        ("1e400", "2"),
    ],
)
def test_constants_keep_their_type(one, other):
    """Constants that are equal but not the same are different code."""
    assert analyse(ast.parse(f"x = {one}").body).digest != analyse(ast.parse(f"x = {other}").body).digest


def test_the_silencing_semicolon():
    """A `;` that hides the last value is content."""
    nodes = ast.parse("x").body
    assert analyse(nodes).digest != analyse(nodes, quiet=True).digest


@pytest.mark.parametrize("cell", ["return 1", "def f():\n    nonlocal x", "x = yield"])
def test_what_does_not_compile(cell):
    """Text that parses but does not compile raises Python's own SyntaxError."""
    with pytest.raises(SyntaxError):
        analyse(ast.parse(cell).body)


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("x = 1", {"x"}),
        ("x, (y, *z) = q", {"x", "y", "z"}),
        ("import a.b, c as d\nfrom e import f as g, h", {"a", "d", "g", "h"}),
        ("def f(): x = 1\nclass C: y = 1", {"f", "C"}),
        ("for i in q: pass\nwith q as w: pass", {"i", "w"}),
        ("[(x := i) for i in q]", {"x"}),
        ("try: pass\nexcept q as e: pass", {"e"}),
        ("match q:\n    case [a, *b] | {'k': a, **b}: pass", {"a", "b"}),
        ("def f():\n    global x\n    x = 1\nf()", {"f", "x"}),
        ("x += 1\nx: int\ny: int = 1", {"x", "y"}),
    ],
)
def test_every_form_of_binding(cell, names):
    """Names are found by every form of binding Python has at the top level of a cell."""
    assert analyse(ast.parse(cell).body).assigned >= names


def test_deleted_names():
    """A deleted name is noted, and is not surely bound any more."""
    found = analyse(ast.parse("x = 1\ndel x").body)
    assert found.deleted == {"x"}
    assert "x" not in found.surely


@pytest.mark.parametrize(
    "body",
    [
        "try:\n    r = y\nexcept NameError:\n    pass",
        "with suppress(NameError):\n    r = y",
        "try:\n    r = y\nexcept failures:\n    pass",
        "r = look()",
        "for _ in [1]:\n    try:\n        r = y\n    finally:\n        break",
        "pool = ThreadPoolExecutor(1)\nr = pool.submit(lambda: y).exception() is None\npool.shutdown()",
    ],
)
def test_swallowed_name_errors(shell, body):
    """Where anything may swallow a NameError, it counts that a name was not bound."""
    shell.run(
        f"{SUPPRESS}\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "flag, r, failures = 0, 0, (NameError,)\n"
        "def look():\n    try:\n        return y\n    except NameError:\n        return 0"
    )
    cell = f"%%cached\nif flag:\n    y = 1\n{body}\nprint(r)"
    before = shell.run(cell).stdout
    shell.run("r, y = 0, 5")
    assert shell.run(cell).stdout != before
