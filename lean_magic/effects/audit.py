"""Python's audit events of files, told to those who listen.

The events (https://docs.python.org/3/library/audit_events.html) show every file that Python opens,
every folder it lists, and the databases that SQLite opens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from lean_magic.effects import unseen
from lean_magic.effects.contents import is_ours, unwatched
from lean_magic.values.origin import origin

__all__ = ["Listener", "install_hook", "watching"]


class Listener(Protocol):
    """Who is told; paths are as the code gave them."""

    def opened(self, path: str, *, writing: bool, keeping: bool) -> None:
        """Note one file; `keeping` tells that writing does not start from nothing."""

    def changed(self, event: str, paths: Sequence[str]) -> None:
        """Note paths that are renamed, removed or made, or whose mode or times are set."""

    def connected(self, path: str) -> None:
        """Note a database."""

    def unpickled(self, module: str, name: str) -> None:
        """Note what a pickle looks up."""

    def listed(self, path: str) -> None:
        """Note a folder."""

    def started(self, program: str) -> None:
        """Note a program that is run; "" is a fork of this one."""

    def wrote(self, name: str) -> bool:
        """Tell whether a path was written to so far."""


_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.utime",
    "shutil.move",
    "shutil.rmtree",
}
_LINKS = {"os.link", "os.symlink"}  # leave their first path as it is
_RUNS = {"os.fork", "os.forkpty", "subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"}
_FOLDERS = {"os.listdir", "os.scandir"}

watching: list[Listener] = []


def install_hook() -> None:
    """Install the audit hook; there is one a process, and it cannot be removed."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_hook)


_installed: list[bool] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if watching and not is_ours():
        with unwatched():  # to look at a file is no question of the cell's
            _heard(event, args)


def _heard(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(args[0], (str, bytes)):
        flags = args[2] if isinstance(args[2], int) else 0
        for files in tuple(watching):
            files.opened(
                os.fsdecode(args[0]),
                writing=bool(flags & _WRITES),
                keeping=not flags & (os.O_TRUNC | os.O_EXCL),
            )
    elif event in _CHANGES:
        for files in tuple(watching):
            files.changed(event, _paths(event, args))
    elif event in _FOLDERS and isinstance(args[0], (str, bytes, type(None))) and not _imports():
        for files in tuple(watching):
            files.listed(os.fsdecode(args[0] or "."))
    else:
        _heard_more(event, args)


def _heard_more(event: str, args: tuple[Any, ...]) -> None:
    if event == "pickle.find_class":
        for files in tuple(watching):
            files.unpickled(str(args[0]), str(args[1]))
    elif event in _RUNS and not _compiles(args):
        for files in tuple(watching):
            files.started(os.fsdecode(args[0]) if args and isinstance(args[0], (str, bytes)) else "")
    elif event == "sqlite3.connect" and (path := unseen.database(args[0])):
        for files in tuple(watching):
            files.connected(path)


def _compiles(args: tuple[Any, ...]) -> bool:
    """Whether it is torch's compiler that starts workers, which see nothing but what they are to compile."""
    return len(args) > 1 and any("compile_worker" in str(one) for one in args[1] or ())


def _paths(event: str, args: tuple[Any, ...]) -> list[str]:
    # With a descriptor of a folder a path says nothing; only `shutil.rmtree` works so, and tells before.
    paths = [] if _relative(event, args) else [arg for arg in args if isinstance(arg, (str, bytes))]
    return [os.fsdecode(path) for path in paths[event in _LINKS :]]


def _relative(event: str, args: tuple[Any, ...]) -> bool:
    return event != "shutil.rmtree" and any(
        type(arg) is int and arg >= 0 for arg in args[_DESCRIPTOR.get(event, 1) :]
    )


# Where the descriptors of folders stand.
_DESCRIPTOR = {"os.mkdir": 2, "os.chmod": 2, "os.chown": 3, "os.utime": 3, "os.truncate": 2}


def _imports() -> bool:
    """Whether it is Python that looks for a module or a package, which are in the key in their own way."""
    frame: Any = sys._getframe(3)  # noqa: SLF001
    asks = _package(frame)
    while frame is not None and _package(frame) == "pkgutil":
        frame = frame.f_back
    if asks == "pkgutil" and frame is not None and origin(str(frame.f_globals.get("__name__"))).own:
        return False  # code of the user's looks for its plugins
    return asks in {"importlib", "_frozen_importlib_external", "pkgutil", "importlib_metadata"}


def _package(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
