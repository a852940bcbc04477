"""Databases of SQLite: a file's by what it holds, one in memory by its pages, and both by how they were set.

A file's database is opened again where the file is as it was; to one that a cell has written to, nothing is put
back. What a connection does not tell (functions of the user's, callbacks, an open transaction) refuses it.
"""

from __future__ import annotations

import sqlite3
import threading
import types
from gc import get_referents
from pathlib import Path
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.adapters.sqlite3_rows import (
    content_of_cursor,
    cursor_rule,
    no_content,
    put_cursor,
    put_nothing,
    reduced_cursor,
    reduced_row,
    row_rule,
)
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.memory import LayoutChanged
from lean_magic.values.open_files import digest_of_path
from lean_magic.values.over_rows import closed_database, is_closed_database
from lean_magic.values.tree import tree

__all__ = ["ADAPTER"]

_SETTINGS = (
    "foreign_keys", "recursive_triggers", "query_only", "reverse_unordered_selects", "ignore_check_constraints",
    "read_uncommitted", "trusted_schema", "cell_size_check", "temp_store", "busy_timeout", "synchronous",
    "cache_size", "locking_mode", "automatic_index", "legacy_alter_table", "writable_schema",
)  # fmt: skip
# Bytes that count changes and versions of the library, which a copy has of its own.
_COUNTERS = ((24, 28), (40, 44), (92, 100))
_MOST = 1_000_000  # changes that are counted on
_REMEDY = "close() it in the cell (`with` leaves it open), or open it in an uncached cell"
_lock = threading.Lock()


def _refuse(why: str) -> Unstorable:
    return Unstorable("Connection", f"is an open database{why}", _REMEDY)


def _ask(database: Any, question: str, *numbers: int) -> list[Any]:
    """Ask a database something, whatever makes its rows and texts for the user."""
    cursor, makes = sqlite3.Cursor(database), database.text_factory
    cursor.row_factory, database.text_factory = None, str
    try:
        found: list[Any] = cursor.execute(question, numbers).fetchall()
    except sqlite3.Error as error:
        raise _refuse(f" that does not tell what it holds ({error})") from error
    finally:
        cursor.close()
        database.text_factory = makes
    return found


def _told(database: Any) -> tuple[str, dict[str, Any]]:
    """Give (path, "" for one in memory; how it was set). Raises Unstorable for one that holds what it does not tell."""
    if type(database) is not sqlite3.Connection:
        raise _refuse(" of a class of its own")
    if any(isinstance(one, types.ModuleType) for one in get_referents(database)):
        raise _refuse(" that calls back")
    if database.in_transaction:
        raise _refuse(" with a transaction that is not over, which commit() ends")
    places = _ask(database, "PRAGMA database_list")
    if len(places) != 1:
        raise _refuse(" with others attached, or with temporary tables")
    plain = sqlite3.connect(":memory:")
    try:
        for question in ("PRAGMA function_list", "PRAGMA collation_list"):
            if sorted(map(str, _ask(database, question))) != sorted(map(str, _ask(plain, question))):
                raise _refuse(" with functions or collations of its own")
    finally:
        plain.close()
    settings = {name: _ask(database, f"PRAGMA {name}")[0][0] for name in _SETTINGS}
    return str(places[0][2]), settings


def _pages(database: Any) -> bytes:
    """Give all pages of a database in memory."""
    if not _ask(database, "PRAGMA page_count")[0][0]:
        return b""
    pages: bytes = database.serialize()
    return pages


def _parses(database: Any) -> int:
    """Tell which types the user asked for by `detect_types`."""
    with _lock:
        by_names = _described(database, 'SELECT 1 AS "a [b]"') == "a"
        known, sqlite3.converters["TEXT"] = sqlite3.converters.get("TEXT"), lambda _: _lock
        try:
            by_types = _first_of_schema(database) is _lock
        finally:
            if known is None:
                del sqlite3.converters["TEXT"]
            else:
                sqlite3.converters["TEXT"] = known
    return (sqlite3.PARSE_COLNAMES if by_names else 0) | (sqlite3.PARSE_DECLTYPES if by_types else 0)


