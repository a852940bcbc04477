"""What a hit, a miss and a fingerprint cost, side by side with the peers in one run; no figure is asserted.

    python benchmarks/run.py                 print the tables (some minutes)
    python benchmarks/run.py --only goals    the goals alone
    python benchmarks/run.py --repeat 9      medians of more runs
    python benchmarks/run.py --json FILE     keep the figures
    python benchmarks/run.py --write         write benchmarks/RESULTS.md too

Every measurement runs in a process of its own (worker.py).
"""

import argparse
import compileall
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import goals
import report
from jobs import values
from report import Row, Section

HERE = Path(__file__).parent
FIGURES = ("to prompt", "memory", "to sum")


class Bench:
    """Measurements in fresh processes, over one cache of ours and one of joblib's, both in a new folder."""

    def __init__(self, folder, repeat, crowd):
        self.ours, self.peer = folder / "ours", folder / "joblib"
        self.repeat = repeat
        self.crowd = crowd

    def measure(self, task, *arguments):
        return self.run([sys.executable, "worker.py", task, *arguments])

    def run(self, command):
        folders = {"LEAN_MAGIC_CACHE_DIR": str(self.ours), "IPYTHONDIR": str(self.ours.parent)}
        return json.loads(goals.run(command, folders))

    def first(self, folder, task, *arguments):
        """The figures of one cell that stores the large array, in an empty folder."""
        shutil.rmtree(folder, ignore_errors=True)
        return self.measure(task, *arguments)

    def unseal(self):
        """As if the payloads had never been verified on this machine."""
        for seal in self.ours.rglob("*.ok"):
            seal.unlink()


def large(bench):
    stored, peer_stored = medians(
        max(bench.repeat // 2, 1),
        lambda: bench.first(bench.ours, "array, ours", "Miss"),
        lambda: bench.first(bench.peer, "array, joblib", bench.peer),
    )
    if hasattr(os, "sync"):
        os.sync()  # or else the hits would wait for the disk that is still writing
    verified, ours, read, mapped = medians(
        bench.repeat,
        lambda: [bench.unseal(), bench.measure("array, ours", "Hit")][1],
        lambda: bench.measure("array, ours", "Hit"),
        lambda: bench.measure("array, joblib", bench.peer),
        lambda: bench.measure("array, joblib", bench.peer, "r"),
    )
    rows = [
        Row("a hit, to the prompt", ours["to prompt"], read["to prompt"]),
        Row("  beside joblib with mmap_mode='r' (read-only)", ours["to prompt"], mapped["to prompt"]),
        Row("  the first on this machine: every byte is verified", verified["to prompt"], read["to prompt"]),
        Row("a hit, and x.sum() after it", ours["to sum"], read["to sum"]),
        Row("  beside joblib with mmap_mode='r' (read-only)", ours["to sum"], mapped["to sum"]),
        Row("peak memory of a hit", ours["memory"], read["memory"], "bytes"),
        Row("the run that stores it", stored["to prompt"], peer_stored["to prompt"]),
    ]
    how = (
        "`x = make()` as a `%%cached` cell, against `x = memory.cache(make)()` as a plain cell. Each in a "
        "fresh process where numpy is imported; the files are in the page cache. joblib does not verify what "
        "it reads."
    )
    return [Section("A 400 MB float32 array", how, rows)]


def medians(repeat, *ways):
    """Measure in turns, so that what else the machine does meets all; give the median of each figure."""
    rounds = [[way() for way in ways] for _ in range(repeat)]
    return [
        {name: statistics.median(each[name] for each in found) for name in FIGURES}
        for found in zip(*rounds, strict=True)
    ]


def trivial(bench):
    count = 20 * bench.repeat
    bare = bench.measure("trivial", bench.peer / "bare", count, "")
    shutil.rmtree(bench.ours)
    libraries = installed("numpy", "pandas", "matplotlib", "torch")
    full = bench.measure("trivial", bench.peer / "full", count, libraries)
    rows = [
        Row("a hit", *bare["hit"]),
        Row("a miss", *bare["miss"]),
        Row("a hit, with numpy, pandas, matplotlib and torch loaded", *full["hit"]),
        Row("a miss, with numpy, pandas, matplotlib and torch loaded", *full["miss"]),
        Row("a cell without %%cached, once the extension is loaded", full["uncached"][0]),
    ]
    how = (
        "Added to a plain `y = 1 + 1`, which takes "
        f"{bare['plain'] * 1e3:.1f} ms in the bare shell; medians of {count} cells in one process. "
        "On joblib's side a call that adds two numbers."
    )
    return [Section("What caching adds to a trivial cell", how, rows)]


def installed(*names):
    from importlib.util import find_spec

    return ",".join(name for name in names if find_spec(name))


def digests(bench):
    names = values()
    found = {name: bench.measure("digest", name, min(bench.repeat, 3)) or [None, None] for name in names}
    large = [Row(name, *found[name]) for name in names if "MB" in name]
    many = [Row(name, *found[name]) for name in names if "1e6" in name]
    how = "`lean_magic.values.fingerprint(value)` against `joblib.hash(value)`, in a process for each value."
    return [Section("Fingerprints, for each GB", how, large), Section("Fingerprints, in all", how, many)]


def loading(bench):
    took = {
        name: statistics.median(bench.measure("importing", name) for _ in range(bench.repeat))
        for name in ("lean_magic", "joblib")
    }
    extension = statistics.median(bench.measure("loading") for _ in range(bench.repeat))
    rows = [
        Row("import lean_magic, import joblib", took["lean_magic"], took["joblib"]),
        Row("%load_ext lean_magic, import joblib", extension, took["joblib"]),
    ]
    return [
        Section(
            "Loading, in a fresh process",
            "In a shell without a kernel. lean_magic imports joblib only to store.",
            rows,
        )
    ]


def main():
    options = arguments()
    start = time.perf_counter()
    # As pip leaves it: what is measured is not the compiler.
    compileall.compile_dir(HERE.parent / "lean_magic", quiet=2)
    with tempfile.TemporaryDirectory(prefix="lean_magic_bench_") as folder:
        bench = Bench(Path(folder).resolve(), options.repeat, options.crowd)
        sections = []
        parts = {part.__name__: part for part in (goals.goals, goals.peers, large, trivial, digests, loading)}
        for part in [parts[name] for name in options.only or parts]:
            sections += part(bench)
            say(f"{time.perf_counter() - start:4.0f} s  {sections[-1].title}")
    about = f"Medians, measured on {report.machine()}."
    if options.note:
        about += f" {options.note}"
    print(f"{report.plain(sections)}\n\n{about}\nTook {time.perf_counter() - start:.0f} s.")
    if options.json:
        options.json.write_text(json.dumps(report.as_json(sections, about), indent=1) + "\n")
    if options.write:
        (HERE / "RESULTS.md").write_text(report.markdown(sections, about))


def arguments():
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="fresh processes a figure: 5")
    parser.add_argument(
        "--crowd", type=int, default=100_000, metavar="N", help="entries in a full folder: 100,000"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="PART", help="of goals, peers, large, trivial, digests, loading"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures, in seconds and bytes")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    parser.add_argument("--note", default="", metavar="TEXT", help="a sentence about the machine")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
