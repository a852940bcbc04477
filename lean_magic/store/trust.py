"""Is the folder ours alone? Whoever can write a payload runs code in the kernel that loads it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lean_magic.errors import NotPrivate, StoreError
from lean_magic.store.store import unusable

__all__ = ["make_folders", "make_private", "require_own", "require_private"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_REMEDY = "set LEAN_MAGIC_CACHE_DIR to a folder of your own"


_TRIES = 20  # to make a folder that other kernels make and remove


def require_private(root: Path) -> None:
    """Raise NotPrivate if anybody but this user could write in `root` or swap it; links are followed first.

    A missing one passes: there is nothing to read. Raises StoreError if it is no folder or cannot be seen.
    """
    real = Path(os.path.realpath(root))
    try:
        _require_folder(real, real.lstat())
        for folder in real.parents:
            _require_steady(folder, folder.stat())
    except FileNotFoundError:
        return
    except StoreError:
        raise
    except OSError as error:
        raise unusable(error, "look at the cache folder", real) from error


def make_private(root: Path) -> None:
    """Make `root` with mode 0700, parents too, unless it is there; then it must be private and writable.

    Raises NotPrivate, or StoreError if it cannot be made or written.
    """
    real = Path(os.path.realpath(root))
    try:
        make_folders(real)
    except FileExistsError as error:
        raise StoreError(f"the cache folder {real} is not a folder; {_REMEDY}") from error
    except OSError as error:
        raise unusable(error, "make the cache folder", real) from error
    require_private(real)
    if not os.access(real, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(f"the cache folder {real} is not writable for you; {_REMEDY}")


def make_folders(folder: Path) -> None:
    """Make `folder` and its parents, each with mode 0700: a lax umask must not open them to others."""
    for left in reversed(range(_TRIES)):
        try:
            folder.mkdir(mode=0o700)
        except FileNotFoundError:
            # Not for want of a parent: a place such as /proc, where no folder can be made.
            if folder.parent.is_dir() and left < _TRIES - 2:
                raise
            make_folders(folder.parent)
        except FileExistsError:
            if folder.is_dir():
                return
            # Another kernel may have removed it in between; what stays is no folder.
            if not left:
                raise
        else:
            return


def require_own(path: Path, status: os.stat_result) -> None:
    """Raise NotPrivate unless the file or folder belongs to this user and nobody else may write it."""
    user = _user()
    if user is None:
        return
    if status.st_uid != user:
        raise NotPrivate(f"{path} belongs to another user (id {status.st_uid}); {_REMEDY}")
    if status.st_mode & _OTHERS_WRITE:
        raise NotPrivate(f"{path} can be written by other users; run `chmod go-w '{path}'`, or {_REMEDY}")


def _require_folder(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise StoreError(f"the cache folder {path} is not a folder; {_REMEDY}")
    require_own(path, status)


def _require_steady(folder: Path, status: os.stat_result) -> None:
    user = _user()
    if user is None:
        return
    if status.st_uid not in (0, user):
        raise NotPrivate(
            f"{folder} belongs to another user (id {status.st_uid}), who could swap it; {_REMEDY}"
        )
    # In a sticky folder such as /tmp others can add names, but not rename ours.
    if _lets_others_write(status) and not status.st_mode & stat.S_ISVTX:
        raise NotPrivate(
            f"other users can rename what lies in {folder}; run `chmod go-w '{folder}'`, or {_REMEDY}",
        )


def _lets_others_write(status: os.stat_result) -> bool:
    """Whether anybody but the user may write; a group of the user alone, as homes often have, is nobody else."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_alone_in(status.st_gid)


def _is_alone_in(group: int) -> bool:
    try:
        import grp
        import pwd

        me = pwd.getpwuid(os.geteuid()).pw_name
        others = {member for member in grp.getgrgid(group).gr_mem if member != me}
        return not others and all(user.pw_name == me for user in pwd.getpwall() if user.pw_gid == group)
    except (ImportError, KeyError):
        return False


def _user() -> int | None:
    # Windows has no owners and modes in this sense; its profile folders are private by their access lists.
    return os.geteuid() if hasattr(os, "geteuid") else None
