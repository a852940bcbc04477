"""Files read (observed) and files written (effect), seen through Python's audit hook.

Audit events (https://docs.python.org/3/library/audit_events.html) show every file
that Python opens and every folder it lists. What C libraries open by themselves is
covered by the paths that the cell's strings name.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

from lean_magic.effects.recorder import Record, Run
from lean_magic.errors import Unstorable
from lean_magic.values.origin import package_version, path_origin

__all__ = ["Files", "install_hook"]

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
_TICK = 2_000_000_000  # ns: coarser than any file system's clock
_KEPT = 64 * 1024 * 1024  # bytes: larger written files are checked, not stored

_watching: list[Files] = []
_known: dict[tuple[str, int, int, int, int], str] = {}


def install_hook() -> None:
    """Install the audit hook; there is one a process, and it cannot be removed."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_hook)


_installed: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "open" and isinstance(args[0], (str, bytes)):
        flags = args[2] if isinstance(args[2], int) else 0
        for files in _watching:
            files.opened(os.fsdecode(args[0]), writing=bool(flags & _WRITES))
    elif event in _CHANGES:
        for files in _watching:
            files.changed([os.fsdecode(arg) for arg in args if isinstance(arg, (str, bytes))])
    elif event in _FOLDERS and isinstance(args[0], (str, bytes, type(None))):
        for files in _watching:
            files.listed(os.fsdecode(args[0] or "."))


class Files:
    """Collects the files of one cell."""

    name = "files"

    def __init__(self) -> None:
        self._read: dict[str, tuple[int, ...] | None] = {}
        self._written: set[str] = set()
        self._listed: set[str] = set()
        self._packages: set[str] = set()
        self._start = ""

    def begin(self, run: Run) -> None:
        """Start listening."""
        del run
        self._start = os.getcwd()
        install_hook()
        _watching.append(self)

    def cancel(self, run: Run) -> None:
        """Stop listening."""
        del run
        if self in _watching:
            _watching.remove(self)

    # -- listening -------------------------------------------------------------

    def opened(self, path: str, *, writing: bool) -> None:
        """Note one file that Python opens, with what it is like at that moment."""
        name = self._name(path)
        if _ignored(name):
            return
        if writing:
            self._written.add(name)
        elif name not in self._read and name not in self._written:
            self._read[name] = _stat(name)

    def changed(self, paths: Iterable[str]) -> None:
        """Note paths that are renamed, removed or made."""
        self._written.update(name for path in paths if not _ignored(name := self._name(path)))

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
        # Files that no cell reads as such: sources of modules are in the key, in their own way.
        sources = {os.path.normpath(path) for path in _module_files()}
        read = {name: stat for name, stat in self._read.items() if name not in self._written}
        for text in run.strings:
            if _like_path(text) and text not in self._written and os.path.exists(text):
                self._named(os.path.normpath(text), read)
        observed = {
            name: self._observe(name, stat) for name, stat in read.items() if self._counts(name, sources)
        }
        folders = {name: _listing(name) for name in self._listed if self._counts(name, set())}
        packages = {name: package_version(name) for name in sorted(self._packages)}
        written = {name: _content(name) for name in sorted(self._written)}
        told = {"files": observed, "folders": folders, "packages": packages, "at": time.time_ns()}
        effects = {name: _digest(name) if os.path.isfile(name) else None for name in written}
        return Record(told, effects, written)

    def _named(self, name: str, read: dict[str, tuple[int, ...] | None]) -> None:
        if os.path.isdir(name):
            self._listed.add(name)
        else:
            read.setdefault(name, _stat(name))

    def _counts(self, name: str, sources: set[str]) -> bool:
        if os.path.abspath(name) in sources:
            return False
        if path_origin(os.path.abspath(name)) == "local":
            return True
        self._packages.add(_package_of(os.path.abspath(name)))
        self._packages.discard("")
        return False

    def _observe(self, name: str, stat: tuple[int, ...] | None) -> list[Any] | None:
        now = _stat(name)
        if stat != now:
            raise Unstorable(name, "changed while the cell read it", "run the cell again")
        return [_digest(name), *now] if now is not None else None

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

    def replay(self, record: Record, run: Run) -> None:
        """Put back the files the cell wrote, where they are not there as it left them."""
        del run
        for name, digest in record.effects.items():
            if digest is None:
                _remove(name)
            elif not os.path.isfile(name) or _digest(name) != digest:
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_bytes(record.values[name])


def _ignored(name: str) -> bool:
    absolute = os.path.abspath(name)
    parts = (f"{os.sep}__pycache__{os.sep}", f"{os.sep}.cache{os.sep}", f"{os.sep}.config{os.sep}matplotlib")
    return absolute.startswith(_SYSTEM) or any(part in absolute for part in parts)


def _like_path(text: str) -> bool:
    return 0 < len(text) < 4096 and "\0" not in text and "\n" not in text and ("." in text or os.sep in text)


def _module_files() -> Iterable[str]:
    return [path for module in list(sys.modules.values()) if (path := getattr(module, "__file__", None))]


def _package_of(path: str) -> str:
    for folder in ("site-packages", "dist-packages"):
        _, found, rest = path.partition(f"{os.sep}{folder}{os.sep}")
        if found:
            return rest.partition(os.sep)[0].partition(".")[0]
    return ""


def _stat(name: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns


def _digest(name: str) -> str:
    """Digest a file's content, once for each state it was seen in."""
    stat = _stat(name) or (0, 0, 0, 0)
    key = (os.path.abspath(name), stat[0], stat[1], stat[2], stat[3])
    settled = time.time_ns() - max(stat[1], stat[3]) > _TICK
    if settled and key in _known:
        return _known[key]
    digest = xxhash.xxh3_128()
    with open(name, "rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    _known[key] = digest.hexdigest()
    return digest.hexdigest()


def _same(name: str, known: list[Any] | None, at: int) -> bool:
    stat = _stat(name)
    if known is None or stat is None:
        return known is None and stat is None
    # An edit within the clock's tick of the digest could leave the times as they are.
    if list(stat) == known[1:] and at - max(stat[1], stat[3]) > _TICK:
        return True
    return bool(stat[0] == known[1] and _digest(name) == known[0])


def _listing(name: str) -> list[str] | None:
    try:
        return sorted(entry for entry in os.listdir(name) if entry != "__pycache__")
    except OSError:
        return None


def _content(name: str) -> bytes | None:
    """Read back a file the cell wrote; None if it is gone again. Raises Unstorable if it cannot be kept."""
    if os.path.isdir(name):
        raise Unstorable(name, "is a folder the cell made or changed", "make folders in a cell of its own")
    if not os.path.exists(name):
        return None
    if os.path.getsize(name) > _KEPT:
        raise Unstorable(
            name,
            f"is a file of more than {_KEPT >> 20} MB that the cell wrote",
            "write it in a cell of its own",
        )
    return Path(name).read_bytes()


def _remove(name: str) -> None:
    if os.path.isfile(name):
        os.remove(name)
