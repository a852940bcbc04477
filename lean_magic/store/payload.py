"""The payload's bytes: their digest is computed as they are written, and checked before their first use."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable
from contextlib import contextmanager
from json import loads
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import xxhash

from lean_magic.errors import Damaged
from lean_magic.host import node
from lean_magic.store.store import unusable
from lean_magic.store.trust import require_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer

    from lean_magic.store.manifest import Payload

__all__ = ["PayloadWriter", "Progress", "Seal", "open_own", "read_seal", "seal_of", "verify"]

Progress: TypeAlias = Callable[[int, int], None]  # bytes done, bytes in all
Seal: TypeAlias = dict[str, Any]  # one exact file, and the digest that was found in it

_UNREADABLE = {errno.ENOENT, errno.EACCES, errno.EIO, errno.EISDIR, errno.ELOOP}  # the fault of this one file
_CHUNK = 4 << 20  # bytes: large enough to be quick, small enough not to keep an interrupt waiting


class PayloadWriter(io.BufferedIOBase):
    """A file open for writing that knows digest and size of what went through it, and holds none of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = xxhash.xxh3_128()
        self._size = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Write a C-contiguous buffer of any item type, and return its size in bytes."""
        view = memoryview(data)
        try:
            view = view.cast("B")
        except (
            TypeError
        ):  # an exotic item type or an empty shape: it cannot be cut, but can be written in one go
            self._pass_on(view)
        else:
            for start in range(0, view.nbytes, _CHUNK):
                self._pass_on(view[start : start + _CHUNK])
        return view.nbytes

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self._size

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        if not self._file.closed:
            self._file.flush()

    def hexdigest(self) -> str:
        """Return the xxh3_128 of all that was written."""
        return self._digest.hexdigest()

    def _pass_on(self, view: memoryview) -> None:
        self._file.write(view)
        self._digest.update(view)
        self._size += view.nbytes


@contextmanager
def open_own(path: Path) -> Iterator[io.FileIO]:
    """Open a file to read it, if it is a regular one, ours, and not a link.

    Raises Damaged if it is not, or cannot be read, NotPrivate if others own it or may write it, OSError.
    """
    try:
        with io.FileIO(path, opener=_open_nofollow) as file:
            _require_regular(path, os.fstat(file.fileno()))
            yield file
    except OSError as error:
        if error.errno in _UNREADABLE:
            raise Damaged(f"{path} cannot be read ({error.strerror}); the cell runs again") from error
        raise


def seal_of(path: Path, payload: Payload) -> Seal:
    """Return the seal of the file that lies at `path`.

    Raises Damaged if it is absent, no regular file, or of the wrong size; NotPrivate if others may write it.
    """
    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise Damaged(f"{path} is missing; the cell runs again") from error
    except OSError as error:
        raise unusable(error, "look at", path) from error
    _require_regular(path, status)
    if status.st_size != payload.size:
        raise Damaged(
            f"{path} has {status.st_size:,} bytes where {payload.size:,} were written; the cell runs again"
        )
    return _seal(status, payload.digest)


def verify(path: Path, payload: Payload, progress: Progress | None = None) -> Seal:
    """Read the whole file at `path` and return its seal; `progress` hears of every chunk.

    Raises Damaged if its digest is not the payload's, and what `seal_of` raises.
    """
    before = seal_of(path, payload)
    with open_own(path) as file:
        found = _digest(file, payload.size, progress)
        after = _seal(os.fstat(file.fileno()), payload.digest)
    if found != payload.digest or before != after:
        raise Damaged(f"{path} is not what was written: its digest does not fit; the cell runs again")
    return after


def read_seal(path: Path) -> Seal | None:
    """Return the seal kept at `path`; None if there is none, or none that can be read: verify again."""
    try:
        with open_own(path) as file:
            seal = loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    return seal if isinstance(seal, dict) else None


def _open_nofollow(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Damaged(f"{path} is not a regular file; the cell runs again")
    require_own(path, status)


def _seal(status: os.stat_result, digest: str) -> Seal:
    return {
        "machine": node(),  # on another one that mounts the folder, device and inode mean nothing
        "device": status.st_dev,
        "inode": status.st_ino,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "digest": digest,
    }


def _digest(file: io.FileIO, size: int, progress: Progress | None) -> str:
    digest, done, buffer = xxhash.xxh3_128(), 0, memoryview(bytearray(min(_CHUNK, size + 1)))
    while count := file.readinto(buffer):
        digest.update(buffer[:count])
        done += count
        if progress is not None:
            progress(done, size)
    return digest.hexdigest()
