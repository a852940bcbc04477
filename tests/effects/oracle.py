"""The oracle: a notebook tells the same with and without the cache."""

import contextlib
import decimal
import importlib
import locale
import os
import random
import re
import sys
import warnings


class Oracle:
    """Runs a notebook of three cells: `setup`, the cell itself, and `probe`; in between, `change`."""

    def __init__(self, shells, folder, monkeypatch):
        self._shells = shells
        self._folder = folder
        self._patch = monkeypatch

    def both(self, cell, *, setup="", change="", probe=""):
        """Return what the notebook tells when run plainly, and when the cell is cached."""
        plain = self._notebook("plain", cell, setup, change, probe)
        return plain, self._notebook("cached", f"%%cached\n{cell}", setup, change, probe)

    def _notebook(self, name, cell, setup, change, probe):
        folder = self._folder / name
        folder.mkdir()
        self._patch.chdir(folder)
        self._patch.syspath_prepend(str(folder))
        with _process_put_back():
            shell = self._shells()
            runs = [shell.run(text) for text in (setup, cell, change, cell, probe)]
        failed = [
            run.outcome.line
            for run in runs
            if run.kind == "bypass" and "lean_magic failed" in run.outcome.line
        ]
        assert not failed, "a cell that ran only because something of ours broke"
        told = list(map(_told, runs))
        self._patch.chdir(self._folder)
        return [told[1], *told[3:]]

    def close(self):
        """Forget the modules that the notebooks made."""
        importlib.invalidate_caches()


def _told(run):
    error = f"{type(run.error).__name__}: {run.error}" if run.error is not None else ""
    stderr = re.sub(r"/\S+", "", run.stderr)
    return run.stdout, stderr, [data.get("text/plain") for data in run.displays], error


@contextlib.contextmanager
def _process_put_back():
    """Leave the process as it was, and forget modules loaded from the notebook's folder."""
    modules, environ, path = set(sys.modules), dict(os.environ), list(sys.path)
    context, language, state = decimal.getcontext().copy(), locale.setlocale(locale.LC_ALL), random.getstate()
    folder = os.getcwd()
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("ignore", DeprecationWarning)  # as in a kernel
        yield
    random.setstate(state)
    decimal.setcontext(context)
    locale.setlocale(locale.LC_ALL, language)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
            del sys.modules[name]
    for name in set(os.environ) - set(environ):
        del os.environ[name]
    os.environ.update(environ)
