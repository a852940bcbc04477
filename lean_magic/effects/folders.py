"""All that lies in a folder, where any of its files may be read or written unseen."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from lean_magic.effects.contents import stat_of
from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import leaf

__all__ = ["changed", "crowd", "files_below", "snapshot"]

_MOST = 2000  # files below a folder that are read; of the others size and times count
_TOO_MANY = 100_000


def files_below(folder: str) -> Iterator[str]:
    """Give the files below a folder that data may lie in, up to a number; `crowd` stands for the others.

    Hidden ones are left out, as everywhere, and notebooks, which are saved all the time.
    """
    yield from itertools.islice(_all_below(folder), _MOST)


def crowd(folder: str, own: Collection[str], *, deep: bool) -> list[Any]:
    """Digest names, sizes and times of files but for the cell's `own`: [deep, digest, or "" if there are none].

    If `deep`, of those below a folder that are too many to be read, else of all that lie in it.
    Raises Unstorable where even these are too many.
    """
    first = _MOST if deep else 0
    others = [*itertools.islice(_all_below(folder, deep=deep), first, _TOO_MANY)]
    if len(others) == _TOO_MANY - first:
        raise Unstorable(
            folder, f"holds {_TOO_MANY:,} files or more, which may be read unseen", "name a smaller folder"
        )
    known = {os.path.normpath(os.path.join(folder, name)) for name in own}
    told = "\n".join(
        f"{os.path.relpath(path, folder)} {stat_of(path)}" for path in others if path not in known
    )
    return [deep, leaf("crowd", told.encode("utf-8", "surrogateescape")).hex() if told else ""]


def _all_below(folder: str, *, deep: bool = True) -> Iterator[str]:
    for top, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if deep and not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith(".ipynb"):
                yield os.path.normpath(os.path.join(top, name))


def snapshot(folders: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Take down the size and times of each file that lies in each of the folders."""
    return {folder: _files(folder) for folder in folders}


def changed(before: dict[str, dict[str, Any]]) -> set[str]:
    """Name the files that are there or other than they were."""
    found: set[str] = set()
    for folder, files in before.items():
        now = _files(folder) if os.path.isdir(folder) else {}
        found |= {path for path in {*files, *now} if files.get(path) != now.get(path)}
    return found


def _files(folder: str) -> dict[str, Any]:
    with os.scandir(folder) as entries:
        paths = [os.path.normpath(entry.path) for entry in entries if entry.is_file()]
    return {path: stat_of(path) for path in paths}
