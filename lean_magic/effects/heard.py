"""What Python's audit events tell of the files of one cell.

They come from any thread, also from those of others, which go on while the recorder reads what came (files.py): it
reads a copy, and here nothing is gone through that another thread may add to meanwhile.
"""

from __future__ import annotations

import _compat_pickle
import contextlib
import copy
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lean_magic.effects.contents import below, ignored, observe, source_of, stat_of, unwatched
from lean_magic.effects.listings import Listings
from lean_magic.effects.opened import Opened
from lean_magic.effects.written import kind_of
from lean_magic.errors import Unstorable
from lean_magic.host import working_folder
from lean_magic.values.origin import origin

__all__ = ["Heard"]

_LOOK = 2000  # files opened by Python, after which the system's own account is taken, as it keeps some 16,000 events
_UNKNOWN: list[Any] = ["", -1, -1, -1, -1]  # observed where a file could not be read: equal to none


class Heard:
    """Notes files as they are opened, changed or listed (audit.Listener).

    `there`: folder → the files that were in it at the start; `unheard`: what the system tells besides.
    """

    def __init__(
        self,
        there: Mapping[str, Collection[str]] | None = None,
        unheard: Opened | None = None,
    ) -> None:
        self.start = working_folder()
        self.read: dict[str, tuple[int, ...] | None] = {}
        self.digests: dict[str, list[Any] | None] = {}
        self.written: set[str] = set()
        self.was: dict[str, str] = {}
        self.databases: dict[str, tuple[int, ...] | None] = {}
        self.timed: set[str] = set()
        self.made: set[str] = set()  # folders
        self.moved: set[str] = set()  # folders, to where they are now
        self.listings = Listings()
        self.packages: set[str] = set()
        self.looked_up: set[tuple[str, str]] = set()
        self.programs: set[str] = set()
        self.is_link = False
        self._there = there or {}
        self._unheard = unheard or Opened()
        self._count = 0

    def settled(self) -> Heard:
        """Give a copy that nobody adds to."""
        settled = copy.copy(self)
        for name, held in vars(self).items():
            if isinstance(held, (dict, set, Listings)):
                setattr(settled, name, held.copy())
        return settled

    def opened(self, path: str, *, writing: bool, keeping: bool) -> None:
        """Note one file that Python opens; `keeping` tells that writing does not start from nothing."""
        self._count += 1
        if not self._count % _LOOK:
            self._unheard.look()
        name = self._name(path) if writing else source_of(self._name(path))
        if ignored(name):
            return
        if writing:
            self._write(name, matters=keeping or name in self.read)
        elif name not in self.read and not self.wrote(name):
            self.read[name] = stat_of(name)

    def changed(self, event: str, paths: Sequence[str]) -> None:
        """Note paths that are renamed, removed or made, or whose mode or times are set."""
        if event == "os.rename" and os.path.isdir(paths[0]):
            self._move(self._name(paths[0]), self._name(paths[-1]))
        for path in paths:
            name = self._name(path)
            if ignored(name):
                continue
            if event == "shutil.rmtree":
                self.listings.cleared.add(name)
                for inner in below(name):
                    self._write(inner, matters=False)
            if event == "os.mkdir":
                self.made.add(name)
            if event == "os.utime":
                self.timed.add(name)
            self.is_link |= event == "os.link"
            self._write(name, matters=True)

    def _move(self, old: str, new: str) -> None:
        """Note what lies in a folder that gets another name; what the cell put there itself is no input."""
        for inner in below(old):
            self._write(inner, matters=self.was.get(old) != "")
        self.moved.add(new)

    def _write(self, name: str, *, matters: bool) -> None:
        """Note a file that is about to be written, with what it holds until then, if that matters."""
        if name in self.written:
            return
        is_new = self.is_new(name)
        self.was[name] = "" if is_new else kind_of(name)
        if matters and not is_new:
            self.digests[name] = _UNKNOWN
            # Digesting opens the file, which is no reading of the cell's; what fails here must not fail the cell.
            with unwatched(), contextlib.suppress(OSError, Unstorable):
                self.digests[name] = observe(name, stat_of(name))
        self.read.pop(name, None)
        self.written.add(name)

    def is_new(self, name: str) -> bool:
        """Whether a file was not there before the cell: a library in C has written it."""
        folder = os.path.dirname(name) or "."
        return any(
            os.path.normpath(place) == folder and name not in files for place, files in self._there.items()
        )

    def wrote(self, name: str) -> bool:
        """Tell whether the cell has written to a path so far, absolute or not."""
        absolute = os.path.abspath(name)
        return not self.written.isdisjoint((name, absolute, absolute.removeprefix(self.start + os.sep)))

    def connected(self, path: str) -> None:
        """Note a file that a library opens to read, to write, or both, which shows in the end."""
        name = self._name(path)
        if not ignored(name):
            self.databases.setdefault(name, stat_of(name))
            self._write(name, matters=True)

    def listed(self, path: str) -> None:
        """Note a folder that is listed."""
        if not ignored(name := self._name(path)):
            self.listings.see(name, self.written.copy())

    def started(self, program: str) -> None:
        """Note a program that a library runs, or a fork: where code of the user's runs one, the cell is not cached."""
        self.programs.add(program)

    def unpickled(self, module: str, name: str) -> None:
        """Note what a pickle looks up: code that the text of the cell need not name."""
        home = origin(module)
        if home.own and module not in _compat_pickle.IMPORT_MAPPING:  # names of Python 2
            self.looked_up.add((module, name.partition(".")[0]))
        elif home.installed:
            self.packages.add(home.package)

    def _name(self, path: str) -> str:
        """Keep a path as it was given, so that an entry is right in another folder; absolute after a chdir."""
        if os.path.isabs(path) or working_folder() == self.start:
            return os.path.normpath(path)
        return os.path.normpath(os.path.join(working_folder(), path))
