"""What reads and writes rows and is over: CSV readers and writers of closed files, cursors of closed databases."""

from __future__ import annotations

import gc
import itertools
import sys
from typing import Any

from lean_magic.errors import Unstorable

__all__ = ["closed_cursor", "closed_database", "csv_reader", "csv_writer", "is_closed_database"]

_DIALECT = (
    "delimiter", "doublequote", "escapechar", "lineterminator", "quotechar", "quoting", "skipinitialspace", "strict",
)  # fmt: skip


def _dialect(obj: Any) -> dict[str, Any]:
    return {name: getattr(obj.dialect, name) for name in _DIALECT}


def csv_reader(obj: Any) -> Any:
    """Take a CSV reader apart into the lines that it reads, which are refused themselves if their file is open."""
    lines = next(one for one in gc.get_referents(obj) if hasattr(one, "__next__"))
    return _make_reader, (lines, obj.line_num, _dialect(obj))


def _make_reader(lines: Any, count: int, dialect: dict[str, Any]) -> Any:
    # It counts the lines that it is given: of those that are gone, each is an empty one.
    reader = sys.modules["_csv"].reader(itertools.chain(itertools.repeat("", count), lines), **dialect)
    for _ in range(count):
        next(reader)
    return reader


def csv_writer(obj: Any) -> Any:
    """Take a CSV writer apart into what it writes with, a method of its file."""
    write = next(one for one in gc.get_referents(obj) if callable(one) and not isinstance(one, type))
    return _make_writer, (write, _dialect(obj))


def _make_writer(write: Any, dialect: dict[str, Any]) -> Any:
    class Target:
        pass

    target: Any = Target()
    target.write = write
    return sys.modules["_csv"].writer(target, **dialect)


def is_closed_database(database: Any) -> bool:
    """Whether a connection to SQLite is closed."""
    try:
        database.total_changes  # noqa: B018
    except sys.modules["sqlite3"].ProgrammingError:  # which of its answers SQLite's own module alone names
        return True
    return False


def closed_database(obj: Any) -> Any:
    """Take a closed connection to SQLite apart."""
    return _make_closed_database, (type(obj), obj.row_factory, obj.text_factory)


def _make_closed_database(kind: Any, *factories: Any) -> Any:
    database = kind(":memory:")
    database.row_factory, database.text_factory = factories
    database.close()
    return database


def closed_cursor(obj: Any) -> Any:
    """Take a cursor of a closed database apart: what it says of its last statement. Raises Unstorable for some."""
    names = None if obj.description is None else [column[0] for column in obj.description]
    if names is not None and obj.rowcount >= 0:
        raise Unstorable("Cursor", "is one that changed rows and gave some", "delete it in the cell")
    told = obj.lastrowid, obj.rowcount, names, obj.arraysize, obj.row_factory, _is_closed(obj)
    return _make_cursor, (obj.connection, *told)


def _is_closed(cursor: Any) -> bool:
    try:
        cursor.fetchone()
    except sys.modules["sqlite3"].ProgrammingError as error:
        return "closed cursor" in str(error)
    return False


def _make_cursor(
    database: Any, row: int | None, count: int, names: list[str] | None, size: int, factory: Any, over: bool
) -> Any:
    """Let a cursor say of a statement what another has said; its connection is open for as long as this takes."""
    factories = database.row_factory, database.text_factory
    database.__init__(":memory:", isolation_level=None)
    cursor = database.cursor()
    database.execute("CREATE TABLE rows (number)")
    database.execute("CREATE TABLE last (number INTEGER PRIMARY KEY)")
    database.executemany("INSERT INTO rows VALUES (?)", ((number,) for number in range(count)))
    database.execute("INSERT INTO last VALUES (?)", (row or 0,))
    if row is not None:
        cursor.execute(_statement(names, count))
    elif count >= 0:
        cursor.executemany(_statement(names, count), [()])
    cursor.arraysize, cursor.row_factory = size, factory
    if over:
        cursor.close()
    database.close()
    database.row_factory, database.text_factory = factories
    return cursor


def _statement(names: list[str] | None, count: int) -> str:
    if names is not None:
        return "SELECT " + ", ".join('1 AS "{}"'.format(name.replace('"', '""')) for name in names)
    return "DELETE FROM rows" if count >= 0 else "CREATE TABLE others (number)"
