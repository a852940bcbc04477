"""toolz: curried functions by what they hold. Their pickle is a name, which says nothing of the code below it."""

from __future__ import annotations

from typing import Any

from toolz import curry

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory
from lean_magic.values.reduced import attributes, fill_attributes

__all__ = ["ADAPTER"]

_WORKED_OUT = frozenset({"_sigspec", "_has_unknown_args"})  # when somebody asks


def _curried(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("curry", walk.digest(type(value)), attributes(walk, value, _WORKED_OUT))


class _Toolz(FingerprintOnly):
    library = "toolz"

    def rule(self, cls: type) -> Rule | None:
        return _curried if issubclass(cls, curry) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        if not isinstance(value, curry):
            return NotImplemented
        return object.__new__, (type(value),), (dict(vars(value)), {}), None, None, fill_attributes


ADAPTER = _Toolz()
