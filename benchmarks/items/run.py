"""Measure `cached_map` beside other caches of items, and against what it promises.

Each figure is from a fresh process. Vectors cost next to nothing here, so the caches are what is measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import report  # noqa: E402
from stores import STORES, available  # noqa: E402

RAW = 768 * 4  # bytes of one vector
MINUTES = 300  # seconds of the embedding that storing is compared with


class Bench:
    """Runs measurements in fresh processes; every cache has a folder of its own."""

    def __init__(self, folder, repeat, count):
        self.folder, self.repeat, self.count = folder, repeat, count

    def measure(self, *words, cache="lean"):
        """Run one task in a process."""
        environ = {
            **os.environ,
            "LEAN_MAGIC_CACHE_DIR": str(self.folder / cache),
            "LEAN_MAGIC_MAX_SIZE": "100G",
        }
        environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), environ.get("PYTHONPATH", "")])
        command = [sys.executable, str(HERE / "worker.py"), *map(str, words)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, words))} failed:\n{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])

    def size(self, folder):
        """Give bytes and files below a folder."""
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != "ledger.jsonl"]
        return sum(path.stat().st_size for path in files), len(files)


def compared(bench):
    """Give a row for each cache: cold, warm, disk, files."""
    rows = []
    for name in available():
        count = bench.count // (10 if STORES[name][2] else 1)
        folder = bench.folder / "lean" if "lean_magic" in name else bench.folder / name.partition(",")[0]
        folder.mkdir(mode=0o700)
        cold = bench.measure("use", name, folder, count)
        warm = [bench.measure("look up", name, folder, count)["seconds"] for _ in range(bench.repeat)]
        held, files = bench.size(folder)
        rows.append(
            {
                "name": name,
                "items": count,
                "cold": (cold["seconds"] - cold["bare"]) / count,
                "warm": statistics.median(warm) / count,
                "disk": held / count / RAW,
                "files": files / count * 100_000,
            }
        )
        say(f"{name}: {rows[-1]}")
    return rows


def promised(bench, rows):
    """Give (what, goal, measured, kept) for each promise."""
    by = {row["name"]: row for row in rows}
    ours, whole = by["lean_magic, item by item"], by["the whole array, np.save"]
    grown = bench.measure("grown", bench.count)
    new = bench.count // 100
    cold = ours["cold"] * 100_000
    found = [
        (
            "computed where 1 % is new",
            f"{new:,} + canaries",
            f"{grown['computed']:,}",
            grown["computed"] == new,
        ),
        (
            "warm lookup ÷ np.load of the whole",
            "≤ 2.5",
            f"{ours['warm'] / whole['warm']:.2f}",
            ours["warm"] <= 2.5 * whole["warm"],
        ),
        ("warm lookup, an item", "≤ 10 µs", f"{ours['warm'] * 1e6:.2f} µs", ours["warm"] <= 1e-5),
        ("cold store of 100,000 ÷ five minutes", "< 1 %", f"{cold / MINUTES:.2%}", cold < MINUTES / 100),
        ("disk ÷ raw", "≤ 1.02", f"{ours['disk']:.3f}", ours["disk"] <= 1.02),
        ("files for 100,000", "≤ 30", f"{ours['files']:.0f}", ours["files"] <= 30),
    ]
    return found + millions(bench) + kills(bench)


def millions(bench):
    """Look up a tenth of a million items, and a million."""
    figures = []
    for count in (bench.count, 10 * bench.count):
        bench.measure("many", count, cache=f"many {count}")
        figures.append(bench.measure("many", count, cache=f"many {count}"))
    few, more = figures
    ratio = more["seconds"] / few["seconds"]
    memory = more["memory"] / 1e6
    return [
        (
            f"{10 * bench.count:,} ÷ {bench.count:,} items, time",
            "about 10",
            f"{ratio:.1f} ({more['seconds']:.2f} s)",
            ratio < 14,
        ),
        (
            f"memory beyond the result, {10 * bench.count:,} items",
            "≤ 40 MB",
            f"{memory:.0f} MB",
            memory <= 40,
        ),
    ]


def kills(bench):
    """Kill four writers at a time at random, thirty times."""
    cache = bench.folder / "killed" / "cache"
    cache.parent.mkdir()
    program = HERE.parents[1] / "tests" / "stress" / "items.py"
    environ = {**os.environ, "LEAN_MAGIC_CACHE_DIR": str(cache), "PYTHONPATH": str(HERE.parents[1])}
    command = [sys.executable, str(program), "random", str(cache), "30"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    said = f"{told['wrong']} wrong, {told['lost']} lost, {told['killed']} killed"
    return [
        (
            "four writers, killed 30 times",
            "0 wrong, 0 finished batches lost",
            said,
            not (told["wrong"] or told["lost"]),
        )
    ]


def cells(row):
    """Write the figures of one cache."""
    micro = [f"{max(row[name], 0) * 1e6:,.1f}" for name in ("cold", "warm")]
    return row["name"], f"{row['items']:,}", *micro, f"{row['disk']:.2f}", f"{row['files']:,.0f}"


def tables(rows, promises):
    """Write both tables as markdown."""
    text = [
        "| | items | storing, µs an item | looking up, µs an item | disk ÷ raw | files per 100,000 |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    text += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    text += ["", "| | goal | measured | |", "|---|--:|--:|---|"]
    text += [
        f"| {what} | {goal} | {measured} | {'✓' if kept else '✗'} |"
        for what, goal, measured, kept in promises
    ]
    return "\n".join(text)


def main():
    """Measure, print, and write what is asked for."""
    options = arguments()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="lean_magic_items_") as folder:
        bench = Bench(Path(folder).resolve(), options.repeat, options.items)
        rows = compared(bench)
        promises = promised(bench, rows)
    about = f"Medians of {options.repeat}, measured on {report.machine()}. {options.note}".strip()
    table = tables(rows, promises)
    print(f"{table}\n\n{about}\nTook {time.perf_counter() - start:.0f} s.")
    if options.json:
        path = options.json.with_name(f"{options.json.stem}-items.json")
        path.write_text(json.dumps({"machine": about, "rows": rows, "promises": promises}, indent=1) + "\n")
    if options.write:
        how = "Texts of 400 characters, vectors of 768 float32. Slow caches were given a tenth of the texts."
        (HERE / "RESULTS.md").write_text(
            f"# Items\n\nWritten by `make bench ARGS=--write`. {about}\n\n{how}\n\n{table}\n"
        )


def arguments():
    """Read the command line, which is that of `benchmarks/run.py` too."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="fresh processes a figure: 5")
    parser.add_argument("--items", type=int, default=100_000, metavar="N", help="texts: 100,000")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures to FILE, with -items in its name"
    )
    parser.add_argument("--write", action="store_true", help="write benchmarks/items/RESULTS.md")
    parser.add_argument("--note", default="", metavar="TEXT", help="a sentence about the machine")
    return parser.parse_args()


def say(text):
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
