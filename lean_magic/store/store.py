"""The Store protocol: what every kind of place that keeps entries promises, and the words it fails with."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias, runtime_checkable

from lean_magic.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lean_magic.store.manifest import Manifest

__all__ = ["Manifests", "Store", "Writer", "unusable"]

Manifests: TypeAlias = "list[Manifest]"  # by another name, since Store has a method `list`
Writer: TypeAlias = "Callable[[BinaryIO], Mapping[str, Any]]"  # writes the payload, returns its layout

_ELSEWHERE = "set LEAN_MAGIC_CACHE_DIR to a folder that you can write"
_FULL = "free some space, or set LEAN_MAGIC_CACHE_DIR to a folder on another disk"
_WORDS = {
    errno.ENOSPC: ("the disk is full", _FULL),
    errno.EDQUOT: ("your disk quota is used up", _FULL),
    errno.EFBIG: ("the file would be larger than the system allows", _FULL),
    errno.EROFS: ("the file system is read-only", _ELSEWHERE),
    errno.EACCES: ("you have no right to", _ELSEWHERE),
    errno.EPERM: ("you have no right to", _ELSEWHERE),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", _ELSEWHERE),
    errno.EISDIR: ("a folder is where a file belongs", "remove it"),
    errno.ENAMETOOLONG: ("the path is too long", "set LEAN_MAGIC_CACHE_DIR to a shorter one"),
    errno.ENOENT: ("the folder was removed meanwhile", "run the cell again"),
    errno.EMFILE: ("this process has too many files open", "close some, or raise `ulimit -n`"),
    errno.EIO: ("the disk reports an error", "check the disk"),
}


@runtime_checkable
class Store(Protocol):
    """A place that keeps entries. Every method may raise StoreError if the place cannot be used."""

    def get(self, family: str, key: str) -> Manifests:
        """Return the entries of one key, newest first; a damaged one is as good as absent."""

    def put(self, manifest: Manifest, write: Writer) -> Manifest:
        """Store what `write(file)` writes, and return the manifest with its payload filled in.

        The entry is there whole, or not at all: what `write` raises is raised, and nothing is left behind.
        """

    def list(self, family: str | None = None) -> Iterator[Manifest]:
        """Yield every good entry, or those of one family."""

    def delete(self, manifest: Manifest) -> None:
        """Remove the entry; an absent one is fine."""

    def open(self, manifest: Manifest) -> Path:
        """Return the path of the payload, verified. Raises Damaged or NotPrivate."""


def unusable(error: OSError, doing: str, place: object) -> StoreError:
    """Return `error` in words: what happened, at which place, and what to do about it."""
    what, remedy = _WORDS.get(error.errno or 0, (error.strerror or str(error), _ELSEWHERE))
    wrapped = StoreError(f"cannot {doing} {place}: {what}; {remedy}")
    wrapped.errno = error.errno
    return wrapped
