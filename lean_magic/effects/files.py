"""Files read (observed) and files written (effect), seen through Python's audit hook.

Audit events (https://docs.python.org/3/library/audit_events.html) show every file
that Python opens and every folder it lists. What C libraries open by themselves is
covered by the paths that the cell's strings name.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import platformdirs

from lean_magic.effects import unseen
from lean_magic.effects.contents import TICK, digest_of, stat_of
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unstorable
from lean_magic.values.origin import package_version, path_origin

__all__ = ["Files", "install_hook", "unwatched"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.move",
}
_FOLDERS = {"os.listdir", "os.scandir"}
_SYSTEM = ("/dev/", "/proc/", "/sys/", "/etc/")
_UNKNOWN: list[Any] = ["", -1, -1, -1, -1]  # observed where a file could not be read: equal to none
_KEPT = 64 * 1024 * 1024  # bytes: larger written files are checked, not stored

_watching: list[Files] = []


def install_hook() -> None:
    """Install the audit hook; there is one a process, and it cannot be removed."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_hook)


_installed: list[bool] = []


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Leave out what is done inside, which is our own work and not the cell's."""
    before, _ours.works = getattr(_ours, "works", False), True
    try:
        yield
    finally:
        _ours.works = before


_ours = threading.local()


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching or getattr(_ours, "works", False):
        return
    if event == "open" and isinstance(args[0], (str, bytes)):
        flags = args[2] if isinstance(args[2], int) else 0
        for files in _watching:
            files.opened(
                os.fsdecode(args[0]),
                writing=bool(flags & _WRITES),
                keeping=not flags & (os.O_TRUNC | os.O_EXCL),
            )
    elif event in _CHANGES:
        for files in _watching:
            files.changed([os.fsdecode(arg) for arg in args if isinstance(arg, (str, bytes))])
    elif event in _FOLDERS and isinstance(args[0], (str, bytes, type(None))) and not _imports():
        for files in _watching:
            files.listed(os.fsdecode(args[0] or "."))


def _imports() -> bool:
    """Whether it is Python that looks for a module, whose sources are in the key in their own way."""
    return sys._getframe(2).f_code.co_filename.startswith("<frozen importlib")  # noqa: SLF001


class Files(Recorder):
    """Collects the files of one cell."""

    name = "files"

    def __init__(self) -> None:
        self._read: dict[str, tuple[int, ...] | None] = {}
        self._digests: dict[str, list[Any] | None] = {}
        self._written: set[str] = set()
        self._listed: set[str] = set()
        self._packages: set[str] = set()
        self._modules: set[str] = set()
        self._folders: dict[str, dict[str, Any]] = {}
        self._start = ""

    def begin(self, run: Run) -> None:
        """Start listening."""
        self._start = os.getcwd()
        self._modules = set(sys.modules)
        self._folders = unseen.folders(run) if unseen.may_write(run) else {}
        install_hook()
        _watching.append(self)

    def cancel(self, run: Run) -> None:
        """Stop listening."""
        del run
        if self in _watching:
            _watching.remove(self)

    # -- listening -------------------------------------------------------------

    def opened(self, path: str, *, writing: bool, keeping: bool) -> None:
        """Note one file that Python opens; `keeping` tells that writing does not start from nothing."""
        name = self._name(path)
        if _ignored(name):
            return
        if writing:
            self._write(name, matters=keeping or name in self._read)
        elif name not in self._read and name not in self._written:
            self._read[name] = stat_of(name)

    def changed(self, paths: Iterable[str]) -> None:
        """Note paths that are renamed, removed or made."""
        for path in paths:
            name = self._name(path)
            if not _ignored(name):
                self._write(name, matters=True)

    def _write(self, name: str, *, matters: bool) -> None:
        """Note a file that is about to be written, with what it holds until then, if that matters."""
        if name in self._written:
            return
        if matters:
            self._digests[name] = _UNKNOWN
            # Digesting opens the file, which is no reading of the cell's; what fails here must not fail the cell.
            with unwatched(), contextlib.suppress(OSError, Unstorable):
                self._digests[name] = self._observe(name, stat_of(name))
        self._read.pop(name, None)
        self._written.add(name)

    def listed(self, path: str) -> None:
        """Note a folder that is listed."""
        if not _ignored(name := self._name(path)):
            self._listed.add(name)

    def _name(self, path: str) -> str:
        """Keep a path as it was given, so that an entry is right in another folder; absolute after a chdir."""
        if os.path.isabs(path) or os.getcwd() == self._start:
            return os.path.normpath(path)
        return os.path.normpath(os.path.join(os.getcwd(), path))

    # -- record ---------------------------------------------------------------------

    def end(self, run: Run) -> Record:
        """Digest what was read, keep what was written. Raises Unstorable for what cannot be put back."""
        self.cancel(run)
        self._written |= unseen.written(self._folders)
        for name in unseen.named(run):
            if name not in self._written:
                self._named(os.path.normpath(name), deep=unseen.reads_folders(run))
        # Sources of modules are in the key in their own way, unless they were loaded out of its sight.
        sources = {os.path.normpath(path) for path in self._module_files(run)}
        files = {
            name: self._observe(name, stat)
            for name, stat in self._read.items()
            if self._counts(name, sources)
        }
        folders = {name: _listing(name) for name in self._listed if self._counts(name, set())}
        told = {
            "files": files | self._digests,
            "folders": {name: listing for name, listing in folders.items() if name not in self._made()},
            "packages": {name: package_version(name) for name in sorted(self._packages)},
            "at": time.time_ns(),
        }
        written = {name: _content(name) for name in sorted(self._written)}
        effects = {name: digest_of(name) if os.path.isfile(name) else None for name in written}
        return Record(told, effects, written)

    def _made(self) -> set[str]:
        """Name the folders whose listing the cell itself has changed."""
        return {os.path.normpath(os.path.dirname(name) or ".") for name in self._written}

    def _named(self, name: str, *, deep: bool) -> None:
        if not os.path.isdir(name):
            self._read.setdefault(name, stat_of(name))
            return
        self._listed.add(name)
        for inner in unseen.files_below(name) if deep else ():
            self._read.setdefault(inner, stat_of(inner))

    def _module_files(self, run: Run) -> Iterable[str]:
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if path and (name in self._modules or name in run.modules):
                yield path

    def _counts(self, name: str, sources: set[str]) -> bool:
        absolute = os.path.abspath(name)
        if absolute in sources:
            return False
        if path_origin(absolute) == "local":
            return True
        self._packages.add(_package_of(absolute))
        self._packages.discard("")
        return False

    def _observe(self, name: str, stat: tuple[int, ...] | None) -> list[Any] | None:
        now = stat_of(name)
        if (stat and stat[:3]) != (now and now[:3]):
            raise Unstorable(name, "changed while the cell read it", "run the cell again")
        return [digest_of(name), *now] if os.path.isfile(name) and now is not None else None

    # -- replay -------------------------------------------------------------------------

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare every file and folder the run read."""
        del run
        for name, known in observed["files"].items():
            if not _same(name, known, observed["at"]):
                return f"file {name} {'changed' if os.path.exists(name) and known else 'is there or not'}"
        for name, listing in observed["folders"].items():
            if _listing(name) != listing:
                return f"folder {name} has other files"
        for name, version in observed["packages"].items():
            if package_version(name) != version:
                return f"package {name}: {version} → {package_version(name)}"
        return ""

    def include(self, record: Record) -> None:
        """Count as read and written what a cell inside read and wrote, except what this one wrote before."""
        for name, known in record.observed["files"].items():
            if name in record.effects and name not in self._written:
                self._digests[name] = known
            elif name not in self._written:
                self._read.setdefault(name, stat_of(name))
        self._written |= set(record.effects)
        self._listed |= set(record.observed["folders"])
        self._packages |= set(record.observed["packages"])

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Put back the files the cell wrote, where they are not there as it left them."""
        del run
        for name, digest in record.effects.items():
            path = Path(name)
            if digest is None and path.is_file():
                undo.callback(path.write_bytes, path.read_bytes())
                path.unlink()
            elif digest is not None and not _is(path, digest):
                _make_room(path, undo)
                path.write_bytes(record.values[name])


