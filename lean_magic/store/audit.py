"""An audit of the folder: what crashes, disks and strangers left in it."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lean_magic.errors import Damaged, NotPrivate
from lean_magic.store.folder import (
    MANIFEST,
    PAYLOAD,
    SEAL,
    files_in,
    folders_in,
    leftovers,
    read_manifest,
)
from lean_magic.store.manifest import FORMAT, format_of
from lean_magic.store.payload import verify
from lean_magic.store.segments import Segments, maps, strays
from lean_magic.store.store import unusable
from lean_magic.store.trust import require_private

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Findings", "check"]

Findings: TypeAlias = list[str]


def check(root: Path, *, fix: bool, age: float) -> Findings:
    """Return a sentence for each thing that is wrong below `root`, which `fix` removes; `age` in seconds.

    Raises StoreError if the folder cannot be read or, with `fix`, written.
    """
    findings = _strangers(root)
    for family in folders_in(root / "entries"):
        for folder in folders_in(family):
            for what, paths in _wrong(folder, age):
                findings.append(f"{paths[0].relative_to(root)}: {what}" + (" (removed)" if fix else ""))
                if fix:
                    _remove(paths)
    return findings + [sentence for home in maps(root) for sentence in _items(home, fix=fix, age=age)]


def _items(home: Segments, *, fix: bool, age: float) -> Iterator[str]:
    """Check the segments of a map, and what crashes left beside them."""
    wrong = [(path, "left by a crash") for path in strays(home, age)]
    try:
        for name in home.names():
            try:
                home.open(name).verify()
            except (Damaged, NotPrivate) as error:
                wrong.append((home.folder / name, str(error)))
    except NotPrivate:
        return  # told already
    for path, what in wrong:
        yield f"{path.relative_to(home.root)}: {what}" + (" (removed)" if fix else "")
        if fix:
            _remove([path])


def _strangers(root: Path) -> Findings:
    try:
        require_private(root)
    except NotPrivate as error:
        return [str(error)]
    return []


def _wrong(folder: Path, age: float) -> Iterator[tuple[str, list[Path]]]:
    for path in leftovers(folder, age):
        yield "left by a crash", [path]
    for file in files_in(folder):
        if file.name.endswith(MANIFEST):
            path = Path(file.path)
            why = _damage(path)
            if why:
                yield why, [path.with_suffix(suffix) for suffix in (MANIFEST, PAYLOAD, SEAL)]


def _damage(path: Path) -> str:
    try:
        manifest = read_manifest(path)
        if manifest.payload is None:
            return "it has no payload"
        verify(path.with_suffix(PAYLOAD), manifest.payload)
    except (Damaged, NotPrivate) as error:
        return "" if _is_foreign(path) else str(error)
    except OSError as error:
        raise unusable(error, "check", path) from error
    return ""


def _is_foreign(path: Path) -> bool:
    # Entries of other versions of lean_magic are theirs to judge; one deleted meanwhile is no damage either.
    try:
        return format_of(path.read_bytes()) not in (None, FORMAT)
    except OSError as error:
        return error.errno == errno.ENOENT


def _remove(paths: list[Path]) -> None:
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise unusable(error, "remove", paths[0]) from error
    with suppress(OSError):  # not empty
        paths[0].parent.rmdir()
        paths[0].parent.parent.rmdir()
