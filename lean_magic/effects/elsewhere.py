"""What other processes do for a cell: pools, workers, forks.

None of our listeners is there. Which files they open and write the system tells (opened.py); what they are asked
besides is taken for asked wherever the code says that it asks; what only they could tell is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from lean_magic.effects.contents import ignored, unwatched
from lean_magic.effects.opened import Opened, high
from lean_magic.effects.recorder import Run
from lean_magic.effects.unseen import may_write, says_kind
from lean_magic.errors import Unstorable

__all__ = [
    "Channel",
    "draws",
    "may_ask",
    "may_fork",
    "may_work",
    "must_be_seen",
    "variables",
    "written",
]

# How code has other processes work for it. Loaders of torch say how many only where they are made.
_STARTS = frozenset({
    "Process", "Pool", "ProcessPoolExecutor", "Parallel", "multiprocessing", "multiprocess", "get_context",
    "n_jobs", "num_workers", "n_workers", "num_proc", "nb_workers", "processes", "process_map", "fork", "forkpty",
    "parallel_apply", "progress_parallel_apply", "set_start_method", "get_reusable_executor", "mp",
})  # fmt: skip
_READS = frozenset({"open", "File", "imread", "fromfile", "memmap", "loadtxt", "genfromtxt", "Path"})
_WRITES = frozenset({
    "write_text", "write_bytes", "touch", "mkdir", "makedirs", "tofile", "copyfile", "copy2", "copytree", "unlink",
    "rmtree", "rmdir", "renames", "imwrite", "imsave", "dump", "to_csv", "to_json", "to_pickle", "to_excel",
    "to_parquet", "to_feather", "to_hdf", "to_html", "to_netcdf", "to_zarr", "to_orc", "to_stata", "to_xml",
})  # fmt: skip
_OF_OS = frozenset({"remove", "rename", "replace", "move", "copy"})  # methods of lists, texts and tables, too
_ASKS = frozenset({
    "exists", "lexists", "isfile", "isdir", "is_file", "is_dir", "getsize", "getmtime", "stat", "lstat", "access",
})  # fmt: skip
_APPENDS = frozenset({"a", "ab", "at", "a+", "ab+", "a+b", "r+", "rb+", "r+b"})
_MODES = _APPENDS | {"w", "wb", "wt", "w+", "wb+", "w+b", "x", "xb", "xt"}
_ENVIRONMENT = frozenset(
    {"environ", "environb", "getenv", "getenvb", "expandvars", "expanduser", "gettempdir"}
)
# They ask what machine this is, look for libraries and fonts, or compile what a library says.
_HARMLESS = frozenset({
    "uname", "lscpu", "sysctl", "nvidia-smi", "rocm-smi", "rocminfo", "ldconfig", "ld", "objdump", "fc-list", "cc",
    "c++", "gcc", "g++", "clang", "clang++", "nvcc", "ptxas", "as", "arch", "getconf",
})  # fmt: skip
# What may stand around the name of a compiler.
_OF_TARGET = re.compile(r"^(x86_64|aarch64)-linux-gnu-|[-.\d]+$")
_PACKAGES = frozenset({
    "dask", "distributed", "ray", "pandarallel", "swifter", "mpire", "pathos", "multiprocess", "billiard",
    "ipyparallel", "modin",
})  # fmt: skip
_LONG = 1000
_DRAWS = frozenset({
    "random", "rand", "randn", "randint", "randrange", "shuffle", "choice", "choices", "sample", "uniform", "normal",
    "gauss", "permutation", "randperm", "rand_like", "randn_like", "bernoulli", "multinomial", "getrandbits",
    "standard_normal", "normalvariate", "dropout",
})  # fmt: skip


def may_work(run: Run) -> bool:
    """Whether other processes may work for a cell: its code says so, or a loader that it reached has workers."""
    said = not (_STARTS.isdisjoint(run.words) and _STARTS.isdisjoint(run.constants))
    return said or not _PACKAGES.isdisjoint(run.packages) or _has_workers(run)


def may_fork(run: Run) -> bool:
    """Whether processes may work for a cell that go on with what this one holds, its output among it."""
    return hasattr(os, "fork") and may_work(run)


def _has_workers(run: Run) -> bool:
    if all(cls.__name__ != "DataLoader" for cls in run.walk.classes()):
        return False
    loaders = (one for one in run.walk.objects if type(one).__name__ == "DataLoader")
    return any(getattr(one, "num_workers", 0) for one in loaders)


def _reads(run: Run) -> bool:
    """Whether the code opens files."""
    said = run.words
    return not _READS.isdisjoint(said) or any(word.startswith(("read", "load", "scan_")) for word in said)


def _writes(run: Run) -> bool:
    """Whether the code writes, renames or removes files."""
    words, loads = run.words, run.loads
    of_os = {
        chain[-1] for module in ("os", "shutil") for chain in loads.get(module, ()) if chain
    } | loads.keys()
    opens = "open" in words and not _MODES.isdisjoint(run.constants | run.strings)
    saves = any(word.startswith(("save", "write_", "sink_")) for word in words)
    return opens or saves or not _WRITES.isdisjoint(words) or not _OF_OS.isdisjoint(of_os)


def may_ask(run: Run) -> bool:
    """Whether another process may ask whether a file is there, and the like, which the system does not tell."""
    return may_work(run) and not _ASKS.isdisjoint(run.words)


def variables(run: Run) -> set[str] | None:
    """Name the variables of the environment that another process may read; None: any of them."""
    if not may_work(run) or _ENVIRONMENT.isdisjoint(run.words):
        return set()
    texts = {text for text in run.constants | run.strings if 2 < len(text) < _LONG}
    spelled = {text for text in texts if text.isidentifier() and text.isupper()}
    composed = {
        name
        for name in os.environ
        if any(name.startswith(text) or name.endswith(text) or f"${name}" in text for text in texts)
    }
    return spelled | composed or None


def draws(run: Run) -> bool:
    """Whether another process, which begins with our generators as they are, may draw from them."""
    return may_work(run) and not _DRAWS.isdisjoint(run.words)


def written(run: Run, opened: Opened, seen: Collection[str]) -> set[str]:
    """Name what was written unseen, by a library of the kind that the code says, or by another process.

    Somebody else may write to the same folder meanwhile: what the code does not spell must not be put back. Raises
    Unstorable for that, and for what was there before and may have been added to, or was removed.
    """
    by_others = may_work(run) and _writes(run)
    if not by_others and not may_write(run):
        return set()
    changed = {name for name in opened.changed(seen, run.cache) if not ignored(name)}
    if not by_others:
        return {name for name in changed if says_kind(run, name)}
    for name in sorted(opened.removed(seen, run.cache)):
        why = "was removed or renamed by another process"
        raise Unstorable(name, why, "do that in this process, or in an uncached cell")
    adds = not _APPENDS.isdisjoint(run.constants | run.strings)
    spelled = _spelled(run, changed)
    for name in sorted(changed):
        if name not in spelled:
            why = "was written while other processes worked for the cell, which may not have written it"
            raise Unstorable(name, why, "write it in this process, or in an uncached cell")
        if adds and not opened.is_new(name):
            why = "may have been added to by another process, which is not seen"
            raise Unstorable(name, why, "write it in this process")
    return changed


def _spelled(run: Run, paths: Collection[str]) -> set[str]:
    """Give the paths that texts of the code spell: a folder around one or the beginning of its name, and its ending."""
    texts = {text for text in run.constants | run.strings if len(text) < _LONG and text.strip("./")} - _MODES
    named = set(map(os.path.normpath, texts if paths else ())) - {os.curdir}
    begins = tuple(Path(text).name for text in named)
    around = (
        path
        for path in paths
        if Path(path).name.startswith(begins) or not named.isdisjoint(map(str, Path(path).parents))
    )
    return {path for path in around if says_kind(run, path)}


def must_be_seen(run: Run, started: Collection[str], *, told: bool) -> None:
    """Refuse what other processes may have done and nobody tells. Raises Unstorable.

    `started`: programs that libraries ran, by path or command line, "" for a fork; `told`: whether the system says
    which files are opened.
    """
    for name in sorted(Path(program.split()[0]).name for program in started if program.strip()):
        if _OF_TARGET.sub("", name) not in _HARMLESS:
            why = "is a program that a library runs, and what it reads and writes is not seen"
            raise Unstorable(name, why, "leave this to an uncached cell")
    works = may_work(run)
    touches = _reads(run) or _writes(run)
    if (works or "" in started) and touches and not (works and told):
        why = "has other processes work for it, and what they read and write is not seen"
        raise Unstorable("the cell", why, "read and write in this process, or in an uncached cell")


class Channel:
    """What forked processes tell the one that made it, in the order in which they do."""

    def __init__(self) -> None:
        import tempfile  # few cells need it

        self._process = os.getpid()
        with unwatched(), tempfile.TemporaryFile("a+b") as file:
            self._file = high(os.dup(file.fileno()))

    def is_elsewhere(self) -> bool:
        """Whether this is another process than the one that made it."""
        return os.getpid() != self._process

    def tell(self, *said: str) -> None:
        """Say something, in any process."""
        import json

        os.write(self._file, json.dumps(said).encode() + b"\n")

    def told(self) -> Iterator[list[str]]:
        """Give all that was said."""
        import json

        content = os.pread(self._file, os.fstat(self._file).st_size, 0)
        return map(json.loads, content.splitlines())

    def close(self) -> None:
        """Let go of what it is said into."""
        os.close(self._file)
