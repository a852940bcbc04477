"""Processes on one cache that are killed at a chosen write, or at random: run as a program, prints JSON.

python crashes.py points CACHE    kill at the first write point, at the second, … until one run gets through
python crashes.py random CACHE    several workers on a few keys, killed with SIGKILL at random moments
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

import lean_magic
from lean_magic.store import payload

CACHE = Path(sys.argv[2])
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}
SIZE = 30_000  # float64: larger than what stays in the pickle


@lean_magic.cached
def computed(seed, given):
    """Return arrays and text, and change an argument in place."""
    given.append(seed)
    return {"a": np.arange(SIZE) * float(seed), "text": f"{seed}" * 10, "given": given}


def is_right(seed):
    """Return whether a call, run or replayed, does what the function says."""
    given = []
    found = computed(seed, given)
    same = np.array_equal(found["a"], np.arange(SIZE) * float(seed)) and found["text"] == f"{seed}" * 10
    return bool(same and found["given"] is given and given == [seed])


def kill_at(point):
    """Kill this process at its n-th step that changes the cache folder."""
    left = [point]

    def step():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, args):
        opens = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if (opens or event in WRITES) and str(CACHE) in str(args[0]):
            step()

    written = payload.PayloadWriter.write

    def write(self, data):
        step()
        half = memoryview(data).cast("B")
        if left[0] == 1:
            written(self, half[: len(half) // 2])
            step()
        return written(self, data)

    payload.PayloadWriter.write = write
    sys.addaudithook(hook)


def in_child(work):
    """Run `work` in a fork; return its exit status: negative is the signal that ended it."""
    child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def points():
    """Kill at each point in turn; after each, a clean process must be right."""
    killed, wrong = 0, []
    for point in range(1, 200):

        def doomed(point=point):
            kill_at(point)
            return is_right(point)

        status = in_child(doomed)
        wrong += [point] if status == 1 or in_child(lambda point=point: is_right(point)) != 0 else []
        if status == 0:
            break
        killed += 1
    return {"killed": killed, "wrong": wrong, "got through": status == 0}


def at_random():
    """Let workers call for a few keys while they are killed and replaced."""
    rng, end = random.Random(0), time.monotonic() + float(os.environ.get("STRESS_SECONDS", "6"))
    workers, wrong, killed = {}, 0, 0
    while time.monotonic() < end:
        while len(workers) < 3:
            seed = rng.randrange(6)
            child = os.fork()
            if child == 0:
                os._exit(0 if all(is_right((seed + n) % 6) for n in range(20)) else 1)
            workers[child] = seed
        time.sleep(rng.random() * 0.05)
        victim = rng.choice(list(workers))
        if rng.random() < 0.5:
            os.kill(victim, signal.SIGKILL)
            killed += 1
            status = os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1])
        else:
            done, raw = os.waitpid(victim, os.WNOHANG)
            if not done:
                continue
            status = os.waitstatus_to_exitcode(raw)
        wrong += status > 0
        del workers[victim]
    for child in workers:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    wrong += in_child(lambda: all(is_right(seed) for seed in range(6))) != 0
    return {"killed": killed, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(points() if sys.argv[1] == "points" else at_random()))
