"""One measurement in a fresh process: `python worker.py TASK ARGUMENTS` prints one line of JSON.

Nothing is warm but the page cache. Cells run in an IPython shell inside this process, without a kernel
and its messages, and what they print goes nowhere.
"""

import contextlib
import gc
import io
import json
import os
import re
import statistics
import sys
import time
from pathlib import Path


def main(task, *arguments):
    with contextlib.redirect_stdout(io.StringIO()):
        found = (TASKS.get(task) or limits()[task])(*arguments)
    print(json.dumps(found))


# -- the large array ------------------------------------------------------------


def array_cell(cell, *setup, expected=None, size=None):
    """Run one cell that binds `x`; seconds to the prompt, bytes of peak memory, seconds until all is read."""
    shell = started(
        "import numpy", f"import jobs\nfrom jobs import make\njobs.SIZE = {size} or jobs.SIZE", *setup
    )
    before = reset_peak()
    to_prompt = seconds(shell, cell, expected)
    growth = peak() - before
    to_sum = seconds(shell, "x.sum(dtype='float64')")
    return {"to prompt": to_prompt, "memory": growth, "to sum": to_prompt + to_sum}


def joblib_setup(folder, mode=None):
    memory = f"joblib.Memory({folder!r}, mmap_mode={mode!r}, verbose=0)"
    return "import joblib", f"cached = {memory}.cache(make)"


# -- a trivial cell ---------------------------------------------------------------


def trivial(folder, count, libraries):
    """Seconds that a hit and a miss add to a cell that does nothing: [ours, joblib's], medians of `count`."""
    shell = started(*(f"import {name}" for name in filter(None, libraries.split(","))))
    count = int(count)
    plain = median(seconds(shell, "y = 1 + 1") for _ in range(count))
    seconds(shell, f"import joblib, jobs; cached = joblib.Memory({folder!r}, verbose=0).cache(jobs.add)")
    joblib_misses = median(seconds(shell, f"y = cached(1, {number})") for number in range(count))
    joblib_hits = median(seconds(shell, "y = cached(1, 1)") for _ in range(count))
    seconds(shell, "%load_ext lean_magic")
    misses = median(seconds(shell, f"%%cached\ny = 1 + {number}", "Miss") for number in range(count))
    hits = median(seconds(shell, "%%cached\ny = 1 + 1", "Hit") for _ in range(count))
    others = median(seconds(shell, "y = 1 + 1") for _ in range(count))
    found = {"hit": [hits, joblib_hits], "miss": [misses, joblib_misses], "uncached": [others, plain]}
    return {name: [each - plain for each in both] for name, both in found.items()} | {"plain": plain}


def long_cell(repeat):
    """Seconds of a cell of 100 statements: in plain IPython, once the extension is loaded, and as a hit."""
    shell = started()
    text = "\n".join(f"v{i} = [k * {i} + len(str(k)) for k in range(3) if k != {i}]" for i in range(100))
    plain = median(seconds(shell, text) for _ in range(int(repeat)))
    seconds(shell, "%load_ext lean_magic")
    loaded = median(seconds(shell, text) for _ in range(int(repeat)))
    seconds(shell, f"%%cached\n{text}", "Miss")
    hit = median(seconds(shell, f"%%cached\n{text}", "Hit") for _ in range(int(repeat)))
    return {"plain": plain, "loaded": loaded, "hit": hit}


# -- fingerprints -------------------------------------------------------------------


def digest(name, repeat):
    """Seconds to fingerprint one value, ours and joblib's; None where a library is missing."""
    import joblib
    from jobs import values

    from lean_magic.values import fingerprint

    make, amount = values()[name]
    try:
        value = make()
    except ImportError:
        return None
    both = (fingerprint, joblib.hash)
    return [median(several(take, value, int(repeat))) / amount for take in both]


def several(take, value, repeat):
    """Time a call `repeat` times, or fewer once it has taken two seconds in all."""
    found = []
    while len(found) < repeat and sum(found) < 2:
        found.append(timed(take, value))
    return found


# -- loading ---------------------------------------------------------------------------


def importing(name):
    """Seconds of an import in a process that has imported nothing but this file."""
    return timed(__import__, name)


def loading():
    """Seconds of `%load_ext lean_magic` in a shell that has just started."""
    shell = started()
    gc.unfreeze()  # no kernel has frozen anything
    return seconds(shell, "%load_ext lean_magic")


# -- beside what the machine can do ---------------------------------------------------


def limits():
    sys.modules["worker"] = sys.modules["__main__"]
    import limits

    return limits.TASKS


# -- how -----------------------------------------------------------------------------------


def started(*cells):
    """Start a shell and run some cells in it."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    shell.run_cell("1 + 1")
    for cell in cells:
        seconds(shell, cell)
    gc.collect()
    gc.freeze()  # what the collector does with a library's objects is not to be measured
    return shell


def seconds(shell, cell, expected=None):
    """Run a cell and time it; an error, or an outcome of ours that was not expected, ends the measurement."""
    start = time.perf_counter()
    result = shell.run_cell(cell, store_history=True)
    took = time.perf_counter() - start
    result.raise_error()
    if expected and outcome() != expected:
        sys.exit(f"expected a {expected}, got: {sys.modules['lean_magic'].last_outcome().line}")
    return took


def outcome():
    module = sys.modules.get("lean_magic")
    return type(module.last_outcome()).__name__ if module is not None else ""


def timed(function, *arguments):
    gc.collect()
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def median(numbers):
    return statistics.median(numbers)


def reset_peak():
    """Start counting the peak anew where the system can; gives the bytes in memory now."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak():
    """Give the most bytes this process has had in memory."""
    try:
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


TASKS = {
    "array, ours": lambda expected, size=None: array_cell(
        "%%cached\nx = make()", "%load_ext lean_magic", expected=expected, size=size
    ),
    "array, joblib": lambda folder, mode="": array_cell("x = cached()", *joblib_setup(folder, mode or None)),
    "trivial": trivial,
    "long cell": long_cell,
    "digest": digest,
    "importing": importing,
    "loading": loading,
}

if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main(*sys.argv[1:])
