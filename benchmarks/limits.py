"""Measurements beside what the machine can do: reading the same memory, writing the same bytes, pickling to nowhere.

Run by worker.py, each in a process of its own. All give ratios of two figures taken in turns.
"""

import contextlib
import os
import pickle
import time
from pathlib import Path
from unittest import mock

from jobs import collections, layouts, modules, results
from worker import median, peak, reset_peak, seconds, started, timed


class Nowhere:
    """A file that keeps nothing."""

    def write(self, data):
        return len(data)


def turns(repeat, *ways):
    """Do these in turns, so that what else the machine does meets all; the least seconds of each."""
    rounds = [[timed(way) for way in ways] for _ in range(repeat)]
    return [min(column) for column in zip(*rounds, strict=True)]


def settled(repeat, *ways):
    """As `turns`, but each begins when the disk has written what came before."""
    rounds = []
    for _ in range(repeat):
        rounds.append([])
        for way in ways:
            os.sync()
            rounds[-1].append(timed(way))
    return [min(column) for column in zip(*rounds, strict=True)]


def reading(name, repeat):
    """Speed of a fingerprint over that of reading the same bytes, by one thread and by all; bytes of peak memory."""
    from lean_magic.values import fingerprint, tree

    value, same, nbytes = layouts(name)
    blocks = words_of(value, nbytes)

    def read_all():
        return [block.sum() for block in blocks]

    fingerprint(value)
    before = reset_peak()
    digest = fingerprint(value)
    growth = peak() - before
    with mock.patch.object(tree, "_cores", return_value=1):
        read, one = turns(int(repeat), read_all, lambda: fingerprint(value))
    read_too, many = turns(int(repeat), read_all, lambda: fingerprint(value))
    joblib = hashing(value) if name in ("float32 array", "CPU tensor", "DataFrame") else None
    return {
        "one": read / one,
        "many": read_too / many,
        "memory": growth,
        "same": same is None or fingerprint(same) == digest,
        "joblib": joblib and joblib / many,
    }


