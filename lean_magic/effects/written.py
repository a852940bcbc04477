"""What a cell left at the paths it wrote to: files, links and folders, to be left there again.

A path that was not there before the cell and is not there after it (a temporary file)
is no effect at all.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lean_magic.effects.contents import digest_of, unwatched
from lean_magic.errors import Unstorable

__all__ = ["kind_of", "left_at", "put_back"]

_KEPT = 64 * 1024 * 1024  # bytes: larger written files are not stored


def kind_of(name: str) -> str:
    """Tell what is at a path: "file", "link", "folder", "other" or "" for nothing."""
    if os.path.islink(name):
        return "link"
    if os.path.isdir(name):
        return "folder"
    if os.path.isfile(name):
        return "file"
    return "other" if os.path.lexists(name) else ""


def left_at(
    written: Iterable[str], before: Mapping[str, str], timed: set[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give (effects, contents) of the paths written to; `before` tells what was there, `timed` whose times were set.

    Raises Unstorable for what cannot be kept.
    """
    effects: dict[str, Any] = {}
    contents: dict[str, Any] = {}
    for name in sorted(written):
        was, now = before.get(name, ""), kind_of(name)
        if now == "file":
            contents[name] = _content(name)
            effects[name] = [
                "file",
                digest_of(name),
                _mode(name),
                os.stat(name).st_mtime_ns if name in timed else None,
            ]
        elif now == "link":
            effects[name] = ["link", os.readlink(name)]
        elif now == "folder" and was != "folder":
            effects[name] = ["folder", _mode(name)]
        elif now == "other":
            raise Unstorable(
                name, "is a pipe or device that the cell wrote to", "write to it in an uncached cell"
            )
        elif not now and was:
            effects[name] = ["gone", was]
    return effects, contents


def _content(name: str) -> bytes:
    if os.path.getsize(name) > _KEPT:
        why = f"is a file of more than {_KEPT >> 20} MB that the cell wrote"
        raise Unstorable(name, why, "write it in an uncached cell")
    return Path(name).read_bytes()


def _mode(name: str) -> int | None:
    """Give the permission bits of a path if they are not those of anything new."""
    mode, mask = stat.S_IMODE(os.stat(name).st_mode), os.umask(0o77)
    os.umask(mask)
    return None if mode == (0o777 if os.path.isdir(name) else 0o666) & ~mask else mode


def put_back(effects: Mapping[str, Any], undo: contextlib.ExitStack, contents: Mapping[str, Any]) -> None:
    """Leave at each path what the run left; there is nothing left to put back then. Raises Unstorable."""
    try:
        _put_all(effects, undo, contents)
    except OSError as error:  # such as a folder to be removed in which something else lies now
        why = f"cannot be put back as the cell left them ({error.strerror}: {error.filename})"
        raise Unstorable("files", why) from error


def _put_all(effects: Mapping[str, Any], undo: contextlib.ExitStack, contents: Mapping[str, Any]) -> None:
    """Put folders first, the outer before the inner; what goes, last."""
    order = {"folder": 0, "file": 1, "link": 2, "gone": 3}
    for name, (kind, *about) in sorted(effects.items(), key=lambda item: (order[item[1][0]], item[0])):
        if kind == "folder":
            _put_folder(Path(name), about[0], undo)
        elif kind == "file":
            _put_file(Path(name), contents[name], about, undo)
        elif kind == "link":
            _put_link(Path(name), about[0], undo)
    for name in sorted((name for name, effect in effects.items() if effect[0] == "gone"), reverse=True):
        _take_away(Path(name), undo)


def _put_folder(path: Path, mode: int | None, undo: contextlib.ExitStack) -> None:
    _make_folders(path, undo)
    if mode is not None:
        _set_mode(path, mode, undo)


def _put_file(path: Path, content: bytes, about: list[Any], undo: contextlib.ExitStack) -> None:
    digest, mode, time = about
    if not _is(path, digest):
        _make_folders(path.parent, undo)
        _clear(path, undo)
        path.write_bytes(content)
    if mode is not None:
        _set_mode(path, mode, undo)
    if time is not None and path.stat().st_mtime_ns != time:
        os.utime(path, ns=(time, time))


def _put_link(path: Path, target: str, undo: contextlib.ExitStack) -> None:
    if path.is_symlink() and os.readlink(path) == target:
        return
    _make_folders(path.parent, undo)
    _clear(path, undo)
    path.symlink_to(target)


def _take_away(path: Path, undo: contextlib.ExitStack) -> None:
    if path.is_dir() and not path.is_symlink():
        undo.callback(path.mkdir, exist_ok=True)
        path.rmdir()
    elif path.is_symlink() or path.exists():
        _clear(path, undo)
        path.unlink(missing_ok=True)


def _clear(path: Path, undo: contextlib.ExitStack) -> None:
    """Take away what is at a path, so that it can be brought back."""
    if path.is_symlink():
        undo.callback(path.symlink_to, os.readlink(path))
        undo.callback(path.unlink, missing_ok=True)
        path.unlink()
    elif path.is_file():
        mode = stat.S_IMODE(path.stat().st_mode)
        undo.callback(path.chmod, mode)
        undo.callback(path.write_bytes, path.read_bytes())
    else:
        undo.callback(path.unlink, missing_ok=True)


def _is(path: Path, digest: str) -> bool:
    with unwatched():
        return path.is_file() and not path.is_symlink() and digest_of(str(path)) == digest


def _set_mode(path: Path, mode: int, undo: contextlib.ExitStack) -> None:
    now = stat.S_IMODE(path.stat().st_mode)
    if now != mode:  # else it would look as if it had been written
        undo.callback(path.chmod, now)
        path.chmod(mode)


def _make_folders(path: Path, undo: contextlib.ExitStack) -> None:
    for folder in reversed([folder for folder in (path, *path.parents) if not folder.exists()]):
        undo.callback(folder.rmdir)
        folder.mkdir()
