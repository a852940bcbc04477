"""threading: what a `threading.local` holds for the thread that runs cells.

It keeps what it was made with, for threads that have not asked it yet, and does not tell: it is made again where
it was made with nothing, or by a dataclass, of the fields that had to be given.
"""

from __future__ import annotations

import dataclasses
import inspect
import threading
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory

__all__ = ["ADAPTER"]


def _local(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    held = dict(vars(value))
    return combine(
        "threading.local", walk.digest(type(value)), walk.digests(list(held)), walk.digests([*held.values()])
    )


def _made_with(value: Any) -> dict[str, Any]:
    """Give the arguments that a local was made with. Raises Unstorable if nothing tells."""
    asked = [*inspect.signature(type(value).__init__).parameters.values()][1:]
    if type(value).__init__ is object.__init__ or not asked:
        return {}
    fields = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
    given = {one.name: one for one in fields if one.init}
    if {one.name for one in asked} != given.keys():
        why = "is made with arguments that it does not tell"
        raise Unstorable(type(value).__name__, why, "make it in an uncached cell")
    needed = [one.name for one in asked if one.default is inspect.Parameter.empty]
    return {name: vars(value)[name] for name in needed}


def _make(cls: Any, given: dict[str, Any]) -> Any:
    return cls.__new__(cls, **given)


def _fill(value: Any, held: dict[str, Any]) -> None:
    vars(value).clear()
    vars(value).update(held)


class _Threading(FingerprintOnly):
    library = "_thread"

    def rule(self, cls: type) -> Rule | None:
        return _local if issubclass(cls, threading.local) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        if not isinstance(value, threading.local):
            return NotImplemented
        return _make, (type(value), _made_with(value)), dict(vars(value)), None, None, _fill

    def content(self, value: Any) -> Any:
        return dict(vars(value)) if isinstance(value, threading.local) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, threading.local):
            _fill(live, stored)
            return True
        return False


ADAPTER = _Threading()
