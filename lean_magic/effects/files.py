"""Files read (observed) and files written (effect), seen through Python's audit hook (audit.py).

What C libraries open by themselves is noticed by the system (opened.py), and covered by the paths that the cell's
strings name (unseen.py).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Collection, Iterable
from typing import Any

from lean_magic import clock
from lean_magic.effects import elsewhere, folders, unseen
from lean_magic.effects.audit import install_hook, watching
from lean_magic.effects.contents import (
    below,
    ignored,
    is_same,
    observe,
    package_of,
    stat_of,
    unwatched,
)
from lean_magic.effects.heard import Heard
from lean_magic.effects.listings import differ
from lean_magic.effects.opened import Opened, places
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.effects.written import kind_of, left_at, put_back
from lean_magic.errors import Unstorable
from lean_magic.host import working_folder
from lean_magic.values.origin import package_version, path_origin

__all__ = ["Files", "install_hook", "is_written", "unwatched"]


class Files(Recorder):
    """Collects the files of one cell."""

    name = "files"

    def __init__(self) -> None:
        self._heard = Heard()
        self._folders: dict[str, dict[str, Any]] = {}
        self._opened = Opened()
        self._reads = False  # a library may, unseen

    def begin(self, run: Run) -> None:
        """Start listening."""
        install_hook()
        with unwatched():
            self._reads, writes = self.follows(run), unseen.may_write(run) or elsewhere.may_work(run)
            self._folders = folders.snapshot(unseen.writes_to(run)) if writes else {}
            self._opened = Opened([*places(run)] if self._reads or writes else [])
            self._heard = Heard(self._folders, self._opened)
        watching.append(self._heard)

    def cancel(self, run: Run) -> None:
        """Stop listening."""
        del run
        if self._heard in watching:
            watching.remove(self._heard)
        self._opened.stop()

    def follows(self, run: Run) -> bool:
        """Whether to follow what is opened unseen, by whomever: what others open meanwhile counts, too."""
        return unseen.asks_to_read(run) or elsewhere.may_work(run)

    # -- record ---------------------------------------------------------------------

    def end(self, run: Run) -> Record:
        """Digest what was read, keep what was written. Raises Unstorable for what cannot be put back."""
        self.cancel(run)
        heard = self._heard = self._heard.settled()
        unseen.must_be_seen(run)
        elsewhere.must_be_seen(run, heard.programs, told=self._opened.is_told)
        if heard.is_link:
            raise Unstorable("os.link", "makes two names of one file", "call it in an uncached cell")
        unseen.must_be_known(run, heard.looked_up, "was looked up by what the cell unpickled")
        heard.written -= {name for name, stat in heard.databases.items() if stat and stat_of(name) == stat}
        self._add_unheard_writes(run)
        seen = heard.read.keys() | heard.written
        self._add_named(run)
        self._out_of_sight(run, seen)
        # Sources of modules are in the key in their own way, unless they were loaded out of its sight.
        sources = {os.path.normpath(path) for path in self._module_files(run)}
        files = {
            name: observe(name, stat) for name, stat in heard.read.items() if self._counts(name, sources)
        }
        # A folder that may be there already is no input of who makes it if it is not.
        makes = heard.made if "exist_ok" in run.strings | run.words else set[str]()
        known = {name: known for name, known in {**files, **heard.digests}.items() if name not in makes}
        told = {
            "files": known,
            **heard.listings.told(lambda name: self._counts(name, set()), heard.was, heard.written),
            "packages": {name: package_version(name) for name in sorted(heard.packages)},
            "at": clock.time_ns(),
        }
        told["here"] = heard.start if self._is_of_here(run, told) else ""
        return Record(told, *left_at(heard.written, heard.was, heard.timed))

    def _add_unheard_writes(self, run: Run) -> None:
        """Count what was written unseen, and tell the other recorders of the cell what was read and written."""
        heard = self._heard
        found = folders.changed(self._folders) | self._in_new_folders()
        found |= elsewhere.written(run, self._opened, heard.written)
        run.unseen.update(found - heard.written)
        run.passing.update(name for name, was in heard.was.items() if not was and not os.path.lexists(name))
        heard.written |= run.unseen
        heard.listings.leave_out({name for name in run.unseen if heard.is_new(name)})
        for name in run.unseen & heard.read.keys():
            if heard.read[name] == stat_of(name):
                del heard.read[name]  # as the cell had written it
        run.read.update(heard.read)
        run.written.update(heard.written)
        run.listed.update(heard.listings.found)

    def _add_named(self, run: Run) -> None:
        """Count the paths that the cell's texts name, and the sources that it may load again."""
        written = self._heard.written
        own = {*written, *map(os.path.abspath, written)}
        named = {
            os.path.normpath(name): deep
            for name, deep in unseen.named(run)
            if own.isdisjoint((name, os.path.abspath(name))) and not ignored(name)
        }
        for name, deep in named.items():
            self._named(name, deep=deep)
        for place in unseen.guessed(run, named):
            self._heard.listings.count(place, written, deep=False)
        for path in self._reloaded(run):
            self._heard.read.setdefault(path, stat_of(path))

    def _is_of_here(self, run: Run, told: dict[str, Any]) -> bool:
        """Whether a library has made a path in the working folder absolute, which elsewhere would be another."""
        named = tuple(text.rstrip(os.sep) for text in run.strings if os.path.isabs(text))
        names, start = {*told["files"], *told["folders"], *self._heard.written}, self._heard.start
        inside = (name for name in names if name.startswith(start + os.sep) or name == start)
        return any(not name.startswith(named) for name in inside)

    def _in_new_folders(self) -> set[str]:
        """Name all that lies in folders that the cell made or moved, whoever put it there."""
        heard = self._heard
        new = heard.moved | {name for name in heard.written if not heard.was.get(name)}
        made = [name for name in new if kind_of(name) == "folder"]
        heard.was |= dict.fromkeys(made, "")
        return {os.path.normpath(inner) for name in made for inner in below(name)}

    def _named(self, name: str, *, deep: bool) -> None:
        if not os.path.isdir(name):
            self._heard.read.setdefault(name, stat_of(name))
            return
        self._heard.listings.see(name, self._heard.written)
        if deep:
            self._heard.listings.count(name, self._heard.written, deep=True)
            for inner in folders.files_below(name):
                if inner not in self._heard.written:
                    self._heard.read.setdefault(inner, stat_of(inner))

    def _out_of_sight(self, run: Run, seen: Collection[str]) -> None:
        """Count what was opened unseen, by whomever, unless it was changed meanwhile, as the logs of others are."""
        opened = self._opened
        if not self._reads:
            return
        for name in opened.but(seen, run.cache):
            stat = stat_of(name) if os.path.isfile(name) and not ignored(name) else None
            if stat is not None and not opened.is_changed(name, stat[1]):
                self._heard.read.setdefault(name, stat)
        asked = opened.folders(run.cache) if elsewhere.may_ask(run) else set[str]()
        for folder in asked | opened.listings(self._heard.listings.found, run.cache):
            self._heard.listings.see(folder, self._heard.written)
        for folder in opened.folders(run.cache) if opened.lost else ():
            self._heard.listings.count(folder, self._heard.written, deep=False)

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
        self._heard.packages.add(package_of(absolute))
        self._heard.packages.discard("")
        return False

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
        heard = self._heard
        for name, known in record.observed["files"].items():
            if name in record.effects and name not in heard.written:
                heard.digests[name] = known
            elif name not in heard.written:
                heard.read.setdefault(name, stat_of(name))
        for name in record.effects.keys() - heard.written:
            heard.was.setdefault(name, kind_of(name))
        heard.written |= set(record.effects)
        heard.listings.found = {**record.observed["folders"], **heard.listings.found}
        heard.packages |= set(record.observed["packages"])

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Put back the files the cell wrote, where they are not there as it left them."""
        del run
        if record.values is not None:
            put_back(record.effects, undo, record.values)


def is_written(name: str) -> bool:
    """Whether the cell that runs now wrote to a path."""
    return any(files.wrote(name) for files in tuple(watching))
