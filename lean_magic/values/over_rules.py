"""Fingerprints of what is over when a cell ends, as far as it is: files, threads, errors, locks, generators."""

from __future__ import annotations

import io
import threading
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.leftovers import name_of_stream
from lean_magic.values.open_files import READERS, content_of_file, take_place, told_of_file
from lean_magic.values.over import BLANK
from lean_magic.values.reduced import attributes, reduced
from lean_magic.values.tracebacks import steps

__all__ = ["constant_rule", "error_rule", "file_rule", "live_rule", "thread_rule"]


def constant_rule(walk: Walk, value: Any) -> bytes:
    """Digest an object that holds no content but whether it is held."""
    walk.mark(value)
    held = value.locked() if hasattr(value, "locked") else "count=0" not in repr(value)
    return combine("lock", type(value).__qualname__.encode(), b"held" if held else b"free")


def live_rule(walk: Walk, value: Any) -> bytes:
    """Refuse what runs, or waits to: a coroutine, a frame."""
    raise walk.fail(
        value, f"is a live {type(value).__name__}, which has no content to compare", "pass what it gives"
    )


def error_rule(walk: Walk, value: BaseException) -> bytes:
    """Digest an exception with those behind it and the lines it came by, all of which its printed form shows."""
    lines = [f"{code.co_name} {line}" for code, _, line in steps(value.__traceback__)]
    behind = value.__cause__, value.__context__, value.__suppress_context__
    return combine(
        "error", reduced(walk, value), leaf("lines", "\n".join(lines).encode()), *map(walk.digest, behind)
    )


def thread_rule(walk: Walk, value: threading.Thread) -> bytes:
    """Digest a thread that is over or was not started, by name and by what was set on it."""
    walk.mark(value)
    if value.is_alive():
        raise walk.fail(value, "is a live thread", "join() it in an earlier cell")
    return combine(
        "thread", walk.digest((type(value), value.name, value.daemon)), attributes(walk, value, BLANK)
    )


def file_rule(walk: Walk, value: io.IOBase) -> bytes:
    """Digest a closed file by what is known of it; an open one has no content to compare."""
    walk.mark(value)
    stream = name_of_stream(value)
    if stream:
        return leaf("stream", stream.encode())
    if not value.closed:
        return _open_file(walk, value)
    try:
        name = str(getattr(value, "name", ""))
    except ValueError:  # since Python 3.13, of a closed file of bz2 or lzma
        name = ""
    said = name, str(getattr(value, "mode", "")), getattr(value, "encoding", None)
    return combine("closed", walk.digest(type(value)), walk.digest(said))


def _open_file(walk: Walk, value: io.IOBase) -> bytes:
    """Digest a file that is open to be read."""
    if type(value) not in READERS:
        return reduced(walk, value)
    try:
        told, content, place = told_of_file(value), content_of_file(value), take_place(value)
    except Unstorable as error:
        raise walk.fail(
            value, f"{error.why}, which has no content to compare", "open it inside the cell"
        ) from error
    return combine("open file", walk.digest(type(value)), walk.digests((*map(str, told), *place)), content)
