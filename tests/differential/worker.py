"""A process of one hash seed that runs notebooks, each in a fork of its own, and tells all that they did.

Started as a script by `workers`. Each line on stdin is a JSON order for one run (see `Order`)
and is answered by one line, its number and JSON: what each cell showed, and a portrait of what is left.
"""

import gc
import importlib
import json
import os
import re
import resource
import signal
import sys
import tempfile
import traceback

from portrait import Portraits

READY = ["numpy", "pandas", "IPython.core.completer"]
# What every fork would load, look up or compute for the first time: done once, before the forks.
WARM = [
    "import os, sys, random, json, warnings, dataclasses\nimport numpy as np, pandas as pd",
    "a = [1]\nd = {'a': a}\nx = np.arange(3)\nt = pd.DataFrame({'a': [1, None], 'b': ['x', 'y']})",
    "def f(v):\n    return v\nclass C:\n    def go(self):\n        return 1\no = C()\nprint(x, t)\nt",
    "a.append(2)\nx[0] = 7\no.v = f(3)\nt['c'] = 3\ndisplay(t)\nt",
    "random.random(); np.random.rand()\nopen('/dev/null').read()\nu = {'a', 1}\nwarnings.warn('x')",
    "1 / 0",
]
# A generated loop may have no end: it is stopped, after so many seconds of the processor or so much more memory.
SECONDS, MEMORY = 15, 1 << 30
STATUS = ("✓", "●", "○", "◌")
_NOISE = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"0[xX][0-9a-fA-F]{6,}"), "0x…"),
    (re.compile(r"<ipython-input-\d+-[0-9a-f]+>"), "<cell>"),
    (re.compile(r"(?:Cell )?In\s?\[\d+\]"), "In[n]"),
]


class Streams:
    """What a notebook shows, in order; streams are told apart but not cut."""

    def __init__(self):
        self.events = []

    def note(self, kind, content):
        """Add an event; text continues the event before it."""
        if kind in {"stdout", "stderr"} and self.events and self.events[-1][0] == kind:
            self.events[-1][1] += content
        else:
            self.events.append([kind, content])

    def take(self):
        """Give the events of one cell, and begin anew."""
        found, self.events = self.events, []
        return found


class Stream:
    """Stands in for stdout or stderr."""

    __module__ = "IPython.core.interactiveshell"  # as those of a kernel, they are no objects of the user's
    encoding = "utf-8"

    def __init__(self, kind, streams):
        self.kind = kind
        self.streams = streams

    def write(self, text):
        """Take a text."""
        self.streams.note(self.kind, text)
        return len(text)

    def flush(self):
        """Do nothing: all is there."""

    def isatty(self):
        """Tell that nobody types here."""
        return False


def make_shell(streams):
    """Make the shell that every fork starts with."""
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, **options):
            if not data.get("text/plain", "").startswith(STATUS):
                told = {name: bool(options[name]) for name in ("update",) if options.get(name)}
                streams.note("display", [data, metadata or {}, told])

        def clear_output(self, wait=False):
            streams.note("clear", wait)

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    return InteractiveShell.instance(config=config, display_pub_class=Publisher)


def without_magic(lines):
    """Take the `%%cached` line off a cell, as the extension does, so that lines count alike."""
    return lines[1:] if lines and lines[0].split()[:1] == ["%%cached"] else lines


class Notebook:
    """One run in a fork of its own."""

    def __init__(self, shell, streams, order):
        self.shell = shell
        self.streams = streams
        self.order = order
        self.cells = []

    def prepare(self):
        """Move into the folder, and say where the cache is."""
        os.chdir(self.order["folder"])
        os.environ["PWD"] = self.order["folder"]
        if self.order["cache"]:
            self.shell._lean_magic.runner.settings.cache_dir = self.order["cache"]

    def run(self):
        """Run every cell and describe what is left."""
        self.order["loaded"] = set(sys.modules)
        self.prepare()
        for source in self.order["cells"]:
            self.cells.append(self.cell(source))
        return {"cells": self.cells, "left": Portraits(self.shell, self.order).all()}

    def cell(self, source):
        """Run one cell."""
        runner = getattr(getattr(self.shell, "_lean_magic", None), "runner", None)
        before = getattr(runner, "last", None)
        result = self.shell.run_cell(source, store_history=True)
        after = getattr(runner, "last", None)
        outcome = after if after is not before else None
        return {
            "events": self.streams.take(),
            "error": trouble(result),
            "kind": type(outcome).__name__.lower() if outcome is not None else "",
            "line": getattr(outcome, "line", ""),
        }


