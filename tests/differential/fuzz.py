"""Judge programs by the ten thousand: `fuzz.py [COUNT] [--seconds N] [--start N] [--processes N] [--only N]`.

Every program has a number, from which alone it is written.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from campaign import Campaign, write  # noqa: E402
from comparing import Oracle  # noqa: E402
from phrases import START  # noqa: E402
from workers import Workers  # noqa: E402

CHUNK = 100


def numbered(number):
    """Write the program of a number."""
    chance = random.Random(number)
    return write(chance.randrange)


def chunk(start, count):
    """Judge programs of consecutive numbers with workers of their own."""
    shelf = "/dev/shm" if Path("/dev/shm").is_dir() else None
    home = Path(tempfile.mkdtemp(prefix="fuzz", dir=shelf))
    workers = Workers(home, START)
    campaign = Campaign(Oracle(workers, home))
    try:
        for number in range(start, start + count):
            campaign.judge(number, numbered(number))
    finally:
        workers.close()
        shutil.rmtree(home, ignore_errors=True)
    campaign.oracle = None
    return campaign


def merge(total, part):
    """Add the books of one chunk to the whole; gives the failures that are new."""
    for name in ("programs", "unstable", "should", "hits"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    for name in ("kinds", "needless", "bypasses"):
        getattr(total, name).update(getattr(part, name))
    new = []
    for kind, failure in part.failures.items():
        if kind in total.failures:
            total.failures[kind].count += failure.count
        else:
            total.failures[kind] = failure
            new.append(failure)
    return new


def parsed():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=50_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--start", type=int, default=0, help="number of the first program")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, help="judge one program, and show it")
    return parser.parse_args()


def main():
    """Judge, print progress, and end with 1 if anything failed."""
    options = parsed()
    if options.only is not None:
        print(numbered(options.only).shown())
        options.start, options.count, options.processes = options.only, 1, 1
    total, begun = Campaign(None), time.monotonic()
    starts = range(options.start, options.start + options.count, CHUNK)
    with ProcessPoolExecutor(options.processes, max_tasks_per_child=1) as pool:
        last = options.start + options.count
        pending = [pool.submit(chunk, start, min(CHUNK, last - start)) for start in starts]
        for done in as_completed(pending):
            report(total, merge(total, done.result()), time.monotonic() - begun)
            if time.monotonic() - begun > options.seconds:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    print(total.summary())
    for failure in total.failures.values():
        print("\n" + failure.shown())
    return int(bool(total.failures))


def report(total, new, seconds):
    """Print one line of progress, and what is new."""
    print(
        f"{total.programs} programs, {total.programs / seconds:.1f}/s, hit rate {total.rate:.2%}", flush=True
    )
    for failure in new:
        print("\n" + failure.shown(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
