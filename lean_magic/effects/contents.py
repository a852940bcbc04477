"""The content of files: digested once for each state they are seen in."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import threading
from collections.abc import Iterator
from typing import Any

import xxhash

from lean_magic import clock
from lean_magic.errors import Unstorable
from lean_magic.values.origin import path_origin
from lean_magic.values.slots import forget_names, note_names

__all__ = [
    "TICK",
    "below",
    "digest_of",
    "ignored",
    "is_ours",
    "is_same",
    "listing",
    "observe",
    "package_of",
    "remember",
    "source_of",
    "stat_of",
    "unwatched",
]

TICK = 2_000_000_000  # ns: coarser than any file system's clock
_SYSTEM = ("/dev/", "/proc/", "/sys/", "/etc/")
_open = open  # the user may put a spy in its place, which is not to hear of us
_known: dict[tuple[str, int, int, int, int], str] = {}


def stat_of(name: str) -> tuple[int, int, int, int] | None:
    """Give (size, mtime in ns, inode, ctime in ns) of a file, or None if it is not there."""
    try:
        found = os.stat(name)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns


def digest_of(name: str) -> str:
    """Digest a file's content (32 hex digits); a file that has rested since is not read again."""
    stat = stat_of(name) or (0, 0, 0, 0)
    key = (os.path.abspath(name), *stat)
    # An edit within the clock's tick of the last one could leave size and times as they are.
    settled = clock.time_ns() - max(stat[1], stat[3]) > TICK
    if settled and key in _known:
        return _known[key]
    digest = xxhash.xxh3_128()
    with _open(name, "rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    if settled:
        _known[key] = digest.hexdigest()
    return digest.hexdigest()


def observe(name: str, stat: tuple[int, ...] | None) -> list[Any] | None:
    """Give what is observed of a file that was in this state when it was first asked for.

    Its digest and state, ["folder"] for a folder, None for nothing. Raises Unstorable if it changed since.
    """
    now = stat_of(name)
    if (stat and stat[:3]) != (now and now[:3]):
        raise Unstorable(name, "changed while the cell read it", "run the cell again")
    if now is None or not os.path.isfile(name):
        return ["folder"] if now is not None and os.path.isdir(name) else None
    return [digest_of(name), *now]


def remember(name: str, stat: tuple[int, int, int, int], digest: str) -> None:
    """Take over what an earlier process found in a file that was in this state."""
    _known[os.path.abspath(name), *stat] = digest


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Leave out what is done inside, which is our own work and not the cell's."""
    before, _ours.works = getattr(_ours, "works", False), True
    if not before:
        note_names()
    try:
        yield
    finally:
        _ours.works = before
        if not before:
            forget_names()


_ours = threading.local()


def is_ours() -> bool:
    """Whether what this thread does now is our own work."""
    return getattr(_ours, "works", False)


def ignored(name: str) -> bool:
    """Whether a path is no file of the user's: devices, and what Python, matplotlib and joblib keep for themselves."""
    absolute = os.path.abspath(name)
    if os.path.basename(absolute).startswith("lean-magic-"):
        return True  # what this kernel tells the sidebar about itself
    if f"{os.sep}joblib_memmapping_folder_" in absolute:
        return True  # where joblib passes large arrays to its workers
    compiled = f"{os.sep}__pycache__" in absolute or _made_from(absolute) != absolute
    cached = compiled or absolute.startswith(_caches())
    of_system = f"{absolute}{os.sep}".startswith(_SYSTEM)
    return cached or (of_system and not absolute.startswith("/dev/shm/"))


def source_of(name: str) -> str:
    """Give the local source that compiled code was made from, since Python may read that alone; else the name."""
    source = _made_from(name)
    is_known = source != name and os.path.isfile(source) and path_origin(os.path.abspath(source)) == "local"
    return source if is_known else name


def _made_from(name: str) -> str:
    """Give the source of what Python keeps compiled, elsewhere than beside it; else the name."""
    try:
        return importlib.util.source_from_cache(name) if name.endswith(".pyc") else name
    except (ValueError, NotImplementedError):
        return name


@functools.lru_cache(maxsize=1)
def _caches() -> tuple[str, ...]:
    import platformdirs

    homes = (platformdirs.user_cache_path("matplotlib"), platformdirs.user_config_path("matplotlib"))
    return tuple(map(str, homes))


def is_same(name: str, known: list[Any] | None, at: int) -> bool:
    """Whether a file is as it was observed at a time (ns): its digest and `stat_of`, or None for nothing."""
    stat = stat_of(name)
    if known is None or stat is None:
        return known is None and stat is None
    if known == ["folder"]:
        return os.path.isdir(name)
    # An edit within the clock's tick of the digest could leave the times as they are.
    if list(stat) == known[1:] and at - max(stat[1], stat[3]) > TICK:
        return True
    return bool(stat[0] == known[1] and digest_of(name) == known[0])


def below(folder: str) -> list[str]:
    """List all that lies below a folder."""
    if os.path.islink(folder):
        return []
    with unwatched():
        return [
            os.path.join(top, name) for top, folders, names in os.walk(folder) for name in [*folders, *names]
        ]


def package_of(path: str) -> str:
    """Name the package that a file is installed with, or the distribution that it tells of; "" if there is none."""
    for folder in ("site-packages", "dist-packages"):
        _, found, rest = path.partition(f"{os.sep}{folder}{os.sep}")
        if found:
            top = rest.partition(os.sep)[0]
            return top.partition("-" if top.endswith((".dist-info", ".egg-info")) else ".")[0]
    return ""


_BY_TOOLS = {"__pycache__", ".ipynb_checkpoints"}


def listing(name: str, own: list[str]) -> list[str] | None:
    """List a folder without `own`, the folders in it with a slash at the end; None if it is none."""
    try:
        with os.scandir(name) as found:
            entries = [entry for entry in found if entry.name not in _BY_TOOLS and entry.name not in own]
            return sorted(entry.name + os.sep * entry.is_dir() for entry in entries)
    except OSError:
        return None