def _ignored(name: str) -> bool:
    """Whether a path is no file of the user's: devices, and what Python and matplotlib keep for themselves."""
    absolute = os.path.abspath(name)
    cached = absolute.endswith(".pyc") or f"{os.sep}__pycache__" in absolute or absolute.startswith(_caches())
    return cached or (absolute.startswith(_SYSTEM) and not absolute.startswith("/dev/shm/"))


@functools.lru_cache(maxsize=1)
def _caches() -> tuple[str, ...]:
    homes = (platformdirs.user_cache_path("matplotlib"), platformdirs.user_config_path("matplotlib"))
    return tuple(map(str, homes))


def _package_of(path: str) -> str:
    for folder in ("site-packages", "dist-packages"):
        _, found, rest = path.partition(f"{os.sep}{folder}{os.sep}")
        if found:
            return rest.partition(os.sep)[0].partition(".")[0]
    return ""


def _same(name: str, known: list[Any] | None, at: int) -> bool:
    stat = stat_of(name)
    if known is None or stat is None:
        return known is None and stat is None
    # An edit within the clock's tick of the digest could leave the times as they are.
    if list(stat) == known[1:] and at - max(stat[1], stat[3]) > TICK:
        return True
    return bool(stat[0] == known[1] and digest_of(name) == known[0])


_BY_TOOLS = {"__pycache__", ".ipynb_checkpoints"}


def _listing(name: str) -> list[str] | None:
    try:
        return sorted(entry for entry in os.listdir(name) if entry not in _BY_TOOLS)
    except OSError:
        return None


def _content(name: str) -> bytes | None:
    """Read back a file the cell wrote; None if it is gone again. Raises Unstorable if it cannot be kept."""
    if os.path.isdir(name):
        raise Unstorable(name, "is a folder the cell made or changed", "make folders in a cell of its own")
    if not os.path.exists(name):
        return None
    if not os.path.isfile(name):
        raise Unstorable(
            name, "is a pipe or device that the cell wrote to", "write to it in a cell of its own"
        )
    if os.path.getsize(name) > _KEPT:
        raise Unstorable(
            name,
            f"is a file of more than {_KEPT >> 20} MB that the cell wrote",
            "write it in a cell of its own",
        )
    return Path(name).read_bytes()


def _is(path: Path, digest: str) -> bool:
    with unwatched():
        return path.is_file() and digest_of(str(path)) == digest


def _make_room(path: Path, undo: contextlib.ExitStack) -> None:
    """Make the folders above a file that is about to be written, and see to it that it can be taken back."""
    for folder in reversed([folder for folder in path.parents if not folder.exists()]):
        undo.callback(folder.rmdir)
        folder.mkdir()
    if path.is_file():
        undo.callback(path.write_bytes, path.read_bytes())
    else:
        undo.callback(path.unlink, missing_ok=True)
