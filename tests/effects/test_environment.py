"""Variables of the environment, observed as they are read."""

import os

import pytest

SETUP = """
import os
word, words, template, variables = 'LEAN_WORD', ['LEAN_WORD'], '$LEAN_WORD', os.environ
def f(): return os.environ['LEAN_WORD']
def g(name): return os.environ[name]
os.environ |= {'LEAN_WORD': 'one', 'HOME': '/one', 'PATH': '/bin'}
"""
CHANGE = "os.environ |= {'LEAN_WORD': 'other', 'HOME': '/other', 'PATH': '/nowhere'}"


@pytest.fixture(autouse=True)
def _put_back(monkeypatch):
    for name in ("HOME", "PATH", "LEAN_WORD", "LEAN_OTHER"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


@pytest.mark.parametrize(
    "cell",
    [
        "import os\nos.environ['LEAN_WORD']",
        "import os\nos.environ.get('LEAN_WORD')",
        "import os\nos.getenv('LEAN_WORD')",
        "import os\n'LEAN_WORD' in os.environ",
        "from os import environ\nenviron['LEAN_WORD']",
        "from os import environ as e\ne['LEAN_WORD']",
        "from os import getenv as g\ng('LEAN_WORD')",
        "import os\nos.environ[word]",
        "import os\n[os.environ.get(w) for w in words]",
        "import os\nos.environ['LEAN_' + 'wo'.upper() + 'RD']",
        "import os\nos.path.expandvars('$LEAN_WORD')",
        "import os\nos.path.expandvars(template)",
        "import os\ndict(os.environ)",
        "import os\nsorted(os.environ.items())",
        "import os\nos.environb[b'LEAN_WORD']",
        "import os\nos.path.expanduser('~/x')",
        "import os\ngetattr(os, 'environ')['LEAN_' + 'WORD']",
        "import os\nvars(os)['environ'].get('LEAN_WORD')",
        "import pathlib\nstr(pathlib.Path.home())",
        "import os, shutil\nshutil.which('ls')",
        "variables['LEAN_WORD']",
        "f()",
        "g('LEAN_WORD')",
        "g(word)",
    ],
)
def test_what_is_read_counts(shell, cell):
    """A variable that the cell reads, by whatever way, counts."""
    cell = (
        f"%%cached\nr = repr(({cell.rpartition(chr(10))[2]}))"
        if "import" not in cell
        else f"%%cached\n{cell}"
    )
    shell.run(SETUP)
    shell.run(cell)
    assert shell.run(cell).kind == "hit"
    shell.run(CHANGE)
    assert "environment" in shell.run(cell).outcome.line


def test_what_is_not_read_does_not_count(shell):
    """A variable that the cell does not read plays no part."""
    cell = "%%cached\nr = os.environ['LEAN_WORD'], 'LEAN_OTHER'"
    shell.run(SETUP)
    shell.run(cell)
    shell.run("os.environ['LEAN_OTHER'] = 'x'")
    assert shell.run(cell).kind == "hit"


def test_what_the_cell_set_is_no_input(shell):
    """What a cell sets before it reads it does not depend on what was there."""
    cell = "%%cached\nos.environ['LEAN_WORD'] = 'mine'\nr = os.environ['LEAN_WORD']"
    shell.run(SETUP)
    shell.run(cell)
    shell.run(CHANGE)
    assert shell.run(cell).kind == "hit"
    assert os.environ["LEAN_WORD"] == "mine"


def test_a_secret_is_not_written_down(shell, cache_dir):
    """The value of a variable that names itself a secret is not kept in the manifest."""
    shell.run("import os\nos.environ['LEAN_TOKEN'] = 'very-secret'")
    shell.run("%%cached\nr = len(os.environ['LEAN_TOKEN'])")
    assert not any(b"very-secret" in path.read_bytes() for path in cache_dir.rglob("*.json"))
    del os.environ["LEAN_TOKEN"]
