"""Files that are open to be read: by the file's name and content, and how far one has come in it.

Such a file is opened again, as far on, where the file is still as it was. Others that are open are refused.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xxhash

from lean_magic.errors import Unstorable
from lean_magic.values.memory import LayoutChanged
from lean_magic.values.over import Closed

__all__ = [
    "OPEN_FILES",
    "READERS",
    "content_of_file",
    "digest_of_path",
    "opened_again",
    "take_place",
    "told_of_file",
]

READERS: tuple[type, ...] = (io.FileIO, io.BufferedReader, io.TextIOWrapper)
_REMEDY = "close it in the cell, or use `with`"
_TICK = 2_000_000_000  # ns: coarser than any file system's clock
_LONGEST = 1 << 24  # bytes of a text through which one looks for the place of `next()`
_digests: dict[tuple[Any, ...], bytes] = {}
_open = open  # the user may put a spy in its place, which is not to hear of us


def told_of_file(obj: Any) -> tuple[Any, ...]:
    """Say what tells an open file from others, but for its content and place. Raises Unstorable for one not known."""
    raw = _raw(obj)
    if raw is None:
        raise Unstorable(type(obj).__name__, "is an open file", _REMEDY)
    said = obj.name, obj.mode, getattr(obj, "encoding", None), getattr(obj, "errors", None)
    return *said, getattr(obj, "line_buffering", None), isinstance(obj, io.FileIO)


def _raw(obj: Any) -> io.FileIO | None:
    """Give the file below one that nobody can write to, and that a name leads to; None for another."""
    if type(obj) not in READERS:
        return None
    buffer: Any = obj.buffer if isinstance(obj, io.TextIOWrapper) else obj
    raw: Any = buffer.raw if type(buffer) is io.BufferedReader else buffer
    if type(raw) is not io.FileIO or raw.writable() or not raw.readable() or not raw.closefd:
        return None
    if not isinstance(obj.name, (str, bytes, os.PathLike)):
        return None
    return raw if _is_there(obj, raw) and _is_as_read(buffer, raw) else None


def _is_there(obj: Any, raw: io.FileIO) -> bool:
    """Whether the name still leads to what is open."""
    try:
        found, there = os.fstat(raw.fileno()), Path(os.fsdecode(obj.name)).stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and os.path.samestat(found, there)


def _is_as_read(buffer: Any, raw: io.FileIO) -> bool:
    """Whether the file still holds what was read of it in advance."""
    if buffer is raw:
        return True
    ahead = raw.tell() - buffer.tell()
    return ahead <= 0 or bytes(buffer.peek())[:ahead] == os.pread(raw.fileno(), ahead, buffer.tell())


def content_of_file(obj: Any) -> bytes:
    """Digest all that an open file holds; one that has rested since is not read again."""
    raw: Any = _raw(obj)
    return _digest(raw.fileno())


def digest_of_path(path: str) -> bytes:
    """Digest the content of a file."""
    number = os.open(path, os.O_RDONLY)
    try:
        return _digest(number)
    finally:
        os.close(number)


def _digest(number: int) -> bytes:
    found = os.fstat(number)
    key = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    settled = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > _TICK
    if settled and key in _digests:
        return _digests[key]
    digest, start = xxhash.xxh3_128(), 0
    while piece := os.pread(number, 1 << 22, start):
        digest.update(piece)
        start += len(piece)
    if settled:
        _digests[key] = digest.digest()
    return digest.digest()


def take_place(obj: Any) -> tuple[int, bool]:
    """Give how far one has come, and whether a text tells that. Raises Unstorable if nobody can say."""
    told_of_file(obj)
    if not isinstance(obj, io.TextIOWrapper):
        return obj.tell(), True
    number = obj.fileno()
    if os.fstat(number).st_size > _LONGEST or any(b"\r" in piece for piece in _pieces(number)):
        # Who reads `\r\n` may have asked for the one or the other kind of line, which no file tells.
        raise Unstorable("file", "is an open file that is long, or has the line ends of Windows", _REMEDY)
    try:
        return obj.tell(), True
    except OSError:  # `next(file)` stops it from telling
        return _place_of_next(obj), False


def _pieces(number: int) -> Iterator[bytes]:
    start = 0
    while piece := os.pread(number, 1 << 20, start):
        yield piece
        start += len(piece)


def _place_of_next(obj: io.TextIOWrapper) -> int:
    """Give how many characters a text has given, and let it stand there again."""
    rest = len(obj.read())
    obj.seek(0)
    place = len(obj.read()) - rest
    _go_by_next(obj, place)
    return place


def _go_by_next(obj: io.TextIOWrapper, place: int) -> None:
    """Go to a place, and be as after `next()`, which has gone there."""
    obj.seek(0)
    first = len(next(obj))
    if first > place:
        raise Unstorable("file", "is an open file of which nobody can say how far it was read", _REMEDY)
    obj.read(place - first)


def _give_place(live: Any, content: tuple[int, bool]) -> None:
    """Go to a place in an open file."""
    place, tells = content
    if tells:
        live.seek(place)
    else:
        _go_by_next(live, place)


def opened_again(obj: Any) -> Any:
    """Take an open file apart: it is opened again. Raises Unstorable for one that is not known."""
    return _opened, (told_of_file(obj), content_of_file(obj)), take_place(obj), None, None, _give_place


def _opened(told: tuple[Any, ...], digest: bytes) -> Any:
    name, mode, encoding, errors, line_buffering, is_raw = told
    how: dict[str, Any] = {"encoding": encoding, "errors": errors} if encoding is not None else {}
    file: Any = None
    with contextlib.suppress(OSError):
        file = _open(name, mode.replace("+", ""), buffering=0 if is_raw else -1, **how)
    if file is None or _digest(file.fileno()) != digest:
        raise LayoutChanged(f"the file {name} that was open is another now")
    if line_buffering:
        file.reconfigure(line_buffering=True)
    return file


def _take(obj: Any) -> tuple[int, bool] | Closed:
    """Give the place in a file that was open, unless it is closed now."""
    return Closed() if obj.closed else take_place(obj)


def _give(live: Any, content: tuple[int, bool] | Closed) -> None:
    if isinstance(content, Closed):
        live.close()
    else:
        _give_place(live, content)


# How the content of such a file that was there before is taken and given.
OPEN_FILES: dict[type, Any] = dict.fromkeys(READERS, (_take, _give))
