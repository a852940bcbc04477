"""An item's key: 128 bits over its type and its content, equal in any process.

Texts, bytes, numbers and rows of arrays are digested right here, a million in a second or two; any other
kind of item as `values` does it. A path counts by what its file holds.
"""

from __future__ import annotations

import dis
import struct
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
import xxhash

from lean_magic.effects.contents import digest_of, stat_of
from lean_magic.errors import Unfingerprintable, UsageError
from lean_magic.values import fingerprint
from lean_magic.values.code import CodeFacts, nested

__all__ = ["digest_items", "looks_at_names", "pieces"]

_STEP = 8192  # items whose digests are joined at a time
_digest = xxhash.xxh3_128_digest

Show = Callable[[int, "int | None"], None]


def digest_items(values: Any, by_name: bool = False, show: Show | None = None) -> Any:
    """Give the keys of items as an (n, 2) array of uint64; `by_name`: paths count by their names, too.

    Raises Unfingerprintable, naming the item, UsageError for a path that is no file.
    """
    keys: Any = np.empty((len(values), 2), np.uint64)
    for start, some in pieces(values, by_name, show):
        keys[start : start + len(some)] = some
    return keys


def pieces(values: Any, by_name: bool = False, show: Show | None = None) -> Iterator[tuple[int, Any]]:
    """Yield the keys of some thousand items at a time, each with the position of the first; see `digest_items`."""
    for start in range(0, len(values), _STEP):
        piece = values[start : start + _STEP]
        found = _rows(piece) if isinstance(piece, np.ndarray) else _list(piece, start, by_name)
        yield start, np.frombuffer(b"".join(found), np.dtype(">u8")).reshape(-1, 2).astype(np.uint64)
        if show is not None:
            show(start, len(values))


def _rows(rows: Any) -> list[bytes]:
    """Digest rows bit by bit: -0.0 is not 0.0, and of NaNs each is its own."""
    head = f"a{rows.dtype.str}{rows.shape[1:]}\0".encode()
    data = rows.tobytes()
    size = len(data) // len(rows)
    return [_digest(head + data[row * size : (row + 1) * size]) for row in range(len(rows))]


def _list(values: list[Any], start: int, by_name: bool) -> Iterator[bytes]:
    if set(map(type, values)) == {str}:
        return (_digest(b"s" + value.encode("utf-8", "surrogatepass")) for value in values)
    return (_one(value, start + place, by_name) for place, value in enumerate(values))


def _one(value: Any, place: int, by_name: bool) -> bytes:
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return _digest(plain(value))
    if isinstance(value, PurePath):
        return _digest(_file(value, place, by_name))
    try:
        return _digest(b"o" + fingerprint(value, f"item {place}").encode())
    except Unfingerprintable as error:
        raise Unfingerprintable(f"item {place:,}", error.why, error.remedy) from error


def _int(value: int) -> bytes:
    return b"i" + value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


_PLAIN: dict[type, Callable[[Any], bytes]] = {
    str: lambda value: b"s" + value.encode("utf-8", "surrogatepass"),
    bytes: lambda value: b"b" + value,
    int: _int,
    float: lambda value: b"f" + struct.pack("<d", value),
    bool: lambda value: b"T" if value else b"F",
    type(None): lambda _: b"N",
}


def _file(path: PurePath, place: int, by_name: bool) -> bytes:
    name = str(path)
    if stat_of(name) is None:
        raise UsageError(f"cached_map: item {place:,} is the path {name}, and there is no such file")
    try:
        content = digest_of(name).encode()
    except OSError as error:
        raise UsageError(f"cached_map: item {place:,}, {name}, cannot be read: {error.strerror}") from error
    return b"p" + content + (b"\0" + name.encode("utf-8", "surrogateescape") if by_name else b"")


# What code asks a path for, or does with it, when its name makes a difference and not only its content.
_NAMES = frozenset({
    "name", "stem", "suffix", "suffixes", "parent", "parents", "parts", "basename", "dirname", "splitext", "stat",
    "relative_to", "resolve", "absolute", "with_name", "with_suffix", "with_stem", "joinpath", "split", "rsplit",
    "fspath", "as_posix", "as_uri", "format", "join",
})  # fmt: skip
_TEXTS = frozenset({"str", "repr", "format", "ascii", "fspath", "basename", "dirname", "sorted"})
_SPELLS = frozenset({"FORMAT_VALUE", "FORMAT_SIMPLE", "FORMAT_WITH_SPEC", "CONVERT_VALUE"})


def looks_at_names(facts: CodeFacts, codes: Iterable[types.CodeType]) -> bool:
    """Whether code may look at a path's name: files of one content are then different items."""
    if _NAMES & facts.attributes or _TEXTS & facts.loads.keys():
        return True
    steps = (step for code in codes for inner in nested(code) for step in dis.get_instructions(inner))
    return any(step.opname in _SPELLS for step in steps)
