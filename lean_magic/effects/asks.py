"""What a cell asks about files without opening them: whether one is there, its kind, its size.

No audit event tells of `os.stat`, so it and its like are replaced while a cell runs. What was
asked must have the same answer for an entry to be believed; times of files play no part.
"""

from __future__ import annotations

import contextlib
import functools
import os
import stat
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from lean_magic.effects.contents import digest_of, ignored, is_ours, unwatched
from lean_magic.effects.files import is_written
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unstorable
from lean_magic.host import working_folder
from lean_magic.values.origin import path_origin

__all__ = ["Asks", "lasting", "without_our_frames"]

_FUNCTIONS = ("stat", "lstat", "access", "readlink")
_SETS = ("supports_follow_symlinks", "supports_dir_fd", "supports_fd", "supports_effective_ids")
_BETWEEN = {"os", "posixpath", "genericpath", "pathlib", "stat"}
# These look for sources and modules, which are in the key in their own way; and we ourselves.
_TOOLS = {
    "linecache",
    "inspect",
    "tokenize",
    "importlib",
    "pkgutil",
    "zipimport",
    "traceback",
    "warnings",
    "IPython",
    "lean_magic",
}
_SIZES = {"stat", "st_size"}
_TIMES = {
    "getmtime",
    "getctime",
    "st_mtime",
    "st_mtime_ns",
    "st_ctime",
}  # ask whether it is other than it was
_MODES = {"access", "chmod", "st_mode", "S_IMODE", "filemode", "which"}
_MOST = 20_000  # files of a folder whose sizes are taken down
_watching: list[Asks] = []


