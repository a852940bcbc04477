"""marimo's persistent_cache as its documentation uses it: a block in a cell of an app. Run by peers.py."""

import marimo

app = marimo.App()


@app.cell
def _():
    import os
    import time

    import marimo as mo
    import numpy as np

    size, folder = int(os.environ["BENCH_SIZE"]), os.environ["BENCH_FOLDER"]
    return folder, mo, np, size, time


@app.cell
def _(folder, mo, np, size, time):
    start = time.perf_counter()
    with mo.persistent_cache(name="make", save_path=folder):
        x = np.arange(size // 4, dtype=np.float32)
    took = time.perf_counter() - start
    return took, x
