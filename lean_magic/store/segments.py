"""Packed files of many items: a segment is written whole, never changed, and read by ranges that are checked.

    root/items/<map>/<time>-<random>.seg    a segment: header, then blocks of bytes
                     <map>.same             items of another map that answer here too
                     doubt                  why none of these items is believed any more

A header is JSON: whatever `meta` the writer gives, and where each block lies. Every 256 kB of a block have a
digest of their own, so that a few items can be read and checked without the rest. What the blocks hold, the
store does not know.
"""

from __future__ import annotations

import json
import os
import struct
from array import array
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from lean_magic import clock
from lean_magic.errors import Damaged, LeanMagicError
from lean_magic.host import new_id
from lean_magic.store.folder import DAY, files_in, folders_in, mark, new_file
from lean_magic.store.manifest import require_name
from lean_magic.store.payload import open_own
from lean_magic.store.store import unusable
from lean_magic.store.trust import make_private, require_private

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Mapping

    from _typeshed import ReadableBuffer

__all__ = [
    "CHUNK",
    "SEGMENT",
    "Block",
    "Reader",
    "Segment",
    "Segments",
    "encode",
    "in_words",
    "maps",
    "strays",
]

SEGMENT = ".seg"
CHUNK = 1 << 18  # bytes that have a digest of their own
_SAME, _DOUBT = ".same", "doubt"
_MAGIC = b"leanseg1"
_HEAD = struct.Struct("<8sQ16s")  # magic, bytes of the header, its digest
_ALIGN = 64
_MOST = 1 << 28  # bytes of a header that can be meant


class Block(NamedTuple):
    """Where a block lies in its file, in bytes, and the digests of its chunks."""

    offset: int
    size: int
    sums: memoryview


class Segment:
    """A segment whose header has been checked; blocks are read, and checked, by ranges of bytes."""

    def __init__(self, path: Path, meta: dict[str, Any], blocks: Mapping[str, Block]) -> None:
        self.path = path
        self.meta = meta
        self.blocks = blocks

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """Open the file for several reads. Raises Damaged if it is gone or not ours."""
        with open_own(self.path) as file:
            yield Reader(self, file)

    def verify(self) -> None:
        """Read every byte. Raises Damaged if they are not what was written."""
        with self.opened() as reader:
            for name in self.blocks:
                reader.read(name)


