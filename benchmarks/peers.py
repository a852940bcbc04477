"""One measurement of a peer in a fresh process: `python peers.py PEER SIZE FOLDER` prints one line of JSON.

Each is used as its documentation says, with what it offers for large results: diskcache without its limit of 1 GB,
cachier with a file for each call, joblib plain and mapped.
"""

import json
import os
import sys
import time
from pathlib import Path


def make(size):
    """An array of `size` bytes, the same every time."""
    import numpy as np

    return np.arange(size // 4, dtype=np.float32)


def joblib(size, folder, mode=None):
    import joblib

    return joblib.Memory(folder, mmap_mode=mode, verbose=0).cache(make), size


def diskcache(size, folder):
    import diskcache

    return diskcache.Cache(folder, size_limit=1 << 40).memoize()(make), size


def cachier(size, folder):
    import cachier

    return cachier.cachier(cache_dir=folder, separate_files=True)(make), size


def marimo(size, folder):
    os.environ.update(BENCH_SIZE=str(size), BENCH_FOLDER=folder)
    import peer_marimo

    return peer_marimo.app.run, None


PEERS = {
    "joblib.Memory": joblib,
    "joblib, mapped read-only": lambda size, folder: joblib(size, folder, "r"),
    "diskcache": diskcache,
    "cachier": cachier,
    "marimo persistent_cache": marimo,
}


def call(name, size, folder):
    """Seconds of one call, seconds until all of the result is read, bytes of peak memory."""
    from worker import peak, reset_peak

    call, argument = PEERS[name](size, folder)
    import numpy as np  # noqa: F401  it is the user's, who has imported it

    before = reset_peak()
    start = time.perf_counter()
    found = call() if argument is None else call(argument)
    took = time.perf_counter() - start
    if argument is None:
        took, found = found[1]["took"], found[1]["x"]  # what starting the app costs is not counted
    growth = peak() - before
    start = time.perf_counter()
    found.sum(dtype="float64")
    return {"to prompt": took, "memory": growth, "to sum": took + time.perf_counter() - start}


def digest(name):
    """Seconds of `datasets.fingerprint.Hasher.hash` on one of the values in jobs.py."""
    from datasets.fingerprint import Hasher
    from jobs import values
    from worker import median, several

    make, amount = values()[name]
    return median(several(Hasher.hash, make(), 3)) / amount


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    task, *arguments = sys.argv[1:]
    found = digest(*arguments) if task == "digest" else call(task, int(arguments[0]), arguments[1])
    print(json.dumps(found))