def _replaced(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def ask(*args: Any, **options: Any) -> Any:
        path: Any = args[0] if args else options.get("path")
        if _watching and not is_ours() and not isinstance(path, int) and options.get("dir_fd") is None:
            with contextlib.suppress(TypeError, ValueError):
                _tell(os.fsdecode(path), follow=name in {"stat", "access"})
        return original(*args, **options)

    ask._lean_magic_stands_for = ("os", name)  # type: ignore[attr-defined]  # noqa: SLF001  how to write it
    return ask


def _tell(path: str, *, follow: bool) -> None:
    if _matters():
        for asks in tuple(_watching):
            asks.asked(path, follow=follow)


def _matters() -> bool:
    """Whether somebody asks who may do something else if the answer is another."""
    frame: Any = sys._getframe(3)  # noqa: SLF001
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        if frame.f_code.co_name == "makedirs":
            return False
        frame = frame.f_back
    home = str(frame.f_globals.get("__name__") or "") if frame is not None else ""
    return home.partition(".")[0] not in _TOOLS


class Asks(Recorder):
    """Notes each question when it is first asked, unless it is about what the cell itself wrote."""

    name = "asks"

    def __init__(self) -> None:
        self._answers: dict[str, list[str]] = {}
        self._modes: dict[str, list[str]] = {}
        self._originals: dict[str, Any] = {}
        self._spaces: list[dict[str, Any]] = []
        self._loaded: set[str] = set()
        self._start = ""

    def begin(self, run: Run) -> None:
        """Replace the functions that ask, also where code has taken one by name: `from os import stat`."""
        self._start, self._loaded = working_folder(), set(sys.modules)
        self._originals = {name: getattr(os, name) for name in _FUNCTIONS}
        self._spaces = [
            run.namespace,
            *(space for space in run.walk.spaces.values() if space is not vars(os)),
        ]
        for name, original in self._originals.items():
            instead = _replaced(name, original)
            _put(name, instead, original)
            for space in self._spaces:
                space.update(
                    {known_as: instead for known_as, value in list(space.items()) if value is original}
                )
        _watching.append(self)

    def cancel(self, run: Run) -> None:
        """Put them back, also where the cell, or a module that it loads, has bound one to a name."""
        del run
        modules = (one for name, one in list(sys.modules.items()) if name not in self._loaded)
        new = [vars(one) for one in modules if isinstance(one, types.ModuleType)] if self._loaded else []
        for space in [*self._spaces, *new]:
            space.update(
                {name: own for name, value in list(space.items()) if (own := lasting(value)) is not value}
            )
        if self in _watching:
            _watching.remove(self)
        for name, original in self._originals.items():
            _put(name, original, getattr(os, name))
        self._originals = {}

    def asked(self, path: str, *, follow: bool) -> None:
        """Note a question about a path."""
        name = path if os.path.isabs(path) or working_folder() == self._start else os.path.abspath(path)
        name = f"{'' if follow else _ITSELF}{os.path.normpath(name)}"
        if name not in self._answers:
            with unwatched():
                self._answers[name] = [] if _is_none_of_it(name.removeprefix(_ITSELF)) else _answer(name)
                self._modes[name] = _answer(f"{_MODE}{name}")

    def end(self, run: Run) -> Record:
        """Give all answers, and the sizes in folders whose entries tell them."""
        with unwatched():
            self.cancel(run)
            told = {
                name: answer
                for name, answer in self._answers.copy().items()  # other threads may go on asking
                if answer and _counts(name, answer, run)
            }
            if run.words & _SIZES:
                told |= {name: _answer(name) for name in self._inside(run)}
            if not run.words.isdisjoint(_MODES):
                told |= {f"{_MODE}{name}": self._modes[name] for name in told.keys() & self._modes.keys()}
            if not run.words.isdisjoint(_TIMES):
                told = {name: [*answer, *_content(name, answer)] for name, answer in told.items()}
            return Record(told)

    def _inside(self, run: Run) -> Iterator[str]:
        """Name the files in the folders that were listed, which tell their size without being asked by name."""
        for folder in run.listed:
            with contextlib.suppress(OSError):
                names = sorted(os.listdir(folder))
                if len(names) > _MOST:
                    why = f"holds more than {_MOST:,} files, whose sizes may be asked for"
                    raise Unstorable(folder, why, "list it in an uncached cell")
                for name in names:
                    path = os.path.normpath(os.path.join(folder, name))
                    if not is_written(path) and path not in run.written and not _is_none_of_it(path):
                        yield path

    def still_holds(self, observed: Any, run: Run) -> str:
        """Ask again."""
        del run
        for name, answer in (observed or {}).items():
            now = _answer(name)
            if now != answer[:2] or (answer[2:] and _content(name, now) != answer[2:]):
                path = name.removeprefix(_MODE).removeprefix(_ITSELF)
                return f"file {path} is there or not, or of another kind, size or mode"
        return ""

    def include(self, record: Record) -> None:
        """Count what a cell inside asked."""
        for name, answer in record.observed.items():
            if not is_written(name.removeprefix(_ITSELF)):
                self._answers.setdefault(name, answer)


def _counts(name: str, answer: list[str], run: Run) -> bool:
    """Whether an answer is about what was there before the cell: a library in C may have written the file unseen."""
    path = name.removeprefix(_ITSELF)
    return path not in run.unseen and (path not in run.passing or answer == ["nothing"])


_ITSELF = "itself "  # before a path where a link is not followed
_MODE = "mode of "  # before that, where who may do what is asked, too


def _is_none_of_it(name: str) -> bool:
    absolute = os.path.abspath(name)
    return is_written(name) or ignored(name) or path_origin(absolute) != "local"


def _answer(name: str) -> list[str]:
    """Tell what is at a path: its kind, and its size or target."""
    asked = name.removeprefix(_MODE)
    path = asked.removeprefix(_ITSELF)
    try:
        found = os.stat(path, follow_symlinks=path == asked)
    except (OSError, ValueError):
        return ["nothing"]
    if asked != name:
        return [oct(found.st_mode)]
    if stat.S_ISLNK(found.st_mode):
        return ["link", os.readlink(path)]
    if stat.S_ISDIR(found.st_mode):
        return ["folder"]
    return ["file", str(found.st_size)]


def _content(name: str, answer: list[str]) -> list[str]:
    return [digest_of(name.removeprefix(_MODE).removeprefix(_ITSELF))] if answer[0] == "file" else []


def _put(name: str, new: Any, old: Any) -> None:
    setattr(os, name, new)
    for able in (getattr(os, label) for label in _SETS):
        if old in able:
            able.discard(old)
            able.add(new)


def lasting(value: Any) -> Any:
    """Give what stays of a value once the cell has run: a function of os, not what stands in for it."""
    stands_in = type(value) is types.FunctionType and hasattr(value, "_lean_magic_stands_for")
    return value.__wrapped__ if stands_in else value


def without_our_frames(error: BaseException | None) -> None:
    """Take the frames of what stands in for `os.stat`, or listens to `print`, out of the traceback of an error."""
    trace = error.__traceback__ if error is not None else None
    while trace is not None:
        while trace.tb_next is not None and _is_our_frame(trace.tb_next):
            trace.tb_next = trace.tb_next.tb_next
        trace = trace.tb_next


def _is_our_frame(trace: types.TracebackType) -> bool:
    return os.path.dirname(trace.tb_frame.f_code.co_filename) == _HERE


_HERE = os.path.dirname(__file__)
