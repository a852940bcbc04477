"""pydantic: what decorators say of a model, without the address of its class; functions whose calls are checked."""

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


def _checked_call(walk: Walk, value: Any) -> bytes:
    """Digest what `validate_call` wraps a function in by what it was given; the rest it makes of that."""
    walk.mark(value)
    return combine("checked call", walk.digests(walk.keep(_given(value))))


def _given(value: Any) -> tuple[Any, ...]:
    return value.function, dict(value.config_wrapper.config_dict), value.validate_return


def _fill_checked_call(made: Any, given: tuple[Any, ...]) -> None:
    made.__init__(*given, None)


def _is_checked_call(cls: type) -> bool:
    return cls.__name__ == "ValidateCallWrapper" and module_of(cls) == "pydantic._internal._validate_call"


class _Pydantic(FingerprintOnly):
    library = "pydantic"

    def rule(self, cls: type) -> Rule | None:
        if _is_checked_call(cls):
            return _checked_call
        is_told = cls.__name__ == "Decorator" and module_of(cls) == "pydantic._internal._decorators"
        return _decorator if is_told else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if not _is_checked_call(type(value)):
            return NotImplemented
        return object.__new__, (type(value),), _given(value), None, None, _fill_checked_call


ADAPTER = _Pydantic()
