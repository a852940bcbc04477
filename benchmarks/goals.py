"""The goals, each as a ratio measured here and now; and the peers, each at its best, on the same large results."""

import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from jobs import COLLECTIONS, LAYOUTS, MODULES, RESULTS
from report import GOAL_HEADS, Goal, Line, Section, duration, size

HERE = Path(__file__).parent
MB = 1 << 20
PEERS = ("joblib.Memory", "joblib, mapped read-only", "diskcache", "cachier", "marimo persistent_cache")
# Peers have an environment of their own: what they bring along would change what is measured, and tested.
PEERS_PYTHON = HERE.parent / ".venv-bench" / "bin" / "python"


def goals(bench):
    rows = [
        *_reading(bench),
        *_collecting(bench),
        *_modules(bench),
        *_hits(bench),
        *_small(bench),
        *_storing(bench),
    ]
    rows += [*_crowd(bench), *_on_gpu(), *_in_place(bench)]
    how = (
        "Each figure is a ratio of two that were taken in turns. “Reading” is `x.view('u8').sum()` by one thread, "
        "over the same memory, or over as much other where it has gaps or another order."
    )
    return [Section("Goals", how, rows, GOAL_HEADS)]


def _reading(bench):
    for name in LAYOUTS:
        found = bench.measure("reading", name, 3 * bench.repeat)
        plain = name in LAYOUTS[:3]
        least = 0.7 if plain else 0.4
        told = f"{found['one']:.0%} of reading by one thread, {found['many']:.0%} by all"
        told += f"; peak memory + {size(max(found['memory'], 0))}"
        met = found["same"] and max(found["one"], found["many"]) >= least and found["memory"] <= 64 * MB
        goal = f"≥ {least:.0%}, peak ≤ 64 MB"
        if found["joblib"]:
            told += f"; {found['joblib']:.0f} × joblib.hash"
            goal += ", ≥ 8 × joblib.hash"
            met = met and found["joblib"] >= 8
        yield Goal(f"fingerprint: {name}, 100 MB", told, goal, met)


def _collecting(bench):
    for name in COLLECTIONS:
        found = bench.measure("collecting", name, bench.repeat)
        told = f"{found['joblib']:.0f} × joblib.hash, {found['pickle']:.2f} × pickling to nowhere"
        met = found["joblib"] >= 10 and found["pickle"] <= 3
        yield Goal(f"fingerprint: {name}", told, "≥ 10 × joblib.hash, ≤ 3 × pickling", met)


def _modules(bench):
    for name in MODULES:
        found = bench.measure("module", name, bench.repeat)
        more = found["whole"] - found["bare"]
        sign = "+" if more >= 0 else "−"
        told = f"its tensors one by one {sign} {duration(abs(more))} ({found['bytes'] / found['whole'] / 1e9:.1f} GB/s)"
        is_more = "tokenizer" in name  # whose text alone takes the library that long to write
        goal, met = ("", None) if is_more else ("its tensors + ≤ 5 ms", more <= 5e-3)
        yield Goal(f"fingerprint: torch module, {name}", told, goal, met)


def _hits(bench):
    joblib = _peer(bench, "joblib.Memory", 1 << 30, sys.executable)
    shutil.rmtree(bench.ours, ignore_errors=True)
    for kind in RESULTS:
        bench.measure("hit", kind, "Miss")
        bench.measure("hit", kind, "Hit")  # the first one verifies every byte
        found = [bench.measure("hit", kind, "Hit") for _ in range(bench.repeat)]
        took, growth, touch = (
            statistics.median(each[name] for each in found) for name in ("to prompt", "memory", "touch")
        )
        times = joblib["warm"]["to prompt"] / took
        told = f"{duration(took)}, {times:.0f} × joblib.Memory, peak memory + {size(max(growth, 0))}"
        told += f"; all touched in {duration(touch)}"
        met = took <= 15e-3 and times >= 100 and growth < 10e6
        yield Goal(f"a hit on 1 GiB: {kind}", told, "≤ 15 ms, ≥ 100 × joblib.Memory, peak < 10 MB", met)
    shutil.rmtree(bench.ours, ignore_errors=True)


def _small(bench):
    found = bench.measure("trivial", bench.peer / "goal", 20 * bench.repeat, "")
    ours, joblib = found["hit"]
    told = f"{duration(ours)} more than plain IPython; a call through joblib.Memory {duration(joblib)}"
    yield Goal("a hit on a trivial cell", told, "≤ 3 ms more", ours <= 3e-3)
    found = bench.measure("long cell", 5 * bench.repeat)
    more = {name: found[name] - found["plain"] for name in ("hit", "loaded")}
    told = f"{duration(more['hit'])} more than to run them in plain IPython, {duration(found['plain'])}"
    yield Goal("a hit on a cell of 100 statements", told, "", None)
    told = f"{duration(more['loaded'])} more once the extension is loaded"
    yield Goal("an uncached cell of 100 statements", told, "", None)
    loading = statistics.median(bench.measure("loading") for _ in range(bench.repeat))
    yield Goal("%load_ext lean_magic", duration(loading), "≤ 50 ms", loading <= 50e-3)


