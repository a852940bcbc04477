"""What the tests of `%lean` share: a notebook in a shell of this process, with a real store and real cells."""

import contextlib
import io

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

from lean_magic.magic import unload
from lean_magic.store import LocalStore


class Notebook:
    """A fresh terminal shell with lean_magic loaded; `run` gives what a cell wrote."""

    EMBED = '%%cached embed\n# the texts\nvectors = [chunk * size(n) for n in range(3)]\nprint("embedded")'

    def __init__(self, folder):
        self.folder = folder
        self.start()

    def start(self):
        """Start a shell."""
        config = Config()
        config.HistoryManager.enabled = False
        config.TerminalInteractiveShell.colors = "nocolor"
        InteractiveShell.clear_instance()
        TerminalInteractiveShell.clear_instance()
        self.shell = TerminalInteractiveShell.instance(config=config)
        self.shell.run_line_magic("load_ext", "lean_magic")

    @property
    def runner(self):
        """The runner of the shell."""
        return self.shell._lean_magic.runner

    @property
    def store(self):
        """The store that the shell uses."""
        return LocalStore(self.folder)

    def run(self, cell):
        """Run one cell and return its output, errors included."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            self.shell.run_cell(cell, store_history=True)
        return out.getvalue().strip()

    def lean(self, line=""):
        """Return what `%lean` says."""
        return self.run(f"%lean {line}")

    def restart(self):
        """Go on in a new shell with the same cache."""
        self.close()
        self.start()

    def close(self):
        """Leave no shell behind."""
        unload(self.shell)
        InteractiveShell.clear_instance()
        TerminalInteractiveShell.clear_instance()


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Yield a notebook whose cache is empty, with the inputs of `Notebook.EMBED` bound."""
    monkeypatch.setenv("LEAN_MAGIC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("LEAN_MAGIC_OFF", "LEAN_MAGIC_MAX_SIZE"):
        monkeypatch.delenv(name, raising=False)
    notebook = Notebook(tmp_path / "cache")
    notebook.run("chunk = 256\ndef size(n):\n    return n + 1")
    yield notebook
    notebook.close()
