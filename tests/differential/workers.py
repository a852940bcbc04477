"""Long-lived processes of two hash seeds, with the extension and without, which run notebooks in forks."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SEEDS = (1, 2)


class Worker:
    """One process; `start` sends an order, `finish` waits for what came of it.

    Answers bear the number of their order, so that those nobody waited for, since a test
    was interrupted, are not taken for others.
    """

    def __init__(self, seed, kind, home, start, libraries):
        self._orders = 0
        environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environ |= {"PYTHONHASHSEED": str(seed), "IPYTHONDIR": str(home), "MPLCONFIGDIR": str(home)}
        environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
        command = [sys.executable, "-Xfrozen_modules=off", "-W", "ignore::DeprecationWarning:multiprocessing"]
        self._process = subprocess.Popen(
            [*command, str(HERE / "worker.py"), kind, start, *libraries],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ | ({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        )

    def start(self, cells, folder, cache=""):
        """Order a notebook to be run in a folder; without a cache, `%%cached` lines say nothing."""
        self._orders += 1
        order = {"number": self._orders, "cells": cells, "folder": str(folder), "cache": str(cache)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def finish(self):
        """Wait for the notebook."""
        number = ""
        while number != str(self._orders):
            number, _, told = self._process.stdout.readline().partition(" ")
            assert told, "the worker has ended"
        return json.loads(told)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


class Workers:
    """Two workers with the extension and two without, of two hash seeds; `start` is every notebook's first cell."""

    def __init__(self, home, start="", libraries=()):
        self.lean, self.plain = (
            [Worker(seed, kind, home, start, libraries) for seed in SEEDS] for kind in ("lean", "plain")
        )

    def close(self):
        """End them."""
        for worker in [*self.lean, *self.plain]:
            worker.close()