def _storing(bench):
    shutil.rmtree(bench.ours, ignore_errors=True)
    bench.ours.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = bench.measure("storing", bench.ours, bench.repeat)
    ratio = found["ours"] / found["raw"]
    told = (
        f"{ratio:.2f} × a raw write ({duration(found['raw'])}), peak memory + {size(max(found['memory'], 0))}"
    )
    yield Goal(
        "storing 1 GiB", told, "≤ 1.3 × a raw write, no second copy", ratio <= 1.3 and found["memory"] < 100e6
    )
    shutil.rmtree(bench.ours, ignore_errors=True)


def _crowd(bench):
    shutil.rmtree(bench.ours, ignore_errors=True)
    found = bench.measure("crowd", bench.ours, bench.crowd, bench.repeat)
    ratio = found["many"] / found["few"]
    name = f"{found['count']:,} entries in the folder"
    yield Goal(f"{name}: a hit", f"{ratio:.2f} × a hit among 10", "≤ 1.1 ×", ratio <= 1.1)
    yield Goal(f"{name}: %lean ls", duration(found["ls"]), "≤ 1 s", found["ls"] <= 1)
    shutil.rmtree(bench.ours, ignore_errors=True)


def _on_gpu():
    yield Goal(
        "fingerprint of a GPU's tensor, on the device", "not measured", "≥ 1 TB/s, ≤ 256 MB more", None
    )
    yield Goal("restoring a tensor to a GPU", "not measured", "≥ 70 % of a plain pinned copy", None)


def _in_place(bench):
    found = bench.measure("in place", bench.repeat)
    told = f"{found['again'] / found['mutable']:.2f} × one pass over the mutable inputs"
    yield Goal(
        "after a cell: what it changed in place",
        told,
        "≤ 1 × (and a little)",
        found["again"] <= 1.2 * found["mutable"],
    )


# -- the peers ------------------------------------------------------------------------


def peers(bench):
    sections = []
    for name, bytes_ in (("400 MB", 400_000_000), ("1 GiB", 1 << 30)):
        rows = [Line(_told("lean_magic", _ours(bench, bytes_)))]
        for peer in PEERS if PEERS_PYTHON.exists() else PEERS[:2]:
            python = sys.executable if peer.startswith("joblib") else PEERS_PYTHON
            rows.append(Line(_told(peer, _peer(bench, peer, bytes_, python))))
        heads = (
            "",
            "the run that stores it",
            "a hit, cold",
            "a hit, warm",
            "and x.sum()",
            "peak memory of a hit",
        )
        sections.append(Section(f"A float32 array of {name}, beside the peers", _HOW, rows, heads))
    return [*sections, *_hashers(bench)]


_HOW = (
    "Seconds in a fresh process in which numpy and the peer are imported. “Cold”: the files are not in the page cache, "
    "where the system could be made to forget them. lean_magic verifies every byte of a payload before its first use "
    "on a machine, which is in none of these figures; the peers never do."
)


def _told(name, found):
    return (
        name,
        *(duration(found[state]["to prompt"]) for state in ("stored", "cold", "warm")),
        duration(found["warm"]["to sum"]),
        size(max(found["warm"]["memory"], 0)),
    )


def _ours(bench, bytes_):
    shutil.rmtree(bench.ours, ignore_errors=True)
    stored = bench.measure("array, ours", "Miss", bytes_)
    bench.measure("array, ours", "Hit", bytes_)
    return _states(stored, bench.ours, lambda: bench.measure("array, ours", "Hit", bytes_), bench.repeat)


def _peer(bench, name, bytes_, python):
    folder = bench.peer / name.partition(",")[0].replace(" ", "-") / str(bytes_)

    def call():
        return bench.run([python, "peers.py", name, str(bytes_), str(folder)])

    stored = call()
    found = _states(stored, folder, call, bench.repeat)
    shutil.rmtree(folder, ignore_errors=True)
    return found


def _states(stored, folder, call, repeat):
    from limits import drop

    drop(folder)
    cold = call()
    warm = [call() for _ in range(repeat)]
    middle = {name: statistics.median(each[name] for each in warm) for name in warm[0]}
    return {"stored": stored, "cold": cold, "warm": middle}


def _hashers(bench):
    if not PEERS_PYTHON.exists():
        return []
    rows = []
    for name in ("numpy, float32, 400 MB", "list of 1e6 ints", "list of 1e6 short strings"):
        ours, joblib = bench.measure("digest", name, 3)
        theirs = bench.run([PEERS_PYTHON, "peers.py", "digest", name])
        rows.append(Line((name, duration(ours), duration(joblib), duration(theirs))))
    heads = ("", "lean_magic", "joblib.hash", "datasets Hasher")
    return [Section("Fingerprints beside the peers'", "Arrays: seconds for each GB.", rows, heads)]


def run(command, variables):
    """Run a measurement in a process of its own; give what it prints last."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=HERE,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stderr}")
    return done.stdout.splitlines()[-1]
