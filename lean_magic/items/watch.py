"""What a function reads besides its items: files, folders, plain values of libraries.

They are seen only while it runs, as for a cell; items are believed as long as they are the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lean_magic.effects import files
from lean_magic.effects.asks import Asks
from lean_magic.effects.environment import Environment
from lean_magic.effects.files import Files
from lean_magic.effects.recorder import Record, Recorder, Run, include_in_open
from lean_magic.errors import Unstorable
from lean_magic.items.identity import Identity
from lean_magic.values.origin import origin

__all__ = ["Watch", "count_as_read", "differs"]

_MOST = 1000  # files that a function may read besides its items
_seen: dict[
    str, dict[str, Any]
] = {}  # of functions that have computed in this process: they keep what they read
_asked: dict[str, dict[str, dict[str, Any]]] = {}  # what else they asked for, by kind


class _Reads(Files):
    """The recorder of a cell's files, for one batch."""

    def follows(self, run: Run) -> bool:
        """Leave out what others may have opened: one needless file here would cost all items."""
        del run
        return False

    @property
    def saw_nothing(self) -> bool:
        """Whether no file was opened or changed and no folder listed."""
        return not (self._heard.read or self._heard.written or self._heard.listings.found)

    @property
    def seen_open(self) -> set[str]:
        """The files that were seen to be opened."""
        return set(self._heard.read)


class _Variables(Environment):
    """The recorder of a cell's environment, for what the user's own code asks: libraries look for how to run."""

    def met(self, name: str, *, is_set: bool) -> None:
        """Note a variable."""
        frame: Any = sys._getframe(1)  # noqa: SLF001
        while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN:
            frame = frame.f_back
        if is_set or frame is None or origin(str(frame.f_globals.get("__name__") or "")).own:
            super().met(name, is_set=is_set)


_BETWEEN = {"lean_magic", "os", "collections"}  # those of `os.getenv`


# What else counts as for a cell, and how it is watched.
_MORE: dict[str, type[Recorder]] = {"environment": _Variables, "asks": Asks}


class Watch:
    """Watches one function compute. `observed` is JSON; `refused` says why nothing can be stored, or "".

    `recalled` is what earlier runs observed by whose answers, kept by an `lru_cache`, it may go.
    """

    def __init__(self, identity: Identity, items: Any, recalled: Sequence[Mapping[str, Any]] = ()) -> None:
        self._identity = identity
        self._items = items  # a list, if there may be paths among them: their content counts already
        self._run = identity.run
        self.refused = ""
        for seen in recalled:
            if seen.get("files"):
                self._take(seen["files"], set())
            for kind in _MORE:
                self._note(kind, seen.get(kind) or {})

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Watch one batch."""
        recorder, run = _Reads(), self._run
        others = {kind: make() for kind, make in _MORE.items()}
        watching = [recorder, *others.values()]
        for one in watching:
            one.begin(run)
        try:
            yield
        finally:
            for one in reversed(watching):
                one.cancel(run)
        with files.unwatched():
            for kind, other in others.items():
                self._note(kind, other.end(run).observed)
            if not recorder.saw_nothing or run is self._identity.run:
                opened = recorder.seen_open
                try:
                    self._take(recorder.end(run).observed, opened)
                except Unstorable as error:
                    self.refused = str(error)
            self._look_again()
        # What the code's texts name has been looked at; from now on only what is opened counts.
        self._run = replace(run, strings=frozenset(), constants=frozenset(), packages=frozenset())

    @property
    def observed(self) -> dict[str, Any]:
        """What items computed so far were made with."""
        return {
            "files": _seen.get(self._identity.digest),
            "key": dict(self._identity.plain_now()),
            **_asked.get(self._identity.digest, {}),
        }

    def _note(self, kind: str, observed: Mapping[str, Any]) -> None:
        """Add what a batch asked for, but for the files that its items are."""
        if not observed:
            return
        paths, texts = _paths(self._items)
        own = {name: said for name, said in observed.items() if name.removeprefix("itself ") not in paths}
        named = sorted(texts & own.keys()) if kind == "asks" else []
        known = _asked.setdefault(self._identity.digest, {}).setdefault(kind, {})
        if named:
            self.refused = _NAMED.format("asks for", named[0])
        elif len(known) + len(own) > _MOST:
            self.refused = f"it asks for more than {_MOST:,} files besides its items"
        else:
            known.update(own)

    def _look_again(self) -> None:
        """See whether what the function read, maybe long ago, is still so: what it gives now is of that."""
        seen = _seen.get(self._identity.digest)
        why = Files().still_holds(seen, self._identity.run) if seen and not self.refused else ""
        if why:
            self.refused = f"{why} since it was read"

    def _take(self, observed: dict[str, Any], opened: set[str]) -> None:
        """Add what a batch read; `opened` are the files it was seen to open, others its texts only name."""
        paths, texts = _paths(self._items) if observed["files"] else (set[str](), set[str]())
        named = texts & observed["files"].keys()
        if named:
            self.refused = _NAMED.format("reads", min(named))
        own = {name: known for name, known in observed["files"].items() if name not in paths}
        before = _seen.get(self._identity.digest) or {part: {} for part in ("files", *_OTHERS)}
        for name in own.keys() & before["files"].keys() - opened:
            if own[name] != before["files"][name]:  # it may still use what it read before
                self.refused = f"file {name} changed since it was read"
        merged: dict[str, Any] = {part: {**before[part], **observed[part]} for part in _OTHERS}
        here = observed["here"] or before.get("here", "")
        merged |= {"files": {**before["files"], **own}, "at": observed["at"], "here": here}
        if not any(merged[part] for part in ("files", *_OTHERS)):
            return
        if self.refused:
            return
        if len(merged["files"]) > _MOST:
            self.refused = f"it reads more than {_MOST:,} files besides its items"
        else:
            # The time belongs to what was looked at now; without anything new nothing changes.
            same = all(merged[part] == before[part] for part in ("files", *_OTHERS))
            _seen[self._identity.digest] = before if same else merged


_NAMED = (
    "it {} files that its items name as texts, such as {}; "
    "give it pathlib.Path objects, which count by what the files hold"
)
_OTHERS = ("folders", "cleared", "packages")


def _paths(values: Any) -> tuple[set[str], set[str]]:
    """Give the paths among items as the recorder of files spells them, and the texts that could be paths."""
    if not isinstance(values, (list, tuple)):
        return set(), set()
    paths = {os.path.normpath(one) for one in values if isinstance(one, os.PathLike)}
    texts = {
        os.path.normpath(one)
        for one in values
        if type(one) is str and 0 < len(one) < 1000 and "\n" not in one and "\0" not in one
    }
    return paths, texts


def count_as_read(observed: str) -> None:
    """Let a cached cell around this call depend on what found items were made with, given as JSON."""
    read = json.loads(observed)
    if read.get("files"):
        include_in_open("files", Record(read["files"], {}, None))
    for kind in _MORE:
        if read.get(kind):
            include_in_open(kind, Record(read[kind]))


def differs(observed: Mapping[str, Any], run: Run) -> str:
    """Give the first reason why something that was observed is not so now, or ""."""
    more = (make().still_holds(observed.get(kind), run) for kind, make in _MORE.items())
    why = next(filter(None, more), "")
    return why or (Files().still_holds(observed["files"], run) if observed.get("files") else "")
