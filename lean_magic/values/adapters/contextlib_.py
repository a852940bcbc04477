"""contextlib: context managers made of generators that have not begun, as one that decorates a function keeps."""

from __future__ import annotations

import contextlib
import inspect
from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory
from lean_magic.values.reduced import reduced

__all__ = ["ADAPTER"]

_KIND: Any = contextlib._GeneratorContextManager  # noqa: SLF001  there is no public name


def _waits(value: Any) -> bool:
    """Whether it is one that has not begun; it then knows what it was made by."""
    return isinstance(value, _KIND) and inspect.getgeneratorstate(value.gen) == inspect.GEN_CREATED


def _manager(walk: Walk, value: Any) -> bytes:
    if not _waits(value):
        return reduced(walk, value)
    walk.mark(value)
    return combine("context manager", walk.digests((type(value), value.func, value.args, value.kwds)))


class _Contextlib(FingerprintOnly):
    library = "contextlib"

    def rule(self, cls: type) -> Rule | None:
        return _manager if issubclass(cls, _KIND) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        return (type(value), (value.func, value.args, value.kwds)) if _waits(value) else NotImplemented


ADAPTER = _Contextlib()