class Reader:
    """A segment's open file."""

    def __init__(self, segment: Segment, file: io.FileIO) -> None:
        self._segment = segment
        self._file = file

    def size(self, name: str) -> int:
        """Return the bytes of a block. Raises Damaged if there is none of that name."""
        return self._block(name).size

    def read(self, name: str, start: int = 0, stop: int | None = None) -> memoryview:
        """Return the bytes from `start` to `stop` of a block. Raises Damaged if they are not what was written."""
        block = self._block(name)
        stop = block.size if stop is None else stop
        if not 0 <= start <= stop <= block.size:
            raise self._damaged()
        begin = start // CHUNK * CHUNK
        end = min(-(-stop // CHUNK) * CHUNK, block.size)
        found = memoryview(bytearray(end - begin))
        self._fill(block, begin, found)
        return found[start - begin : stop - begin]

    def read_into(self, name: str, target: memoryview) -> None:
        """Fill `target`, as large as the block, with all of it. Raises Damaged."""
        block = self._block(name)
        if target.nbytes != block.size:
            raise self._damaged()
        self._fill(block, 0, target)

    def _fill(self, block: Block, begin: int, target: memoryview) -> None:
        number, size = self._file.fileno(), target.nbytes
        for start in range(0, size, CHUNK):
            piece = target[start : start + CHUNK]
            got = os.preadv(number, [piece], block.offset + begin + start)
            same = xxhash.xxh3_64_intdigest(piece) == block.sums[(begin + start) // CHUNK]
            if got != piece.nbytes or not same:
                raise self._damaged()

    def _block(self, name: str) -> Block:
        try:
            return self._segment.blocks[name]
        except KeyError:
            raise self._damaged() from None

    def _damaged(self) -> Damaged:
        return Damaged(f"{self._segment.path} is not what was written; its items are computed again")


def encode(meta: Mapping[str, Any], blocks: Mapping[str, ReadableBuffer]) -> list[ReadableBuffer]:
    """Return the pieces of a segment's file in order; blocks must be contiguous."""
    views = {name: memoryview(block).cast("B") for name, block in blocks.items()}
    places, offset, sums = {}, 0, array("Q")
    for name, view in views.items():
        places[name] = [offset, view.nbytes]
        offset += _padded(view.nbytes)
        sums.extend(xxhash.xxh3_64_intdigest(view[at : at + CHUNK]) for at in range(0, view.nbytes, CHUNK))
    packed = sums.tobytes()
    told = {"meta": meta, "blocks": places, "sums": [offset, len(packed), xxhash.xxh3_128_hexdigest(packed)]}
    header = json.dumps(told, separators=(",", ":"), allow_nan=False).encode()
    head = _HEAD.pack(_MAGIC, len(header), xxhash.xxh3_128_digest(header)) + header
    pieces: list[ReadableBuffer] = [head, _padding(len(head))]
    for view in views.values():
        pieces += [view, _padding(view.nbytes)]
    return [*pieces, packed]


def _padded(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def _padding(size: int) -> bytes:
    return bytes(_padded(size) - size)


def _decode(path: Path, file: io.FileIO) -> Segment:
    magic, size, digest = _HEAD.unpack(_exactly(path, file, 0, _HEAD.size))
    if magic != _MAGIC or size > _MOST:
        raise Damaged(f"{path} is no segment of this version")
    header = _exactly(path, file, _HEAD.size, size)
    if xxhash.xxh3_128_digest(header) != digest:
        raise Damaged(f"{path} is not what was written: its header's digest does not fit")
    told = json.loads(header)
    data = _padded(_HEAD.size + size)
    offset, length, expected = told["sums"]
    packed = _exactly(path, file, data + offset, length)
    if xxhash.xxh3_128_hexdigest(packed) != expected:
        raise Damaged(f"{path} is not what was written: it ends too early")
    return Segment(path, told["meta"], _blocks(told["blocks"], data, memoryview(packed).cast("Q")))


def _blocks(places: Mapping[str, list[int]], data: int, sums: memoryview) -> dict[str, Block]:
    found, at = {}, 0
    for name, (offset, size) in places.items():
        count = -(-size // CHUNK)
        found[name] = Block(data + offset, size, sums[at : at + count])
        at += count
    return found


def _exactly(path: Path, file: io.FileIO, offset: int, size: int) -> bytes:
    found = os.pread(file.fileno(), size, offset)
    if len(found) != size:
        raise Damaged(f"{path} ends too early")
    return found


class Segments:
    """The segments of one map, in the folder `root` of a cache. Every method may raise StoreError."""

    def __init__(self, root: Path, name: str) -> None:
        require_name(name)
        self.root = Path(os.path.realpath(root))
        self.name = name
        self.folder = self.root / "items" / name
        self._made = False

    def names(self) -> list[str]:
        """List the segments' file names, oldest first; raises NotPrivate if others may write here."""
        require_private(self.root)
        return [entry.name for entry in files_in(self.folder) if entry.name.endswith(SEGMENT)]

    def open(self, name: str) -> Segment:
        """Read and check a segment's header. Raises Damaged, also if it is gone, and NotPrivate."""
        path = self.folder / name
        with in_words("read items in", self.root), open_own(path) as file:
            segment = _decode(path, file)
        if segment.meta.get("map") != self.name:
            raise Damaged(f"{path} holds the items of another map")
        return segment

    def put(self, meta: Mapping[str, Any], blocks: Mapping[str, ReadableBuffer]) -> str:
        """Write a segment whole and return its file name; nothing is left behind if that fails."""
        return self.put_encoded(encode({**meta, "map": self.name}, blocks))

    def put_encoded(self, pieces: Iterable[ReadableBuffer]) -> str:
        """Write the pieces of a segment that another process may have encoded."""
        name = f"{clock.time_ns() // 1000:014x}-{new_id(4)}{SEGMENT}"
        with in_words("store items in", self.root):
            self.prepare()
            with new_file(self.folder / name) as file:
                for piece in pieces:
                    file.write(piece)
        return name

    def prepare(self) -> None:
        """Make sure that the cache folder is there and ours alone, once for each of these objects."""
        if not self._made:
            make_private(self.root)
            mark(self.root)
            self._made = True

    def remove(self, names: Iterable[str]) -> None:
        """Delete segments; absent ones are fine. Who has one open can go on reading it."""
        with in_words("delete items in", self.root):
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone already
            self.folder.rmdir()

    def link(self, other: str) -> None:
        """Let the items of another map answer here too."""
        require_name(other)
        self._note(f"{other}{_SAME}", "")

    def linked(self) -> list[Segments]:
        """List the maps whose items answer here too."""
        names = [entry.name for entry in files_in(self.folder) if entry.name.endswith(_SAME)]
        return [Segments(self.root, name.removesuffix(_SAME)) for name in names]

    def newest(self) -> Segment | None:
        """Open the newest segment that can be read; None if there is none."""
        for name in reversed(self.names()):
            with suppress(Damaged):
                return self.open(name)
        return None

    @property
    def doubt(self) -> str:
        """Why no item of this map is believed any more, or ""."""
        try:
            with open_own(self.folder / _DOUBT) as file:
                return file.read().decode("utf-8", "replace")
        except (FileNotFoundError, Damaged):
            return ""

    def distrust(self, why: str) -> None:
        """Believe none of these items from now on."""
        self._note(_DOUBT, why)

    def clear(self) -> int:
        """Delete all there is of this map; gives the bytes that went."""
        entries = files_in(self.folder)
        gone = sum(_size(entry) for entry in entries)
        self.remove(entry.name for entry in entries)
        return gone

    def size(self) -> int:
        """Return the bytes of all files of this map."""
        return sum(map(_size, files_in(self.folder)))

    def _note(self, name: str, text: str) -> None:
        with in_words("store items in", self.root):
            self.prepare()
            with new_file(self.folder / name) as file:
                file.write(text.encode())


def maps(root: Path) -> list[Segments]:
    """List all maps that have items in the cache folder `root`. Raises StoreError."""
    return [Segments(root, folder.name) for folder in folders_in(Path(os.path.realpath(root)) / "items")]


def strays(home: Segments, age: float = DAY) -> list[Path]:
    """Return what crashes left in a map's folder: files half written, or lent to workers, for `age` seconds."""
    found = []
    for entry in files_in(home.folder):
        if entry.name.endswith(".tmp") or entry.name.startswith("lent-"):
            with suppress(FileNotFoundError):
                if clock.time() - entry.stat(follow_symlinks=False).st_mtime > age:
                    found.append(Path(entry.path))
    return found


@contextmanager
def in_words(doing: str, root: Path) -> Iterator[None]:
    """Turn what the system says into words that name the folder and a remedy. Raises StoreError."""
    try:
        yield
    except LeanMagicError:
        raise
    except OSError as error:
        raise unusable(error, doing, root) from error


def _size(entry: os.DirEntry[str]) -> int:
    with suppress(FileNotFoundError):
        return entry.stat(follow_symlinks=False).st_size
    return 0
