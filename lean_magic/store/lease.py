"""Single flight: of all kernels that reach one missing key, one computes, and the others wait for it.

A lease is a file that its holder keeps locked (POSIX record locks, `fcntl.lockf`). The
system drops the lock the moment the holder dies, however it dies, so that nobody
has to guess from times whether it still lives; and unlike `flock` the lock is not
inherited by processes that the holder forks.
"""

from __future__ import annotations

import contextlib
import os
import threading
from json import dumps, loads
from pathlib import Path
from typing import NamedTuple

from lean_magic import clock
from lean_magic.errors import LeanMagicError
from lean_magic.host import node
from lean_magic.store.manifest import require_name
from lean_magic.store.trust import make_private

try:
    import fcntl
except ImportError:  # without POSIX locks everybody computes, which is only slower
    fcntl = None  # type: ignore[assignment]

__all__ = ["Holder", "Lease", "Leases"]


class Holder(NamedTuple):
    """Who computes: the process, its host, the notebook if Jupyter told it, and since when (Unix seconds)."""

    pid: int
    host: str
    notebook: str
    since: float

    @property
    def name(self) -> str:
        """Words for it: "analysis.ipynb (process 4242)"."""
        where = "" if self.host == node() else f" on {self.host}"
        return f"{self.notebook or 'another kernel'} (process {self.pid}{where})"


class Lease:
    """The right to compute one key, until it is closed or this process ends."""

    def __init__(self, path: Path | None = None, descriptor: int = -1) -> None:
        self._path = path
        self._descriptor = descriptor

    def close(self) -> None:
        """Let the next one compute. Harmless a second time."""
        if self._path is None:
            return
        # The file goes first: once unlocked it may be somebody else's.
        with contextlib.suppress(OSError):
            self._path.unlink()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        with _guard:
            _held.pop(self._path, None)
        self._path = None


class Leases:
    """The leases of one cache folder."""

    def __init__(self, root: Path) -> None:
        self._folder = Path(os.path.realpath(root)) / "leases"

    def take(self, key: str) -> Lease | None:
        """Take the lease of a key, or give None while somebody else has it.

        Where leases cannot be had (no locks on this file system, a folder that is not ours to write)
        one that binds nobody is given. Raises ValueError if `key` is not hex.
        """
        require_name(key)
        path = self._folder / f"{key}.lease"
        with _guard:
            if path in _held:
                # One that this thread holds already is met again by a cell inside the cell.
                return Lease() if _held[path] == threading.get_ident() else None
            try:
                descriptor = _lock(path)
            except (OSError, LeanMagicError):
                return Lease()
            if descriptor is None:
                return None
            _held[path] = threading.get_ident()
        return Lease(path, descriptor)

    def holder(self, key: str) -> Holder | None:
        """Say who holds a lease, if that can be read."""
        path = self._folder / f"{key}.lease"
        if path in _held:  # reading and closing the file would drop our own lock on it
            return Holder(os.getpid(), node(), _notebook(), clock.time())
        try:
            return Holder(**loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def holds_any(self) -> bool:
        """Whether this thread holds a lease: it then must not wait for others, who may wait for it."""
        return threading.get_ident() in _held.values()


_guard = threading.Lock()
_held: dict[Path, int] = {}


def _forget() -> None:
    """Let a forked child start without leases: its parent's locks are not its own."""
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _lock(path: Path) -> int | None:
    """Lock a lease's file and write who holds it; None if somebody else has it locked. Raises OSError."""
    if fcntl is None:
        raise OSError("no POSIX locks")
    make_private(path.parent)
    for _ in range(_TRIES):
        descriptor = _open(path)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        if _is_at(path, descriptor):
            _sign(descriptor)
            return descriptor
        os.close(descriptor)  # the holder before us removed the file while we opened it
    return None


def _open(path: Path) -> int:
    """Open a lease's file under a high number, so that the files of the cell have those they would have."""
    low = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:  # more than this process may have
        return os.dup(low)
    finally:
        os.close(low)


_HIGH = 500
_TRIES = 100


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    holder = Holder(os.getpid(), node(), _notebook(), clock.time())
    with contextlib.suppress(OSError):  # on a full disk nobody learns who it is
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, dumps(holder._asdict()).encode(), 0)


def _notebook() -> str:
    """Name the notebook of this kernel, as Jupyter tells it."""
    return Path(os.environ.get("JPY_SESSION_NAME", "")).name
