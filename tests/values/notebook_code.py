"""Objects as cells of a notebook make them, and fingerprints as other processes take them."""

import builtins
import itertools
import linecache
import os
import subprocess
import sys
from pathlib import Path

_numbers = itertools.count()


def made(source, name="C", **given):
    """Run `source` as a cell of its own notebook; return what it calls `name`."""
    namespace = {"__name__": "__main__", "__builtins__": builtins, **given}
    file = f"<cell {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec", dont_inherit=True), namespace)
    return namespace[name]


def elsewhere(source, seed, **environ):
    """Run `source` in a new process with a hash seed; return what it printed."""
    root = Path(__file__).parents[2]
    variables = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(root), **environ}
    told = subprocess.run(
        [sys.executable, "-c", source], env=variables, capture_output=True, text=True, check=False
    )
    assert not told.returncode, told.stderr[-2000:]
    return told.stdout


def in_processes(definitions, expression, seeds=(0, 1, 2, 3)):
    """Give the fingerprints of an expression in processes with different hash seeds."""
    source = f"{definitions}\nfrom lean_magic.values import fingerprint\nprint(fingerprint({expression}))"
    return {elsewhere(source, seed) for seed in seeds}
