"""Bytes → digest: tagged records of a fixed layout, by 128-bit xxh3 (https://xxhash.com)."""

from __future__ import annotations

from typing import Any

import xxhash

from lean_magic.values.counting import seen

__all__ = ["combine", "leaf"]

_SHORT = 1 << 12
_CHUNK = 64 * 1024 * 1024  # bytes after which progress is told


def combine(tag: str, *pieces: bytes) -> bytes:
    """Digest a record of digests; `tag` tells its kind and pieces must have a fixed layout."""
    return xxhash.xxh3_128_digest(tag.encode() + b"\0" + b"".join(pieces))


def leaf(tag: str, content: Any) -> bytes:
    """Digest raw bytes (any contiguous buffer) under a tag."""
    if type(content) is bytes and len(content) < _SHORT:  # one call costs a third of three
        return xxhash.xxh3_128_digest(tag.encode() + b"\0" + content)
    state = xxhash.xxh3_128(tag.encode() + b"\0")
    if len(content) <= _CHUNK:
        state.update(content)
        return state.digest()
    view = memoryview(content).cast("B")
    for start in range(0, len(view), _CHUNK):
        state.update(view[start : start + _CHUNK])
        seen(min(_CHUNK, len(view) - start))
    return state.digest()
