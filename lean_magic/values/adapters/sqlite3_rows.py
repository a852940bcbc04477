"""Cursors of SQLite from which nothing is to be fetched any more, and rows that know the names of their columns."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence
from gc import get_referents
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Walk, combine
from lean_magic.values.over_rows import closed_cursor, is_closed_database

__all__ = [
    "content_of_cursor",
    "cursor_rule",
    "no_content",
    "put_cursor",
    "put_nothing",
    "reduced_cursor",
    "reduced_row",
    "row_rule",
]


def cursor_rule(walk: Walk, value: Any) -> bytes:
    """Digest a cursor from which nothing more is to be fetched."""
    walk.mark(value)
    if _is_waiting(value):
        why = "is or holds a cursor that has more rows, which cannot be compared"
        raise walk.fail(value, why, "fetch them all in the cell that asks for them")
    return combine(
        "cursor", walk.digests(walk.keep((*_said(value), value.row_factory))), walk.digest(value.connection)
    )


def _is_waiting(cursor: Any) -> bool:
    return any(type(one).__name__ == "Statement" for one in get_referents(cursor))


def _last_row(database: Any) -> Any:
    """Give the last row that was inserted, of which each cursor tells that asks something."""
    cursor = sqlite3.Cursor(database)
    cursor.execute("PRAGMA lean_magic").fetchall()
    return cursor.lastrowid


def _said(cursor: Any) -> tuple[Any, ...]:
    names = None if cursor.description is None else [column[0] for column in cursor.description]
    return names, cursor.rowcount, cursor.lastrowid, cursor.arraysize


def reduced_cursor(value: Any) -> Any:
    """Take a cursor apart that has only read, and has read all."""
    if is_closed_database(value.connection):
        return closed_cursor(value)
    return _make_cursor, (value.connection,), content_of_cursor(value), None, None, put_cursor


def content_of_cursor(value: Any) -> Any:
    """Give what a cursor says of what it has read. Raises Unstorable for one that has more to give, or has written."""
    names, count, row, size = _said(value)
    is_new = names is row is None
    if _is_waiting(value) or count >= 0 or not (is_new or row == _last_row(value.connection)):
        why = "is or holds a cursor that has more rows, or has changed some"
        raise Unstorable("Cursor", why, "fetch all in the cell that asks, or leave it to an uncached cell")
    return None if is_new else names or [], size, value.row_factory


def _make_cursor(database: Any) -> Any:
    return sqlite3.Cursor(database)


def put_cursor(live: Any, content: Any) -> None:
    """Let a cursor have read rows of such columns."""
    names, live.arraysize, live.row_factory = content
    if names is not None and (live.lastrowid is None or (_said(live)[0] or []) != names):
        live.execute(_nothing_of(names)).fetchall()


def _nothing_of(names: Sequence[str]) -> str:
    quoted = (name.replace('"', '""') for name in names)
    columns = ", ".join(f'1 AS "{name}"' for name in quoted)
    return f"SELECT {columns} WHERE 0" if columns else "PRAGMA lean_magic"  # which no SQLite knows


def row_rule(walk: Walk, value: Any) -> bytes:
    """Digest a row by names and values."""
    walk.mark(value)
    return combine("row", walk.digests(walk.keep((value.keys(), tuple(value)))))


def reduced_row(value: Any) -> Any:
    """Take a row apart."""
    return _make_row, (tuple(value.keys()), tuple(value))


def _make_row(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return sqlite3.Row(_cursor_of(names), values)


@functools.lru_cache(maxsize=16)
def _cursor_of(names: tuple[str, ...]) -> Any:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    return database.execute(_nothing_of(names))


def no_content(value: Any) -> None:
    """Give nothing, for a row does not change."""
    del value


def put_nothing(live: Any, content: None) -> None:
    """Leave a row as it is."""
    del live, content
