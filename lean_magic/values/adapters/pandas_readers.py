"""What `read_csv(…, chunksize=…)` gives: how the file is read, the file, and how many rows were taken of it.

One that is open is made again and taken as far. One that is closed needs no file, and says when it is asked for more
whether there was an end or not.
"""

from __future__ import annotations

import io
from typing import Any

from pandas.io.parsers.readers import TextFileReader

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Walk, combine
from lean_magic.values.open_files import content_of_file, told_of_file
from lean_magic.values.over import Closed
from lean_magic.values.silence import silence

__all__ = ["TextFileReader", "put_reader", "reader_content", "reader_rule", "reduced_reader"]

_REMEDY = "read all of it in one cell, or use `with`"


def _file_of(reader: Any) -> Any:
    """Give the file that a reader reads, open or closed. Raises Unstorable for what is no plain file."""
    file = getattr(reader.handles, "handle", None)
    if not isinstance(file, io.IOBase) or reader.engine != "c":
        raise Unstorable(
            "reader", "reads what is no plain file, or reads it by another engine than 'c'", _REMEDY
        )
    if not file.closed:
        told_of_file(file)
    return file


def _about(reader: Any) -> tuple[Any, ...]:
    return reader.engine, reader.orig_options, reader.chunksize, reader.nrows, reader._currow  # noqa: SLF001


def reader_rule(walk: Walk, value: Any) -> bytes:
    """Digest a reader."""
    walk.mark(value)
    try:
        file = _file_of(value)
        content = _end(value).encode() if file.closed else content_of_file(file)
    except Unstorable as error:
        raise walk.fail(value, f"{error.why}, which cannot be compared", "make it inside the cell") from error
    return combine("reader", walk.digests((*_about(value), str(getattr(file, "name", "")))), content)


def _end(reader: Any) -> str:
    """Say how a closed reader answers who asks for more."""
    try:
        reader.get_chunk(1)
    except StopIteration:
        return "over"
    except ValueError:
        return "closed"
    raise Unstorable("reader", "gives more of a file that is closed", _REMEDY)


def reduced_reader(value: Any) -> Any:
    """Take a reader apart."""
    file = _file_of(value)
    if not file.closed:
        taken = value._currow  # noqa: SLF001  there is no public way to ask
        return _open_at, (file.name, value.engine, value.orig_options, taken, content_of_file(file))
    held = {name: item for name, item in vars(value).items() if name != "_engine"}
    return _closed_as, (value.engine, _end(value)), held


def _open_at(name: Any, engine: Any, options: dict[str, Any], taken: int, content: bytes) -> Any:
    made: Any = TextFileReader(name, engine, **options)
    if content_of_file(made.handles.handle) != content:
        made.close()
        raise Unstorable("reader", f"reads {name}, which is another file now")
    if taken:
        with silence():  # of what it warned when these rows were read
            made.read(taken)
    return made


def _closed_as(engine: Any, end: str) -> Any:
    made: Any = TextFileReader(io.BytesIO(b"a\n1\n"), engine, delimiter=",", chunksize=1)
    if end == "over":
        list(made)
    made.close()
    return made


def reader_content(value: Any) -> Any:
    """Give how many rows were taken, with what makes such a reader again."""
    return (Closed(), _end(value)) if _file_of(value).closed else reduced_reader(value)[1]


def put_reader(live: Any, content: Any) -> None:
    """Take as many rows, or close a reader."""
    if not isinstance(content[0], Closed):
        made = _open_at(*content)
        live.close()
        vars(live).update(vars(made))
        return
    if content[1] == "over":
        for _ in live:
            pass
    live.close()
