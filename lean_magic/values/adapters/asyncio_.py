"""asyncio: locks, semaphores, events and queues without the loop they have met, which is another in each kernel."""

from __future__ import annotations

import asyncio
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory
from lean_magic.values.reduced import attributes, fill_attributes

__all__ = ["ADAPTER"]

_KINDS = (asyncio.Lock, asyncio.Event, asyncio.Condition, asyncio.Semaphore, asyncio.Queue)
_LOOP = frozenset({"_loop"})
_WAITING = ("_waiters", "_getters", "_putters")


def _primitive(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    unused = frozenset(name for name in _WAITING if not vars(value).get(name))
    return combine("asyncio", walk.digest(type(value)), attributes(walk, value, _LOOP | unused))


def _state(value: Any) -> dict[str, Any]:
    """Give all but the loop. Raises Unstorable if somebody waits."""
    if any(vars(value).get(name) for name in _WAITING):
        raise Unstorable(type(value).__name__, "is waited for", "await it in the cell")
    return {name: item for name, item in vars(value).items() if name not in _LOOP}


class _Asyncio(FingerprintOnly):
    library = "asyncio"

    def rule(self, cls: type) -> Rule | None:
        return _primitive if issubclass(cls, _KINDS) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        if not isinstance(value, _KINDS):
            return NotImplemented
        return object.__new__, (type(value),), (_state(value), {}), None, None, fill_attributes

    def content(self, value: Any) -> Any:
        return _state(value) if isinstance(value, _KINDS) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, _KINDS):
            return False
        vars(live).update(stored)
        return True


ADAPTER = _Asyncio()