def _described(database: Any, question: str) -> str:
    cursor = sqlite3.Cursor(database)
    cursor.execute(question)
    name = str(cursor.description[0][0])
    cursor.close()
    return name


def _first_of_schema(database: Any) -> Any:
    question = "SELECT type FROM {}.sqlite_master LIMIT 1"
    if found := _ask(database, question.format("main")):
        return found[0][0]
    _ask(database, "ATTACH ':memory:' AS lean_magic")  # nothing of which stays
    try:
        _ask(database, "CREATE TABLE lean_magic.probe (number)")
        return _ask(database, question.format("lean_magic"))[0][0]
    finally:
        _ask(database, "DETACH lean_magic")


def _counts(database: Any) -> tuple[int, int, int]:
    """Give (changes so far, those of the last statement, the last row)."""
    return database.total_changes, *_ask(database, "SELECT changes(), last_insert_rowid()")[0]


def _by_python(database: Any) -> tuple[Any, ...]:
    return (
        database.isolation_level, database.row_factory, database.text_factory, getattr(database, "autocommit", None)
    )  # fmt: skip


def _database(walk: Walk, value: Any) -> bytes:
    """Digest a database, open or closed."""
    walk.mark(value)
    if is_closed_database(value):
        return combine("closed database", walk.digests((value.row_factory, value.text_factory)))
    try:
        path, settings = _told(value)
        content = _content_of_file(path) if path else _masked(_pages(value))
        told = walk.keep((path, settings, _parses(value), _counts(value), _by_python(value)))
    except Unstorable as error:
        raise walk.fail(value, f"{error.why}, which cannot be compared", "make it inside the cell") from error
    return combine("database", walk.digests(told), leaf("", content))


def _content_of_file(path: str) -> bytes:
    """Digest the file of a database, with what waits to be written to it."""
    found = [one for one in (path, f"{path}-wal", f"{path}-journal") if Path(one).exists()]
    return b"".join(digest_of_path(one) for one in found if Path(one).stat().st_size or one == path)


def _masked(pages: bytes) -> bytes:
    if not pages:
        return b""
    head = bytearray(pages[:100])
    for start, end in _COUNTERS:
        head[start:end] = bytes(end - start)
    return tree(bytes(head)) + tree(memoryview(pages)[100:])


def _reduced(obj: Any) -> Any:
    """Take a database apart. Raises Unstorable for one that does not tell all that it is."""
    if is_closed_database(obj):
        return closed_database(obj)
    path, settings = _told(obj)
    counts = _counts(obj)
    if counts[0] > _MOST or (path and not _can_write(obj)):
        raise _refuse(" to which very much was written, or nobody may write")
    parses, *python = _parses(obj), *_by_python(obj)
    opened = path, _content_of_file(path) if path else _pages(obj), parses, _is_bound(obj), counts
    return _opened, (*opened, settings, *python)


def _can_write(database: Any) -> bool:
    try:
        _ask(database, "BEGIN IMMEDIATE")
        _ask(database, "ROLLBACK")
    except Unstorable:
        return False
    return True


def _is_bound(database: Any) -> bool:
    """Whether a connection is for the thread alone that made it."""
    found: list[bool] = []

    def ask() -> None:
        try:
            database.total_changes  # noqa: B018
            database.cursor().close()
        except sqlite3.ProgrammingError:
            found.append(True)

    thread = threading.Thread(target=ask, name="lean_magic")
    thread.start()
    thread.join()
    return bool(found)


