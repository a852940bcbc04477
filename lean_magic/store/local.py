"""A store in a local folder: payload first, manifest last, each renamed into place.

    root/entries/<family>/<key>/<entry>.joblib   the payload
                                <entry>.json     the manifest: there is an entry once this file is there
                                <entry>.ok       the seal of a verified payload; only a speed-up
                                *.tmp            being written, or left by a crash

Nothing is synced to the disk: after a power failure the digests tell what arrived.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from lean_magic import clock
from lean_magic.errors import Damaged, LeanMagicError, NotPrivate
from lean_magic.store.folder import (
    DAY,
    MANIFEST,
    PAYLOAD,
    SEAL,
    bytes_in,
    files_in,
    folders_in,
    key_folder,
    leftovers,
    mark,
    names_in,
    new_file,
    read_manifest,
)
from lean_magic.store.index import Index, Line
from lean_magic.store.manifest import Manifest, Payload, require_name
from lean_magic.store.payload import PayloadWriter, Progress, Seal, read_seal, seal_of, verify
from lean_magic.store.store import Manifests, Writer, unusable
from lean_magic.store.trust import make_private, require_own, require_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lean_magic.store import audit

__all__ = ["LocalStore", "line_of"]

_SWEEP_EVERY = 3600.0  # seconds, a family and process
_BESIDE = 64 * 1024  # bytes: more than a manifest and a seal take, but for odd ones


class LocalStore:
    """A store in the folder `root`, which is made when something is first stored.

    `progress(done, total)`, both in bytes, is called while a payload is verified.
    """

    def __init__(self, root: Path, progress: Progress | None = None) -> None:
        # Resolved once: later changes of the working folder or of links do not move the cache.
        self.root = Path(os.path.realpath(root))
        self.progress = progress
        self._index = Index(self.root / "index")
        self._seals: dict[Path, Seal] = {}
        self._swept: dict[str, float] = {}

    def get(self, family: str, key: str) -> Manifests:
        """Return the entries of one key, newest first; none if the folder is missing.

        Entries that are damaged, of another format, or writable by others are as good as absent.
        Raises StoreError if the folder cannot be listed, ValueError if `family` or `key` is not hex.
        """
        found = []
        with self._in_words("read an entry in"):
            for file in files_in(key_folder(self.root, family, key)):
                if file.name.endswith(MANIFEST):
                    with suppress(Damaged, NotPrivate):
                        found.append(read_manifest(Path(file.path)))
        return sorted(found, key=lambda manifest: manifest.created, reverse=True)

    def put(self, manifest: Manifest, write: Writer) -> Manifest:
        """Store what `write(file)` writes; return the manifest with its payload filled in.

        Raises NotPrivate, StoreError for a folder or disk that cannot be used, Unstorable for a manifest that
        is not JSON, and whatever else `write` raises. Nothing is left behind then.
        """
        payload, place = self._files(manifest)[:2]
        with self._in_words("store an entry in"):
            make_private(self.root)
            if mark(self.root):
                self._index.write([])
            self._sweep(manifest.family)
            stored, data = self._write_payload(manifest, payload, write)
            with ExitStack() as undo:
                undo.callback(payload.unlink, missing_ok=True)
                with new_file(place) as file:
                    file.write(data)
                undo.pop_all()
            self._index.add(line_of(stored))
        return stored

    def list(self, family: str | None = None) -> Iterator[Manifest]:
        """Yield every good entry, or those of one family, key by key. Raises what `get` raises."""
        for folder in self._key_folders(family):
            yield from self.get(folder.parent.name, folder.name)

    def delete(self, manifest: Manifest) -> None:
        """Remove the entry, manifest first; an absent one is fine. Raises StoreError."""
        payload, place, seal = self._files(manifest)
        self._seals.pop(payload, None)
        self._index.remove(manifest.entry)
        with self._in_words("delete an entry in"):
            for path in (place, payload, seal):
                path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone already
            place.parent.rmdir()
            place.parent.parent.rmdir()

    def open(self, manifest: Manifest) -> Path:
        """Return the path of the payload, read and compared with its digest unless this very file was before.

        Raises Damaged if it is not what was written, NotPrivate if others could have written it, StoreError.
        """
        if manifest.payload is None:
            raise Damaged(f"the entry {manifest.entry} has no payload; the cell runs again")
        path, _, sidecar = self._files(manifest)
        self._require_private(path.parent)
        with self._in_words("read an entry in"):
            seal = seal_of(path, manifest.payload)
            if seal not in (self._seals.get(path), read_seal(sidecar)):
                seal = verify(path, manifest.payload, self.progress)
                self._keep(sidecar, seal)
        self._seals[path] = seal
        return path

    def check(self, fix: bool = False, age: float = DAY) -> audit.Findings:
        """Read every byte; return a sentence for each thing that is wrong; `fix` removes what cannot be used.

        Files in the making look like leftovers of a crash: what changed in the last `age` seconds is left.
        """
        from lean_magic.store import audit

        findings = audit.check(self.root, fix=fix, age=age)
        if fix:
            self._index.forget()
        return findings

    def lines(self) -> Sequence[Line]:
        """Return every entry as the index knows it, in no order. Raises StoreError.

        What others removed from the folder by hand may still be among them, or what an older version stored be
        missing, until `check(fix=True)`; whole families are compared with the folder.
        """
        found = self._index.read()
        if found is None:
            require_private(self.root)
            found = {manifest.entry: line_of(manifest) for manifest in self.list()}
            if self.root.exists():
                self._index.write(found.values())
            return list(found.values())
        there = names_in(self.root / "entries")
        known = {line.family for line in found.values()}
        for line in [line for line in found.values() if line.family not in there]:
            self._index.remove(line.entry)
            del found[line.entry]
        for manifest in (each for family in there - known for each in self.list(family)):
            found[manifest.entry] = line_of(manifest)
            self._index.add(found[manifest.entry])
        return list(found.values())

    def at_most(self) -> int | None:
        """Return bytes that the cache does not exceed, without a look at each entry; None if there is no index yet."""
        found = self._index.read()
        if found is None:
            return None
        entries = sum(line.size + _BESIDE for line in found.values())
        return entries + sum(map(bytes_in, folders_in(self.root / "items")))

    def size(self) -> int:
        """Return the bytes of all entries and segments, and of whatever else lies beside them."""
        from lean_magic.store.segments import maps  # loaded late, since few caches have any

        total = sum(home.size() for home in maps(self.root))
        for folder in self._key_folders():
            total += bytes_in(folder)
        return total

    def _files(self, manifest: Manifest) -> tuple[Path, Path, Path]:
        require_name(manifest.entry)
        folder = key_folder(self.root, manifest.family, manifest.key)
        place = folder / f"{manifest.entry}{MANIFEST}"
        return place.with_suffix(PAYLOAD), place, place.with_suffix(SEAL)

    def _key_folders(self, family: str | None = None) -> Iterator[Path]:
        entries = self.root / "entries"
        if family is not None:
            require_name(family)
        for folder in folders_in(entries) if family is None else [entries / family]:
            yield from folders_in(folder)

    def _require_private(self, folder: Path) -> None:
        require_private(self.root)
        for path in (self.root / "entries", folder.parent, folder):
            with suppress(FileNotFoundError):  # then the payload is missing too, which is said below
                require_own(path, path.lstat())

    def _write_payload(self, manifest: Manifest, path: Path, write: Writer) -> tuple[Manifest, bytes]:
        with new_file(path) as file:
            writer = PayloadWriter(file)
            layout = write(cast("BinaryIO", writer))
            payload = Payload(writer.tell(), writer.hexdigest(), layout)
            data = manifest._replace(payload=payload).to_json()
            return Manifest.from_json(data), data  # as a reader will find it, before it is there to be found

    def _keep(self, sidecar: Path, seal: Seal) -> None:
        with (
            suppress(OSError),
            new_file(sidecar) as file,
        ):  # no room or no right: it is verified again next time
            file.write(dumps(seal).encode())

    def _sweep(self, family: str) -> None:
        now = clock.monotonic()
        if now - self._swept.get(family, -_SWEEP_EVERY) < _SWEEP_EVERY:
            return
        self._swept[family] = now
        with suppress(OSError):  # tidying must not stop a result from being stored
            for folder in self._key_folders(family):
                for path in leftovers(folder):
                    path.unlink(missing_ok=True)

    @contextmanager
    def _in_words(self, doing: str) -> Iterator[None]:
        try:
            yield
        except LeanMagicError:
            raise
        except OSError as error:
            raise unusable(error, doing, self.root) from error


def line_of(manifest: Manifest) -> Line:
    """Give what the index keeps of an entry."""
    size = manifest.payload.size if manifest.payload else 0
    return Line(manifest.entry, manifest.family, manifest.key, manifest.created, size)
