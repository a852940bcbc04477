"""Writers of items on one cache that are killed at every write, or at random: run as a program, prints JSON.

python items.py points CACHE         kill at the first write point, at the second, … until one call gets through
python items.py random CACHE ROUNDS  four writers of overlapping items a round, each killed at a random moment
"""

import contextlib
import io
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

import lean_magic

CACHE = Path(sys.argv[2])
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}
LOG = [-1]  # where a writer notes each batch that it begins
PAUSE = [0.002]  # seconds that a batch takes at least


def rows(numbers):
    """Give a row for each number, slowly."""
    if LOG[0] >= 0:
        os.write(LOG[0], (json.dumps(numbers) + "\n").encode())
        time.sleep(PAUSE[0])
    return np.array(numbers, "f8")[:, None] * np.arange(1, 65)


def call(numbers):
    """Map, and tell whether every row is right."""
    mapped = lean_magic.cached_map(rows, batch_size=8, version=1, quiet=True)
    return bool(
        np.array_equal(mapped(list(numbers)), np.array(list(numbers), "f8")[:, None] * np.arange(1, 65))
    )


def missing(numbers):
    """Count the items that are not stored."""
    return lean_magic.cached_map(rows, version=1).plan(list(numbers)).unique_missing if numbers else 0


def in_child(work):
    """Run `work` in a fork; return its exit status: negative is the signal that ended it."""
    child = os.fork()
    if child == 0:
        with contextlib.redirect_stderr(io.StringIO()):
            os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(point):
    """Kill this process at its n-th step that changes the cache folder."""
    left = [point]

    def hook(event, args):
        opens = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if (opens or event in WRITES) and str(CACHE) in str(args[0]):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def logged(path):
    """Give the numbers of all batches that a writer began, but of the last."""
    lines = path.read_text().splitlines() if path.exists() else []
    batches = [json.loads(line) for line in lines if line.endswith("]")]
    return {number for batch in batches[:-1] for number in batch}


def write(path, numbers, point=0):
    """Map with a log of the batches."""
    LOG[0] = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    if point:
        kill_at(point)
    return call(numbers)


def points():
    """Kill at each point in turn, on new items; what was computed before the last batch is there."""
    killed, wrong, lost = 0, [], 0
    log = CACHE.parent / "log"
    for point in range(1, 300):
        numbers = range(point * 100, point * 100 + 60)
        log.unlink(missing_ok=True)
        status = in_child(lambda point=point, numbers=numbers: write(log, numbers, point))
        lost += missing(logged(log))
        wrong += [point] if status == 1 or in_child(lambda numbers=numbers: call(numbers)) else []
        if status == 0:
            break
        killed += 1
    return {"killed": killed, "wrong": wrong, "lost": lost, "got through": status == 0}


def at_random(rounds):
    """Let four writers work on overlapping items, and kill them."""
    rng, wrong, lost, killed = random.Random(0), 0, 0, 0
    PAUSE[0] = 0.03  # no writer is through before it is killed, however fast the machine
    for turn in range(rounds):
        writers = {}
        for number in range(4):
            start = turn * 200 + rng.randrange(100)
            log = CACHE.parent / f"log {turn} {number}"
            child = os.fork()
            if child == 0:
                with contextlib.redirect_stderr(io.StringIO()):
                    os._exit(0 if write(log, [*range(start, start + 150), *range(turn * 50)]) else 1)
            writers[child] = log
        time.sleep(rng.random() * 0.4)
        for child, log in writers.items():
            os.kill(child, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            killed += status < 0
            wrong += status > 0
            lost += missing(logged(log))
    wrong += in_child(lambda: call(range(rounds * 200 + 200))) != 0
    return {"killed": killed, "wrong": wrong, "lost": lost}


if __name__ == "__main__":
    print(json.dumps(points() if sys.argv[1] == "points" else at_random(int(sys.argv[3]))))