def _opened(
    path: str, content: bytes, parses: int, bound: bool, counts: Any, settings: dict[str, Any], *python: Any
) -> Any:
    if path and (not Path(path).is_file() or _content_of_file(path) != content):
        raise LayoutChanged(f"the database {path} that was open is another now")
    level, rows, texts, commits = python
    more = {} if commits is None else {"autocommit": commits}
    made = sqlite3.connect(
        path or ":memory:", isolation_level=level, detect_types=parses, check_same_thread=bound, **more
    )
    if content and not path:
        _fill(made, content)
    _count_on(made, *counts)
    _set(made, settings)
    made.row_factory, made.text_factory = rows, texts
    return made


def _set(database: Any, settings: dict[str, Any]) -> None:
    for name in _SETTINGS:
        if _ask(database, f"PRAGMA {name}")[0][0] != settings[name]:
            _ask(database, f"PRAGMA {name} = {settings[name]}")


def _fill(database: Any, pages: bytes) -> None:
    """Give a database in memory its pages."""
    source = sqlite3.connect(":memory:")
    source.deserialize(pages)
    try:
        source.backup(database)
    except sqlite3.Error as error:
        why = f"cannot be put back ({error})"
        raise Unstorable("Connection", why, "fetch all rows before the cell") from error
    finally:
        source.close()


def _count_on(database: Any, total: int, last: int, row: int) -> None:
    """Let a database have counted so many changes, and those of its last statement."""
    more = total - database.total_changes
    if more > 0:
        _count(database, more - last, 1)
        _count(database, last, row - last + 1)


_NUMBERS = """INSERT INTO lean_magic.rows
WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i FROM n"""


def _count(database: Any, number: int, first: int) -> None:
    """Insert so many rows somewhere else."""
    if number <= 0:
        return
    _ask(database, "ATTACH ':memory:' AS lean_magic")
    _ask(database, "CREATE TABLE lean_magic.rows (number INTEGER PRIMARY KEY)")
    _ask(database, _NUMBERS, first, number)
    database.commit()
    _ask(database, "DETACH lean_magic")


def _content(value: Any) -> Any:
    """Give what a database in memory holds. Raises Unstorable for a file's, to which nothing can be put back."""
    if is_closed_database(value):  # nobody can tell whether something was written to its file before
        raise Unstorable(
            "Connection", "is a database that was closed in place", "close it in an uncached cell"
        )
    path, settings = _told(value)
    if path:
        raise Unstorable("Connection", "is a database that was written to", "write to it in an uncached cell")
    return (
        _pages(value),
        _counts(value),
        settings,
        value.isolation_level,
        value.row_factory,
        value.text_factory,
    )


def _put(live: Any, content: Any) -> None:
    """Make a database in memory hold what another has held."""
    pages, counts, settings, *python = content
    if _masked(pages) != _masked(_pages(live)):
        _fill(live, pages)
    _count_on(live, *counts)
    _set(live, settings)
    live.isolation_level, live.row_factory, live.text_factory = python


class _Sqlite(FingerprintOnly):
    library = "sqlite3"

    def rule(self, cls: type) -> Rule | None:
        return next((rule for kind, rule, *_ in _WAYS if issubclass(cls, kind)), None)

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        found = (reduce for kind, _, reduce, *_ in _WAYS if isinstance(value, kind))
        return next((reduce(value) for reduce in found), NotImplemented)

    def content(self, value: Any) -> Any:
        found = (take for kind, _, _, take, _ in _WAYS if isinstance(value, kind))
        return next((take(value) for take in found), NotImplemented)

    def write_back(self, live: Any, stored: Any) -> bool:
        for kind, *_, put in _WAYS:
            if isinstance(live, kind):
                put(live, stored)
                return True
        return False


_WAYS: tuple[tuple[Any, Rule, Any, Any, Any], ...] = (
    (sqlite3.Connection, _database, _reduced, _content, _put),
    (sqlite3.Cursor, cursor_rule, reduced_cursor, content_of_cursor, put_cursor),
    (sqlite3.Row, row_rule, reduced_row, no_content, put_nothing),
)
ADAPTER = _Sqlite()