def trouble(result):
    """Describe the exception of a cell: what it says, and which lines it passed."""
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        return ""
    frames = [(frame.name, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    passed = [(name, line) for name, line in frames if name not in {"run_code", "run_ast_nodes"}]
    causes = [repr(error.__cause__), repr(error.__context__)]
    return [type(error).__name__, str(error), passed, causes]


def plain(told, order):
    """Leave out of the text what differs between any two runs."""
    text = json.dumps(told, default=str)
    text = text.replace(order["folder"], "<work>")
    for pattern, instead in _NOISE:
        text = pattern.sub(instead, text)
    return text


def occupied():
    """Give the size of this process's address space in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def child(shell, streams, order, pipe):
    """Run one notebook in this process, say what it did, and end."""
    signal.alarm(20 * SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (occupied() + MEMORY, resource.RLIM_INFINITY))
    report = os.fdopen(pipe, "w", encoding="utf-8")
    sys.stdout, sys.stderr = Stream("stdout", streams), Stream("stderr", streams)
    try:
        told = plain(Notebook(shell, streams, order).run(), order)
    except BaseException:  # noqa: BLE001  whatever it is, it is told
        told = json.dumps({"broken": traceback.format_exc()})
    report.write(told + "\n")
    report.flush()
    os._exit(0)


def answer(shell, streams, order):
    """Fork, and give the line of JSON that the fork wrote."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        child(shell, streams, order, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        line = pipe.readline()
    _, status = os.waitpid(pid, 0)
    return line or json.dumps({"broken": f"the process died with status {status}"}) + "\n"


def begin(lean):
    """Make the shell, with the extension or with what takes its line off, and all that forks would make anew."""
    for name in [*READY, *sys.argv[3:]]:
        importlib.import_module(name)
    streams = Streams()
    shell = make_shell(streams)
    sys.path.insert(0, "")  # as in a kernel
    if lean:
        shell.run_line_magic("load_ext", "lean_magic")
        shell._lean_magic.runner.settings.progress_after = 600.0
    else:
        shell.input_transformer_manager.cleanup_transforms.insert(0, without_magic)
    streams_before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Stream("stdout", streams), Stream("stderr", streams)
    with tempfile.TemporaryDirectory() as folder:
        warm(Notebook(shell, streams, {"folder": folder, "cells": WARM, "cache": folder if lean else ""}))
    shell.run_cell(sys.argv[2], store_history=True)
    streams.take()
    sys.stdout, sys.stderr = streams_before
    return shell, streams


def warm(notebook):
    """Run a small notebook, the second time cached, and forget it."""
    home, shell = os.getcwd(), notebook.shell
    for start in ("", "%%cached\n", "%%cached\n") if notebook.order["cache"] else ("",):
        notebook.order["cells"] = [start + cell for cell in WARM]
        plain(notebook.run(), notebook.order)
        shell.reset(new_session=True)
    shell.execution_count = 1
    if notebook.order["cache"]:
        runner = shell._lean_magic.runner
        runner.last, runner.planner.patches = None, type(runner.planner.patches)()
    os.chdir(home)
    for name in ("__warningregistry__", "__annotations__"):
        shell.user_ns.pop(name, None)
    shell.user_ns.update(dict.fromkeys(["_", "__", "___"], ""))


def main():
    """Answer every order.

    The arguments: whether the extension takes part, a first cell that all notebooks share, libraries.
    """
    del sys.path[0]
    shell, streams = begin(sys.argv[1] == "lean")
    gc.collect()
    gc.freeze()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        out.write(f"{order['number']} {answer(shell, streams, order)}")
        out.flush()


if __name__ == "__main__":
    main()
