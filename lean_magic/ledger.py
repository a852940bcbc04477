"""The ledger: one line of JSON for every hit, miss and bypass, appended and never changed.

Each line goes out in one write to a file opened for appending, so many kernels can share it without a lock.
"""

from __future__ import annotations

import errno
import math
import os
from itertools import islice
from json import dumps, loads
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from lean_magic.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Ledger", "Record", "Totals", "totals"]

_BLOCK = 1 << 16  # bytes read at a time, backwards


class Record(NamedTuple):
    """One outcome of one cell. All times are in seconds, `time` since the epoch."""

    time: float
    outcome: str  # "hit", "miss" or "bypass"
    label: str = ""
    cell_id: str = ""
    family: str = ""
    key: str = ""
    entry: str = ""
    seconds: float = 0.0  # spent here and now: the run of a miss or bypass, the loading of a hit
    saved: float = 0.0  # not spent: what the run of a hit took when it was made
    reasons: tuple[str, ...] = ()
    gpu_seconds: float | None = (
        None  # of the run: spent by a miss or bypass, saved by a hit; None if not known
    )

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        return self._asdict() | {"reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Record:
        """Return the record in a JSON object: unknown members are left out, missing or odd ones empty."""
        return cls(**{name: _READERS[name](record.get(name)) for name in cls._fields})


class Totals(NamedTuple):
    """Sums over records, times in seconds; GPU-seconds are None if no record knew them."""

    hits: int = 0
    misses: int = 0
    bypasses: int = 0
    seconds_saved: float = 0.0
    seconds_spent: float = 0.0
    gpu_seconds_saved: float | None = None
    gpu_seconds_spent: float | None = None


class Ledger:
    """The ledger in the file `path`, which is made with the first record."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one record; raises StoreError if it cannot be written or is not JSON."""
        try:
            line = dumps(dict(record), separators=(",", ":"), allow_nan=False)
            self._write(line.encode("ascii") + b"\n")
        except (TypeError, ValueError, RecursionError) as error:
            raise StoreError(f"cannot write to the ledger: the record is not JSON ({error})") from error
        except OSError as error:
            raise StoreError(
                f"cannot write to the ledger {self.path}: {error.strerror}; "
                "free some space, or set LEAN_MAGIC_CACHE_DIR to a folder that you can write",
            ) from error

    def read(self, last: int | None = None, only: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the records, or the `last` so many, oldest first; lines that are no records are passed over.

        `only`: those of these entries, which is faster than to read all.

        A missing file has none. Raises StoreError if it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                lines = file if only is None else _naming(file, {entry.encode() for entry in only})
                yield from _records(lines) if last is None else _last(file, last)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"cannot read the ledger {self.path}: {error.strerror}") from error

    def _write(self, line: bytes) -> None:
        _make_folders(self.path.parent)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        number = os.open(self.path, flags, 0o600)
        try:
            line = _mended(number) + line
            if os.write(number, line) != len(line):
                raise OSError(errno.ENOSPC, "the disk is full")
        finally:
            os.close(number)


def totals(records: Iterable[Mapping[str, Any]], since: float | None = None) -> Totals:
    """Return the sums over `records` at or after `since`, in seconds since the epoch."""
    chosen = [Record.from_json(record) for record in records]
    chosen = [record for record in chosen if since is None or record.time >= since]
    hits = [record for record in chosen if record.outcome == "hit"]
    runs = [record for record in chosen if record.outcome in ("miss", "bypass")]
    return Totals(
        hits=len(hits),
        misses=sum(record.outcome == "miss" for record in runs),
        bypasses=sum(record.outcome == "bypass" for record in runs),
        seconds_saved=math.fsum(record.saved for record in hits),
        seconds_spent=math.fsum(record.seconds for record in (*hits, *runs)),
        gpu_seconds_saved=_known_sum(hits),
        gpu_seconds_spent=_known_sum(runs),
    )


def _make_folders(folder: Path) -> None:
    # Each with mode 0700, whatever the umask: in a folder open to others the store would refuse to work.
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _mended(number: int) -> bytes:
    # A line cut short by a full disk or a crash must not swallow the next one.
    size = os.fstat(number).st_size
    if size == 0:
        return b""
    os.lseek(number, size - 1, os.SEEK_SET)
    return b"" if os.read(number, 1) == b"\n" else b"\n"


def _records(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            record = loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record


def _naming(lines: Iterable[bytes], entries: set[bytes]) -> Iterator[bytes]:
    """Yield the lines that name one of these entries, as this version writes them, or in any other way."""
    for line in lines:
        _, found, rest = line.partition(b'"entry":"')
        if not found or rest.partition(b'"')[0] in entries:
            yield line


def _last(file: BinaryIO, count: int) -> list[dict[str, Any]]:
    found = list(islice(_records(_backwards(file)), max(count, 0)))
    return found[::-1]


def _backwards(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of `file`, last first, reading no more of it than asked for."""
    end, rest = file.seek(0, os.SEEK_END), b""
    while end:
        start = max(end - _BLOCK, 0)
        file.seek(start)
        rest, *lines = (file.read(end - start) + rest).split(b"\n")
        yield from reversed(lines)
        end = start
    yield rest


def _known_sum(records: Iterable[Record]) -> float | None:
    known = [record.gpu_seconds for record in records if record.gpu_seconds is not None]
    return math.fsum(known) if known else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


def _known(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _number(value: Any) -> float:
    return _known(value) or 0.0


_READERS: dict[str, Callable[[Any], Any]] = {
    "time": _number,
    "outcome": _text,
    "label": _text,
    "cell_id": _text,
    "family": _text,
    "key": _text,
    "entry": _text,
    "seconds": _number,
    "saved": _number,
    "reasons": _texts,
    "gpu_seconds": _known,
}
