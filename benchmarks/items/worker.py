"""One measurement in a fresh process: `python worker.py TASK ARGUMENTS` prints one line of JSON."""

import gc
import json
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from texts import narrow, texts, vectors


def timed(function, *arguments):
    """Give the seconds of a call, and its result."""
    gc.collect()
    start = time.perf_counter()
    found = function(*arguments)
    return time.perf_counter() - start, found


def use(name, folder, count):
    """Map once in this process, and check that the vectors are right."""
    from stores import STORES

    made = texts(int(count))
    vectors(made)
    bare, expected = timed(vectors, made)  # the second time, when memory is at hand
    seconds, found = timed(STORES[name][0], made, folder)
    assert np.array_equal(found, expected), f"{name} gave other vectors"
    return {"seconds": seconds, "bare": bare}


def look_up(name, folder, count):
    """Map what is known, after everything has been imported and one text been looked up."""
    from stores import STORES

    made = texts(int(count))
    function = STORES[name][0]
    if "whole" not in name:
        function(made[:1], folder)
    seconds, found = timed(function, made, folder)
    assert np.array_equal(found[::997], vectors(made[::997])), f"{name} gave other vectors"
    return {"seconds": seconds}


def grown(count):
    """Give what is computed when a corpus of `count` texts has grown by a hundredth."""
    import lean_magic

    mapped = lean_magic.cached_map(vectors, quiet=True)
    mapped(texts(int(count) * 101 // 100))
    last = mapped.last
    return {"found": last.found, "computed": last.computed, "batches": last.batches, "seconds": last.spent}


def many(count):
    """Give the seconds to open and look up so many narrow items, and the memory beyond the result."""
    import lean_magic

    made = texts(int(count))
    mapped = lean_magic.cached_map(narrow, quiet=True, batch_size=8192)
    if not mapped.plan(made[-1:]).found:
        mapped(made)
        return None
    from lean_magic.items import index

    index._known.clear()  # noqa: SLF001  as in a process that has just started
    gc.collect()
    before = reset_peak()
    seconds, found = timed(mapped, made)
    return {"seconds": seconds, "memory": peak() - before - found.nbytes}


def reset_peak():
    """Start counting the peak anew; gives the bytes in memory now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak():
    """Give the most bytes this process has had in memory."""
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


TASKS = {"use": use, "look up": look_up, "grown": grown, "many": many}

if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
