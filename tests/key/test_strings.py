"""Names reached through text."""

import signal

import pytest
from cells import hits, is_noticed, key_of, reads

from lean_magic.errors import Unresolvable
from lean_magic.key import modules

FRAME = "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})"


@pytest.mark.parametrize(
    "cell",
    [
        "eval('y + 1')",
        "exec('print(y)')",
        "text = 'y + 1'\neval(text)",
        "globals()['y']",
        "globals().get('y')",
        "vars()['y']",
        "locals()['y']",
        "'{y}'.format_map(globals())",
        "'%(y)s' % globals()",
        "'y' in globals()",
        "df.query('a > @y')",
        "df.eval('a + @y')",
        "pd.eval('y + 1')",
        "df.query(f'a > @{str()}y')",
    ],
)
def test_names_in_literal_text(cell):
    """A name that stands in the cell's own text counts where something looks names up in text, or the cell runs."""
    assert reads(cell, FRAME)


@pytest.mark.parametrize(
    ("cell", "setup"),
    [
        ("for text in texts: eval(text)", "texts = ['y + 1']"),
        ("df.query(texts['a'])", "texts = {'a': 'a > @y'}"),
        ("df.query(Config.text)", "class Config: text = 'a > @y'"),
        (
            "df.query(config.text)",
            "from types import SimpleNamespace\nconfig = SimpleNamespace(text='a > @y')",
        ),
        ("f()", "def f(text='a > @y'): return df.query(text)"),
        ("f()", "def make(text):\n    return lambda: df.query(text)\nf = make('a > @y')"),
        ("f()", "def f():\n    for text in ('a > @y',): df.query(text)"),
        ("f()", "def f(): return eval('y')"),
        ("f()", "def f(): return globals()['y']"),
    ],
)
def test_names_in_text_from_elsewhere(cell, setup):
    """Text that looks names up counts wherever it is kept: in containers, attributes, defaults, closures."""
    assert reads(cell, f"{FRAME}\n{setup}")


@pytest.mark.parametrize(
    ("cell", "setup"),
    [
        ("text = 'al' + rest\neval(text)", "rest = 'pha_1'"),
        ("text = first + '_1'\neval(text)", "first = 'alpha'"),
        ("text = f'{first}_1'\neval(text)", "first = 'alpha'"),
        ("text = '_'.join(pieces)\neval(text)", "pieces = ['alpha', '1']"),
        ("eval(first + '_1')", "first = 'alpha'"),
        ("df.query(f'a > @{first}_1')", "first = 'alpha'"),
        ("df.query('a > @' + first + '_1')", "first = 'alpha'"),
        ("text = 'a > @' + first + '_1'\ndf.query(text)", "first = 'alpha'"),
        ("globals()[first + '_1']", "first = 'alpha'"),
        ("name = first + '_1'\nglobals()[name]", "first = 'alpha'"),
        ("name = first + '_1'\nvars()[name]", "first = 'alpha'"),
        ("f(first)", "first = 'alpha'\ndef f(text): return eval(text + '_1')"),
        ("f(first)", "first = 'alpha'\ndef f(text):\n    text = text + '_1'\n    return eval(text)"),
    ],
)
def test_names_in_computed_text(cell, setup):
    """Where text with names is put together while the cell runs, the cell just runs."""
    assert reads(cell, f"{FRAME}\n{setup}", name="alpha_1")


def test_code_read_from_a_file(tmp_path, monkeypatch):
    """Code that a cell reads from a file and executes may name anything, so the cell just runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.txt").write_text("print(y)")
    assert reads("with open('script.txt') as file:\n    code = file.read()\nexec(code)")


@pytest.mark.parametrize(
    ("cell", "setup"),
    [
        ("import numexpr\nnumexpr.evaluate('y + 1')", ""),
        ("from numexpr import evaluate\nevaluate('y + 1')", ""),
        ("pl.sql('select * from y').collect()", "import polars as pl\ny = pl.DataFrame({'a': [y]})"),
        ("pl.SQLContext(register_globals=True).execute('select * from y')", "import polars as pl"),
        ("import duckdb\nduckdb.sql('select * from y')", ""),
        ("import statsmodels.formula.api as smf\nsmf.ols('a ~ y', df)", ""),
    ],
)
def test_libraries_that_look_names_up(cell, setup):
    """A library that looks names up in the text it is given reads them."""
    assert is_noticed(cell, f"{FRAME}\ny = 1\n{setup}", f"{FRAME}\ny = 2\n{setup}")


@pytest.mark.parametrize(
    "cell",
    [
        "import __main__\n__main__.y",
        "import __main__\ngetattr(__main__, 'y')",
        "import sys\nsys.modules['__main__'].y",
        "import sys\nsys.modules[__name__].y",
        "import sys\nsys._getframe().f_globals['y']",
        "import inspect\ninspect.currentframe().f_globals['y']",
        "import importlib\nimportlib.import_module('__main__').y",
        "__import__('__main__').y",
        "f.__globals__['y']",
        "import operator\noperator.attrgetter('__globals__')(f)['y']",
    ],
)
def test_side_doors_to_the_namespace(cell):
    """A name read through the module, a frame or a function's globals counts, or the cell runs."""
    assert reads(cell, "def f(): pass")


@pytest.mark.parametrize(
    "cell", ["input()", "x = input('?')", "breakpoint()", "def f(): return input()\nf()"]
)
def test_talking_to_the_person(cell):
    """A cell that asks the person at the keyboard just runs."""
    with pytest.raises(Unresolvable):
        key_of(cell)


@pytest.mark.parametrize(
    "cell", ["y = 'other'\nprint('y')", "print('y')", "'a {y}'.format(y=1)", "df.head()", "x = {'y': 1}['y']"]
)
def test_text_is_mostly_just_text(cell):
    """Text that nothing looks names up in reads none."""
    assert not reads(cell, FRAME)


@pytest.mark.parametrize("cell", ["'y' in globals()", "'y' not in vars()", "if 'y' not in dir(): z = 1"])
def test_whether_a_name_is_there(cell):
    """A cell may ask whether a name is bound, and is cached: the name counts."""
    assert reads(cell)
    assert not hits(cell, "", "y = 1")
    assert hits(cell, "", "z = 1")


def test_module_found_by_a_variable(tmp_path, monkeypatch):
    """A cell that finds a local module by its name is cached, whatever else the project's modules can do."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(modules, "loaded_own", lambda: ["lib_found"])  # and none of the other tests
    (tmp_path / "lib_found.py").write_text("import subprocess\nK = 1\ndef never(): subprocess.run('ls')\n")
    setup = "import importlib, lib_found\nname = 'lib_found'\n"
    assert not hits("importlib.import_module(name).K", setup, f"{setup}lib_found.K = 2")


def test_signal_that_nobody_handles():
    """Code that could stop another process is cached, unless code of the notebook handles signals."""
    setup = "import os, signal\ndef f(x): return x or os.kill(0, 9)\n"
    assert hits("f(1)", setup, setup)
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with pytest.raises(Unresolvable):
            hits("f(1)", f"{setup}signal.signal(signal.SIGUSR1, lambda *_: None)", setup)
    finally:
        signal.signal(signal.SIGUSR1, before)
