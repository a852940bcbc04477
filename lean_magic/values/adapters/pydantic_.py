"""pydantic: what decorators say of a model, without the address that its class happened to have."""

from __future__ import annotations

from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of
from lean_magic.values.reduced import attributes

__all__ = ["ADAPTER"]

_OF_A_RUN = frozenset({"cls_ref"})  # a name with the id of the class


def _decorator(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("decorator", attributes(walk, value, _OF_A_RUN))


class _Pydantic(FingerprintOnly):
    library = "pydantic"

    def rule(self, cls: type) -> Rule | None:
        is_told = cls.__name__ == "Decorator" and module_of(cls) == "pydantic._internal._decorators"
        return _decorator if is_told else None


ADAPTER = _Pydantic()
