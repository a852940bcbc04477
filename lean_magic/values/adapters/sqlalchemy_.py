"""SQLAlchemy: engines of SQLite's files, by the file and what it holds; connections that wait in a pool are no content.

Engines of other databases are left to Python's own ways, which know those alone that have not connected yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy.engine.base import Engine

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.open_files import digest_of_path
from lean_magic.values.origin import is_own
from lean_magic.values.reduced import reduced

__all__ = ["ADAPTER"]


_IN_MEMORY = "is an engine of a database in memory"
_REMEDY = "make and use it in one cell, or let it use a file"


def _file_of(engine: Any) -> str | None:
    """Give the file that an engine connects to, "" for a database in memory; None if it is none of SQLite's."""
    if engine.dialect.name != "sqlite":
        return None
    name = str(engine.url.database or "")
    return "" if name == ":memory:" or name.startswith("file:") else name


def _engine(walk: Walk, value: Any) -> bytes:
    path = _file_of(value)
    if path is None:
        return reduced(walk, value)
    if not path:
        raise walk.fail(value, f"{_IN_MEMORY}, which cannot be compared", _REMEDY)
    walk.mark(value)
    walk.use_module("sqlalchemy")
    url = value.url.render_as_string(hide_password=False)
    said = url, type(value.dialect), type(value.pool), value.echo, dict(value.get_execution_options())
    waits = [one for one in (f"{path}-wal", path) if Path(one).exists()]
    content = b"".join(map(digest_of_path, waits))
    return combine("engine", walk.digests(walk.keep((*said, _listeners(value)))), leaf("", content))


def _listeners(engine: Any) -> list[Any]:
    """Give what the user has hung on an engine's events, and on its pool's."""
    told = (owner.dispatch for owner in (engine, engine.pool))
    heard = (getattr(events, name) for events in told for name in sorted(events._event_names))  # noqa: SLF001
    return [one for listeners in heard for one in listeners if is_own(one)]


class _Sqlalchemy(FingerprintOnly):
    library = "sqlalchemy"

    def rule(self, cls: type) -> Rule | None:
        return _engine if issubclass(cls, Engine) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        """Take an engine apart with a pool in which nothing waits."""
        del memory
        if not isinstance(value, Engine) or _file_of(value) is None:
            return NotImplemented
        if not _file_of(value):
            raise Unstorable("Engine", _IN_MEMORY, _REMEDY)
        return object.__new__, (type(value),), vars(value) | {"pool": value.pool.recreate()}

    def content(self, value: Any) -> Any:
        if isinstance(value, Engine):
            why = "is an engine of a database that was written to, or was changed in place"
            raise Unstorable("Engine", why, "write to it in an uncached cell")
        return NotImplemented


ADAPTER = _Sqlalchemy()
