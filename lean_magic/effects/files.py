"""Files read (observed) and files written (effect), seen through Python's audit hook (audit.py).

What C libraries open by themselves is noticed by the system (opened.py), and covered by the paths that the cell's
strings name (unseen.py).
"""

from __future__ import annotations

import _compat_pickle
import contextlib
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from lean_magic import clock
from lean_magic.effects import elsewhere, folders, unseen
from lean_magic.effects.audit import install_hook, watching
from lean_magic.effects.contents import (
    below,
    digest_of,
    ignored,
    is_same,
    package_of,
    source_of,
    stat_of,
    unwatched,
)
from lean_magic.effects.listings import Listings, differ
from lean_magic.effects.opened import Opened, places
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.effects.written import kind_of, left_at, put_back
from lean_magic.errors import Unstorable
from lean_magic.host import working_folder
from lean_magic.values.origin import origin, package_version, path_origin

__all__ = ["Files", "install_hook", "is_written", "unwatched"]

_LOOK = 2000  # files opened by Python, after which the system's own account is taken, as it keeps some 16,000 events
_UNKNOWN: list[Any] = ["", -1, -1, -1, -1]  # observed where a file could not be read: equal to none


class Files(Recorder):
    """Collects the files of one cell."""

    name = "files"

    def __init__(self) -> None:
        self._read: dict[str, tuple[int, ...] | None] = {}
        self._digests: dict[str, list[Any] | None] = {}
        self._written: set[str] = set()
        self._was: dict[str, str] = {}
        self._databases: dict[str, tuple[int, ...] | None] = {}
        self._timed: set[str] = set()
        self._folders_made: set[str] = set()
        self._moved: set[str] = set()  # folders, to where they are now
        self._listings = Listings()
        self._packages: set[str] = set()
        self._unpickled: set[tuple[str, str]] = set()
        self._folders: dict[str, dict[str, Any]] = {}
        self._opened = Opened()
        self._reads = False  # a library may, unseen
        self._count = 0
        self._is_link = False
        self._started: set[str] = set()
        self._start = ""

    def begin(self, run: Run) -> None:
        """Start listening."""
        self._start = working_folder()
        install_hook()
        with unwatched():
            self._reads, writes = self.follows(run), unseen.may_write(run) or elsewhere.may_work(run)
            self._folders = folders.snapshot(unseen.writes_to(run)) if writes else {}
            self._opened = Opened([*places(run)] if self._reads or writes else [])
        watching.append(self)

    def cancel(self, run: Run) -> None:
        """Stop listening."""
        del run
        if self in watching:
            watching.remove(self)
        self._opened.stop()

    def follows(self, run: Run) -> bool:
        """Whether to follow what is opened unseen, by whomever: what others open meanwhile counts, too."""
        return unseen.asks_to_read(run) or elsewhere.may_work(run)

    # -- listening -------------------------------------------------------------

    def opened(self, path: str, *, writing: bool, keeping: bool) -> None:
        """Note one file that Python opens; `keeping` tells that writing does not start from nothing."""
        self._count += 1
        if not self._count % _LOOK:
            self._opened.look()
        name = self._name(path) if writing else source_of(self._name(path))
        if ignored(name):
            return
        if writing:
            self._write(name, matters=keeping or name in self._read)
        elif name not in self._read and not self.wrote(name):
            self._read[name] = stat_of(name)

    def changed(self, event: str, paths: Sequence[str]) -> None:
        """Note paths that are renamed, removed or made, or whose mode or times are set."""
        if event == "os.rename" and os.path.isdir(paths[0]):
            self._move(self._name(paths[0]), self._name(paths[-1]))
        for path in paths:
            name = self._name(path)
            if ignored(name):
                continue
            if event == "shutil.rmtree":
                self._listings.cleared.add(name)
                for inner in below(name):
                    self._write(inner, matters=False)
            if event == "os.mkdir":
                self._folders_made.add(name)
            if event == "os.utime":
                self._timed.add(name)
            self._is_link |= event == "os.link"
            self._write(name, matters=True)

    def _move(self, old: str, new: str) -> None:
        """Note what lies in a folder that gets another name; what the cell put there itself is no input."""
        for inner in below(old):
            self._write(inner, matters=self._was.get(old) != "")
        self._moved.add(new)

    def _write(self, name: str, *, matters: bool) -> None:
        """Note a file that is about to be written, with what it holds until then, if that matters."""
        if name in self._written:
            return
        is_new = self._is_new(name)
        self._was[name] = "" if is_new else kind_of(name)
        if matters and not is_new:
            self._digests[name] = _UNKNOWN
            # Digesting opens the file, which is no reading of the cell's; what fails here must not fail the cell.
            with unwatched(), contextlib.suppress(OSError, Unstorable):
                self._digests[name] = self._observe(name, stat_of(name))
        self._read.pop(name, None)
        self._written.add(name)

    def _is_new(self, name: str) -> bool:
        """Whether a file was not there before the cell: a library in C has written it."""
        folder = os.path.dirname(name) or "."
        return any(
            os.path.normpath(place) == folder and name not in files for place, files in self._folders.items()
        )

    def wrote(self, name: str) -> bool:
        """Tell whether the cell has written to a path so far, absolute or not."""
        absolute = os.path.abspath(name)
        return not self._written.isdisjoint((name, absolute, absolute.removeprefix(self._start + os.sep)))

    def connected(self, path: str) -> None:
        """Note a file that a library opens to read, to write, or both, which shows in the end."""
        name = self._name(path)
        if not ignored(name):
            self._databases.setdefault(name, stat_of(name))
            self._write(name, matters=True)

    def listed(self, path: str) -> None:
        """Note a folder that is listed."""
        if not ignored(name := self._name(path)):
            self._listings.see(name, self._written)

    def started(self, program: str) -> None:
        """Note a program that a library runs, or a fork: where code of the user's runs one, the cell is not cached."""
        self._started.add(program)

    def unpickled(self, module: str, name: str) -> None:
        """Note what a pickle looks up: code that the text of the cell need not name."""
        home = origin(module)
        if home.own and module not in _compat_pickle.IMPORT_MAPPING:  # names of Python 2
            self._unpickled.add((module, name.partition(".")[0]))
        elif home.installed:
            self._packages.add(home.package)

    def _name(self, path: str) -> str:
        """Keep a path as it was given, so that an entry is right in another folder; absolute after a chdir."""
        if os.path.isabs(path) or working_folder() == self._start:
            return os.path.normpath(path)
        return os.path.normpath(os.path.join(working_folder(), path))

    # -- record ---------------------------------------------------------------------

    def end(self, run: Run) -> Record:
        """Digest what was read, keep what was written. Raises Unstorable for what cannot be put back."""
        self.cancel(run)
        unseen.must_be_seen(run)
        elsewhere.must_be_seen(run, self._started, told=self._opened.is_told)
        if self._is_link:
            raise Unstorable("os.link", "makes two names of one file", "call it in an uncached cell")
        unseen.must_be_known(run, self._unpickled, "was looked up by what the cell unpickled")
        self._written -= {name for name, stat in self._databases.items() if stat and stat_of(name) == stat}
        found = folders.changed(self._folders) | self._in_new_folders()
        found |= elsewhere.written(run, self._opened, self._written)
        run.unseen.update(found - self._written)
        run.passing.update(name for name, was in self._was.items() if not was and not os.path.lexists(name))
        self._written |= run.unseen
        self._listings.leave_out({name for name in run.unseen if self._is_new(name)})
        for name in run.unseen & self._read.keys():
            if self._read[name] == stat_of(name):
                del self._read[name]  # as the cell had written it
        run.read.update(self._read)
        run.written.update(self._written)
        run.listed.update(self._listings.found)
        seen, own = self._read.keys() | self._written, {*self._written, *map(os.path.abspath, self._written)}
        named = {
            os.path.normpath(name): deep
            for name, deep in unseen.named(run)
            if own.isdisjoint((name, os.path.abspath(name))) and not ignored(name)
        }
        for name, deep in named.items():
            self._named(name, deep=deep)
        for place in unseen.guessed(run, named):
            self._listings.count(place, self._written, deep=False)
        for path in self._reloaded(run):
            self._read.setdefault(path, stat_of(path))
        self._out_of_sight(run, seen)
        # Sources of modules are in the key in their own way, unless they were loaded out of its sight.
        sources = {os.path.normpath(path) for path in self._module_files(run)}
        files = {
            name: self._observe(name, stat)
            for name, stat in self._read.items()
            if self._counts(name, sources)
        }
        # A folder that may be there already is no input of who makes it if it is not.
        makes = self._folders_made if "exist_ok" in run.strings | run.words else set[str]()
        told = {
            "files": {name: known for name, known in {**files, **self._digests}.items() if name not in makes},
            **self._listings.told(lambda name: self._counts(name, set()), self._was, self._written),
            "packages": {name: package_version(name) for name in sorted(self._packages)},
            "at": clock.time_ns(),
        }
        told["here"] = self._start if self._is_of_here(run, told) else ""
        return Record(told, *left_at(self._written, self._was, self._timed))

    def _is_of_here(self, run: Run, told: dict[str, Any]) -> bool:
        """Whether a library has made a path in the working folder absolute, which elsewhere would be another."""
        named = tuple(text.rstrip(os.sep) for text in run.strings if os.path.isabs(text))
        names = {*told["files"], *told["folders"], *self._written}
        inside = (name for name in names if name.startswith(self._start + os.sep) or name == self._start)
        return any(not name.startswith(named) for name in inside)

    def _in_new_folders(self) -> set[str]:
        """Name all that lies in folders that the cell made or moved, whoever put it there."""
        new = self._moved | {name for name in self._written if not self._was.get(name)}
        made = [name for name in new if kind_of(name) == "folder"]
        self._was |= dict.fromkeys(made, "")
        return {os.path.normpath(inner) for name in made for inner in below(name)}

    def _named(self, name: str, *, deep: bool) -> None:
        if not os.path.isdir(name):
            self._read.setdefault(name, stat_of(name))
            return
        self._listings.see(name, self._written)
        if deep:
            self._listings.count(name, self._written, deep=True)
            for inner in folders.files_below(name):
                if inner not in self._written:
                    self._read.setdefault(inner, stat_of(inner))

    def _out_of_sight(self, run: Run, seen: Collection[str]) -> None:
        """Count what was opened unseen, by whomever, unless it was changed meanwhile, as the logs of others are."""
        opened = self._opened
        if not self._reads:
            return
        for name in opened.but(seen, run.cache):
            stat = stat_of(name) if os.path.isfile(name) and not ignored(name) else None
            if stat is not None and not opened.is_changed(name, stat[1]):
                self._read.setdefault(name, stat)
        asked = opened.folders(run.cache) if elsewhere.may_ask(run) else set[str]()
        for folder in asked | opened.listings(self._listings.found, run.cache):
            self._listings.see(folder, self._written)
        for folder in opened.folders(run.cache) if opened.lost else ():
            self._listings.count(folder, self._written, deep=False)

    def _reloaded(self, run: Run) -> Iterable[str]:
        """Give the sources that `importlib.reload` may read, from Python's own cache of them."""
        for module in list(sys.modules.values()) if "reload" in run.words else ():
            path = str(getattr(module, "__file__", None) or "")
            if path.endswith(".py") and path_origin(os.path.abspath(path)) == "local":
                yield os.path.normpath(path)

    def _module_files(self, run: Run) -> Iterable[str]:
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if path and name in run.modules and "reload" not in run.words:
                yield path

    def _counts(self, name: str, sources: set[str]) -> bool:
        absolute = os.path.abspath(name)
        if absolute in sources:
            return False
        if path_origin(absolute) == "local":
            return True
        self._packages.add(package_of(absolute))
        self._packages.discard("")
        return False

    def _observe(self, name: str, stat: tuple[int, ...] | None) -> list[Any] | None:
        now = stat_of(name)
        if (stat and stat[:3]) != (now and now[:3]):
            raise Unstorable(name, "changed while the cell read it", "run the cell again")
        if now is None or not os.path.isfile(name):
            return ["folder"] if now is not None and os.path.isdir(name) else None
        return [digest_of(name), *now]

    # -- replay -------------------------------------------------------------------------

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare every file and folder the run read."""
        del run
        if not observed:
            return ""
        if observed["here"] and observed["here"] != working_folder():
            return f"the working folder is another: {observed['here']}"
        for name, known in observed["files"].items():
            if not is_same(name, known, observed["at"]):
                return f"file {name} {'changed' if os.path.exists(name) and known else 'is there or not'}"
        for name, version in observed["packages"].items():
            if package_version(name) != version:
                return f"package {name}: {version} → {package_version(name)}"
        return differ(observed)

    def include(self, record: Record) -> None:
        """Count as read and written what a cell inside read and wrote, except what this one wrote before."""
        for name, known in record.observed["files"].items():
            if name in record.effects and name not in self._written:
                self._digests[name] = known
            elif name not in self._written:
                self._read.setdefault(name, stat_of(name))
        for name in record.effects.keys() - self._written:
            self._was.setdefault(name, kind_of(name))
        self._written |= set(record.effects)
        self._listings.found = {**record.observed["folders"], **self._listings.found}
        self._packages |= set(record.observed["packages"])

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Put back the files the cell wrote, where they are not there as it left them."""
        del run
        if record.values is not None:
            put_back(record.effects, undo, record.values)


def is_written(name: str) -> bool:
    """Whether the cell that runs now wrote to a path."""
    return any(files.wrote(name) for files in watching)
