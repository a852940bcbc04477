"""The shape of the folder that entries lie in: names, listings, and files that appear whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lean_magic import clock
from lean_magic.errors import Damaged
from lean_magic.host import new_id
from lean_magic.store.manifest import Manifest, require_name
from lean_magic.store.payload import open_own
from lean_magic.store.store import unusable
from lean_magic.store.trust import make_folders

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DAY",
    "MANIFEST",
    "PAYLOAD",
    "SEAL",
    "bytes_in",
    "files_in",
    "folders_in",
    "key_folder",
    "leftovers",
    "mark",
    "names_in",
    "new_file",
    "read_manifest",
]

MANIFEST, PAYLOAD, SEAL, _TEMPORARY = ".json", ".joblib", ".ok", ".tmp"
DAY = 86_400.0  # seconds

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of lean_magic; see https://bford.info/cachedir/\n"
)
_MARKS = {".gitignore": "*\n", "CACHEDIR.TAG": _TAG}
_open = open  # the user may put a spy in its place, which is not to hear of us
_OURS = {"entries", "index", "items", "leases", *_MARKS}


def key_folder(root: Path, family: str, key: str) -> Path:
    """Return the folder of one key's entries; raises ValueError for what is not hex."""
    require_name(family)
    require_name(key)
    return root / "entries" / family / key


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in `folder`, sorted; none if it is missing. Raises StoreError."""
    return [Path(entry.path) for entry in _scan(folder) if entry.is_dir(follow_symlinks=False)]


def names_in(folder: Path) -> set[str]:
    """Return the names of the folders in `folder`, as `folders_in` does, and faster where there are many."""
    return {entry.name for entry in _scan(folder) if entry.is_dir(follow_symlinks=False)}


def files_in(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is no folder in `folder`, sorted by name, as `folders_in` does."""
    return [entry for entry in _scan(folder) if not entry.is_dir(follow_symlinks=False)]


def bytes_in(folder: Path) -> int:
    """Return the bytes of the files in `folder`; one that is deleted meanwhile has none. Raises StoreError."""
    total = 0
    for file in files_in(folder):
        with suppress(FileNotFoundError):
            total += file.stat(follow_symlinks=False).st_size
    return total


def read_manifest(path: Path) -> Manifest:
    """Return the manifest at `path`.

    Raises Damaged if it is absent, not good or misplaced, NotPrivate if others may write it, OSError.
    """
    with open_own(path) as file:
        manifest = Manifest.from_json(file.readall())
    if (manifest.family, manifest.key, manifest.entry) != (*path.parts[-3:-1], path.stem):
        raise Damaged(f"{path} is the manifest of another entry")
    return manifest


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that becomes `path` if the block ends well, and is removed if it does not."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{new_id(4)}{_TEMPORARY}")
    try:
        with _open(temporary, "xb", opener=_create) as file:
            yield file
        temporary.replace(path)
    finally:
        # After the rename it is gone; on a full disk the first error is the one to tell.
        with suppress(OSError):
            temporary.unlink()


def leftovers(folder: Path, age: float = DAY) -> list[Path]:
    """Return what crashes left in a key's folder: temporary files, and payloads and seals without a manifest.

    Nothing changed in the last `age` seconds is among them: it may be in the making.
    """
    files = files_in(folder)
    entries = {entry.name.removesuffix(MANIFEST) for entry in files if entry.name.endswith(MANIFEST)}
    return [Path(entry.path) for entry in files if _is_left(entry, entries) and _age(entry) > age]


def mark(root: Path) -> bool:
    """Tell git and backups to pass over the cache, when it is first used; gives whether it is.

    A folder that holds anything else is the user's own, and only our part of it is marked.
    """
    entries = root / "entries"
    if entries.exists():
        return False
    ours = all(path.name in _OURS or path.name.startswith("ledger") for path in root.iterdir())
    make_folders(entries)
    for name, text in _MARKS.items():
        with new_file((root if ours else entries) / name) as file:
            file.write(text.encode())
    return True


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unusable(error, "list", folder) from error


def _create(path: str, flags: int) -> int:
    for _ in range(100):  # another kernel may remove the folder between the two calls, for it is empty
        with suppress(FileNotFoundError):
            make_folders(Path(path).parent)
            return os.open(path, flags, 0o600)
    return os.open(path, flags, 0o600)


def _is_left(entry: os.DirEntry[str], entries: set[str]) -> bool:
    stem, dot, suffix = entry.name.rpartition(".")
    return dot + suffix == _TEMPORARY or (dot + suffix in (PAYLOAD, SEAL) and stem not in entries)


def _age(entry: os.DirEntry[str]) -> float:
    try:
        return clock.time() - entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return -1.0