def words_of(value, nbytes):
    """Give the memory of a value as arrays of words; of one with gaps or in another order, as much other memory.

    Other memory is no measure where it need not be: the system may give it in larger pages, which are read faster.
    """
    import numpy as np

    if hasattr(value, "columns"):
        return [value[name].to_numpy().view("u8") for name in value]
    if hasattr(value, "detach"):
        import torch

        value = value.view(torch.uint8).numpy()
    return [value.view("u8") if value.flags.c_contiguous else np.arange(nbytes // 8, dtype="u8")]


def hashing(value):
    import joblib

    return timed(joblib.hash, value)


def collecting(name, repeat):
    """Seconds of a fingerprint over those of joblib.hash and of pickling to nowhere."""
    from lean_magic.values import fingerprint

    value = collections(name)
    ours, pickled = turns(
        int(repeat), lambda: fingerprint(value), lambda: pickle.Pickler(Nowhere(), 5).dump(value)
    )
    return {"joblib": hashing(value) / ours, "pickle": ours / pickled}


def module(name, repeat):
    """Seconds of a module's fingerprint, and of the digests of its tensors alone."""
    from lean_magic.values import fingerprint
    from lean_magic.values.adapters.torch_content import digest_of

    value = modules(name)
    held = [*value.parameters(), *value.buffers()]
    fingerprint(value)
    whole, bare = turns(int(repeat), lambda: fingerprint(value), lambda: [digest_of(each) for each in held])
    return {"whole": whole, "bare": bare, "bytes": sum(each.nbytes for each in held)}


def hit(kind, expected):
    """One cell that binds a result of 1 GiB: seconds to the prompt and of the first touch, bytes of peak memory."""
    make, touch = results(kind)
    shell = started(*make)
    seconds(shell, "%load_ext lean_magic")
    before = reset_peak()
    to_prompt = seconds(shell, "%%cached\nx = make()", expected)
    growth = peak() - before
    return {"to prompt": to_prompt, "memory": growth, "touch": seconds(shell, touch)}


def storing(folder, repeat):
    """Seconds of storing 1 GiB over those of a raw write of the same bytes, and bytes of peak memory."""
    import joblib  # noqa: F401  what its import costs is told elsewhere
    import numpy as np

    from lean_magic.store import LocalStore, Manifest
    from lean_magic.values import codec

    value = np.arange((1 << 30) // 4, dtype="f4")
    store, file = LocalStore(Path(folder)), Path(folder, "raw")

    def raw():
        with file.open("wb") as target:
            target.write(value)

    def ours():
        graph = codec.encode({"x": value})
        store.put(entry(Manifest, "f" * 32), lambda target: codec.dump(graph, target))

    raw()
    before = reset_peak()
    ours()
    growth = peak() - before
    found = settled(int(repeat), raw, ours)
    return {"raw": found[0], "ours": found[1], "memory": growth}


def entry(manifest, number):
    """A manifest like those of a small cell."""
    return manifest(
        family=number[:32], key=number[:32], entry=number[:32], label="", cell_id="", source=f"y = {number}",
        parts={}, observed={}, effects={}, seconds=1.0, created=time.time(), provenance={},
    )  # fmt: skip


def crowd(folder, count, repeat):
    """Seconds of a hit in a folder with ten entries and in one with `count`, in turns, and of `%lean ls`."""
    from lean_magic.store import LocalStore, Manifest

    shell = started("%load_ext lean_magic")
    few, many = (Path(folder, name) for name in ("few", "many"))

    def filled(place, entries):
        os.environ["LEAN_MAGIC_CACHE_DIR"] = str(place)
        seconds(shell, "%%cached\ny = 1 + 1", "Miss")
        store = LocalStore(place)
        for number in range(entries):
            store.put(entry(Manifest, f"{number:032x}"), lambda file: file.write(b"0") and {})

    def hits(place):
        os.environ["LEAN_MAGIC_CACHE_DIR"] = str(place)
        seconds(shell, "%%cached\ny = 1 + 1", "Hit")
        return [seconds(shell, "%%cached\ny = 1 + 1", "Hit") for _ in range(5)]

    filled(few, 10)
    filled(many, int(count))
    rounds = [(hits(few), hits(many)) for _ in range(10 * int(repeat))]
    took = [median([one for each in column for one in each]) for column in zip(*rounds, strict=True)]
    listed = min(seconds(shell, "%lean ls") for _ in range(3))
    return {"few": took[0], "many": took[1], "ls": listed, "count": int(count)}


def in_place(repeat):
    """Seconds that looking for changes takes after a cell, over one pass of fingerprints over its inputs."""
    import numpy as np

    from lean_magic.effects.mutation import changed
    from lean_magic.values import Walk

    values = {"written": np.ones(10**7), "closed": np.ones(10**7), "texts": tuple(map(str, range(10**6)))}
    values["closed"].flags.writeable = False
    with contextlib.suppress(ImportError):
        import torch

        values["tensor"] = torch.ones(10**7)

    def look():
        walk = Walk()
        for name, value in values.items():
            walk.fingerprint(name, value)
        return walk

    walk = look()
    once, again = turns(int(repeat), look, lambda: changed(walk))
    mutable = {name: value for name, value in values.items() if name != "texts"}
    only = turns(int(repeat), lambda: [Walk().fingerprint(name, value) for name, value in mutable.items()])[0]
    return {"once": once, "again": again, "mutable": only}


def drop(folder):
    """Let the system forget the files in a folder, where it can."""
    for path in Path(folder).rglob("*"):
        if path.is_file() and hasattr(os, "posix_fadvise"):
            number = os.open(path, os.O_RDONLY)
            os.fsync(number)
            os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(number)


TASKS = {
    "reading": reading,
    "collecting": collecting,
    "module": module,
    "hit": hit,
    "storing": storing,
    "crowd": crowd,
    "in place": in_place,
}
