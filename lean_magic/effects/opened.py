"""Files that are opened while a cell runs, whoever opens them, as Linux tells it (inotify).

What a library in C, C++ or Rust opens raises no audit event, but the system notices each file that is
opened in a folder. On other systems, and where its limits are reached, nothing is told: then the guesses
made from texts (unseen.py) stand alone.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import struct
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from lean_magic import clock
from lean_magic.effects.contents import below, ignored, stat_of
from lean_magic.effects.recorder import Run
from lean_magic.effects.unseen import at_home
from lean_magic.host import working_folder

__all__ = ["Opened", "high", "places"]

# inotify(7), <sys/inotify.h>
_OPEN, _CLOSE_WRITE, _MOVED_TO, _CREATE, _OVERFLOW, _ISDIR = 0x20, 0x8, 0x80, 0x100, 0x4000, 0x40000000
_MOVED_FROM, _DELETE = 0x40, 0x200
_ONLYDIR, _EXCL_UNLINK = 0x01000000, 0x04000000
_MASK = _OPEN | _CLOSE_WRITE | _MOVED_TO | _CREATE | _MOVED_FROM | _DELETE | _ONLYDIR | _EXCL_UNLINK
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows

_CLOCK = 20_000_000  # ns by which the times of files may lag behind
_HIGH = 500
_MOST = 200  # folders
_ENTRIES = 5_000  # looked through for folders below
_NO_DATA = {"__pycache__", "node_modules", "site-packages"}
# In folders that programs keep for themselves: environments, caches, a profile of IPython's.
_MARKS = {"pyvenv.cfg", "CACHEDIR.TAG", "history.sqlite"}
_OURS = ("entries", "index", "items", "leases", "ledger")  # what the names in a store begin with
# Notebooks are saved all the time, modules are in the key in their own way, and SQLite's own are gone in the end.
_NO_FILES = (".ipynb", ".py", ".pyc", "-journal", "-wal", "-shm")

# (process, queue): closing one can take 20 ms, so it waits for the next run.
_idle: list[tuple[int, int]] = []


def places(run: Run) -> Iterator[tuple[str, bool]]:
    """Give the folders in which a cell may open files, and whether those below count, too."""
    yield ".", True
    found: set[str] = set()
    for text in run.strings | {text for text in run.inner if os.sep in text} | at_home(run):
        if 0 < len(text) < 1000 and "\0" not in text and "\n" not in text:
            found.add(text if os.path.isdir(text) else os.path.dirname(text))
    for folder in sorted({os.path.normpath(folder) for folder in found if folder} - {".", os.sep}):
        if os.path.isdir(folder) and not ignored(os.path.join(folder, "any")):
            yield folder, folder != os.pardir


class Opened:
    """What happens in some folders from now on, until it is stopped.

    Whichever thread opens many files may look what has happened, so the sets are gone through as copies.
    """

    def __init__(self, where: Collection[tuple[str, bool]] = ()) -> None:
        self.files: set[str] = set()
        self.made: set[str] = set()  # by whomever, as all here
        self.closed: set[str] = set()  # after they could be written to
        self.gone: set[str] = set()  # removed or moved, folders too, and not made meanwhile
        self.listed: set[str] = set()  # folders
        self.new: set[str] = set()  # folders
        self.lost = False  # more happened than the system keeps
        self._folders: dict[int, str] = {}
        self._process, self._since = os.getpid(), clock.time_ns()
        self._start = working_folder() if where else ""
        self._queue = _take() if where else -1
        if self._queue >= 0:
            _look_all()
            self._watch(where)
            _look_all(ours=True)
            _live.append(self)

    @property
    def is_told(self) -> bool:
        """Whether the system tells what happens."""
        return bool(self._folders)

    def folders(self, cache: str = "") -> set[str]:
        """Give the folders that are watched, but for those of our store."""
        paths = {os.path.normpath(os.path.join(self._start, path)) for path in self._folders.values()}
        ours = _store(cache)
        return {path for path in paths if not ours(os.path.realpath(path))}

    def _watch(self, where: Iterable[tuple[str, bool]]) -> None:
        todo = deque((folder, deep, True) for folder, deep in where)
        left = _ENTRIES
        while todo and len(self._folders) < _MOST:
            folder, deep, named = todo.popleft()
            names, inner = _look_into(folder, left) if deep else ([], [])
            left -= len(names)
            if not named and not _MARKS.isdisjoint(names):
                continue
            watch = _libc().inotify_add_watch(self._queue, os.fsencode(folder), _MASK)
            # A folder that is met again, through a link or under another name, is followed no further.
            if watch >= 0 and watch not in self._folders:
                self._folders[watch] = folder
                todo.extend((one, True, False) for one in inner)

    def look(self, *, ours: bool = False) -> None:
        """Take what has happened so far out of the queue, which has an end; `ours` tells that it is our doing."""
        if self._queue < 0 or os.getpid() != self._process:
            return
        for watch, mask, name in _events(self._queue):
            if mask & _OVERFLOW:
                self.lost = True
            elif watch in self._folders and not ours:
                self._note(self._folders[watch], mask, os.fsdecode(name))

    def _note(self, folder: str, mask: int, name: str) -> None:
        if mask & (_MOVED_FROM | _DELETE) and not name.startswith(".") and not name.endswith(_NO_FILES):
            path = os.path.normpath(os.path.join(folder, name))
            self.gone |= {path} - self.made - self.new
        if mask & _ISDIR:
            if mask & _OPEN and not name:
                self.listed.add(folder)
            if mask & (_MOVED_TO | _CREATE) and not name.startswith("."):
                self.new.add(os.path.normpath(os.path.join(folder, name)))
        elif name and not name.startswith(".") and not name.endswith(_NO_FILES):
            path = os.path.normpath(os.path.join(folder, name))
            if mask & _OPEN:
                self.files.add(path)
            if mask & (_MOVED_TO | _CREATE):
                self.made.add(path)
            if mask & _CLOSE_WRITE:
                self.closed.add(path)

    def but(self, seen: Collection[str], cache: str) -> set[str]:
        """Give the files that were opened, except those seen, maybe under other names, and those of our store."""
        return self._except(self.files, seen, cache)

    def _except(self, files: set[str], seen: Collection[str], cache: str) -> set[str]:
        rest, real = files.difference(seen), _real()
        known = {real(os.path.join(self._start, path)) for path in seen} if rest else set[str]()
        ours = _store(cache)
        return {path for path in rest if real(path) not in known and not ours(real(path))}

    def removed(self, seen: Collection[str], cache: str) -> set[str]:
        """Give what is gone, except what is seen to be, maybe under other names, and what is of our store."""
        return self._except(self.gone, seen, cache)

    def changed(self, seen: Collection[str], cache: str) -> set[str]:
        """Give the files but those seen that were written, or lie in folders that are new."""
        inner = {path for folder in self.new.copy() for path in below(folder)}
        stats = {path: stat_of(path) for path in self.files.copy()}
        changed = {path for path, stat in stats.items() if stat and self.is_changed(path, stat[1])}
        return self._except(inner | changed, seen, cache)

    def listings(self, seen: Collection[str], cache: str) -> set[str]:
        """Give the folders that were listed, except those seen, of modules or our store, and the working folder.

        Python looks for modules in its own folders, and JupyterLab lists the working folder all the time.
        """
        real = _real()
        known = {real(os.path.join(self._start, path)) for path in (*seen, *sys.path_importer_cache, "")}
        ours = _store(cache)
        return {path for path in self.listed.copy() if real(path) not in known and not ours(real(path))}

    def is_changed(self, path: str, modified: int) -> bool:
        """Whether a file that was last modified then (ns) is another than it was at the start."""
        late = modified >= self._since - (_CLOCK if path in self.closed else 0)
        return late or path in self.made

    def is_new(self, path: str) -> bool:
        """Whether a file, or a folder around it, was made meanwhile."""
        return path in self.made or any(path.startswith(folder + os.sep) for folder in self.new.copy())

    def stop(self) -> None:
        """Take what is left, and watch no more."""
        self.look()
        if self._queue >= 0 and os.getpid() == self._process:
            for watch in self._folders:
                _libc().inotify_rm_watch(self._queue, watch)
            _idle.append((self._process, self._queue))
            _live.remove(self)
            self._settle()
        self._queue = -1

    def _settle(self) -> None:
        """Make all paths such that they are right where the process is now, after a chdir."""
        if working_folder() == self._start:
            return
        for kept in (self.files, self.made, self.closed, self.gone, self.listed, self.new):
            paths = [os.path.normpath(os.path.join(self._start, path)) for path in kept.copy()]
            kept.clear()
            kept.update(paths)


def _real() -> Callable[[str], str]:
    """Make a function that gives the one path of a file behind links; it resolves each folder once."""
    folder = functools.cache(os.path.realpath)

    def of(path: str) -> str:
        path = os.path.abspath(path)
        if os.path.islink(path):
            return os.path.realpath(path)
        return os.path.join(folder(os.path.dirname(path)), os.path.basename(path))

    return of


def _store(cache: str) -> Callable[[str], bool]:
    """Make a function that tells whether a real path is the folder of our store, or one of our own in it."""
    root = os.path.realpath(cache)
    ours = tuple(os.path.join(root, name) for name in _OURS)
    return lambda path: bool(cache) and (path == root or path.startswith(ours))


_live: list[Opened] = []  # of cells that run now, one inside another


def _look_all(*, ours: bool = False) -> None:
    for one in _live:
        one.look(ours=ours)


def _look_into(folder: str, most: int) -> tuple[list[str], list[str]]:
    """List a folder: the names, up to a number, and the folders among them that data may lie in."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        entries = list(itertools.islice(found, most))
        plain = (one for one in entries if one.name[0] != "." and one.name not in _NO_DATA)
        inner = [one.path for one in plain if (os.path.isdir(one) if one.is_symlink() else one.is_dir())]
        return [one.name for one in entries], sorted(map(os.path.normpath, inner))
    return [], []


def _events(queue: int) -> Iterator[tuple[int, int, bytes]]:
    with contextlib.suppress(OSError):  # there is no more
        while told := os.read(queue, 1 << 16):
            at = 0
            while at < len(told):
                watch, mask, _, length = _EVENT.unpack_from(told, at)
                at += _EVENT.size + length
                yield watch, mask, told[at - length : at].rstrip(b"\0")


def _take() -> int:
    """Give an empty queue, -1 if the system has none for us."""
    while _idle:
        process, queue = _idle.pop()
        if process == os.getpid():  # a process that was forked would read its parent's
            for _ in _events(queue):
                pass
            return queue
    with contextlib.suppress(ImportError, OSError, AttributeError):
        return high(int(_libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)))
    return -1


def high(queue: int) -> int:
    """Give a queue a high number, so that the files of the cell have those they would have."""
    import fcntl

    try:
        high = fcntl.fcntl(queue, fcntl.F_DUPFD_CLOEXEC, _HIGH) if queue >= 0 else queue
    except OSError:  # more than this process may have
        return queue
    if queue >= 0:
        os.close(queue)
    return high


@functools.lru_cache(maxsize=1)
def _libc() -> Any:
    if not sys.platform.startswith("linux"):
        raise OSError("inotify is Linux's own")
    import ctypes

    return ctypes.CDLL(None)
