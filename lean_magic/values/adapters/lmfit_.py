"""lmfit: parameters, whose own form lists the symbols of their formulas in an order that no two processes share."""

from __future__ import annotations

from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of

__all__ = ["ADAPTER"]


def _parameters(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    state = walk.keep(value.__reduce__()[2])
    symbols = state["unique_symbols"]
    ordered = walk.keep({name: symbols[name] for name in sorted(symbols)})
    return combine("parameters", walk.digest(type(value)), walk.digest(ordered), walk.digest(state["params"]))


class _Lmfit(FingerprintOnly):
    library = "lmfit"

    def rule(self, cls: type) -> Rule | None:
        known = (
            base.__name__ == "Parameters" and module_of(base) == "lmfit.parameter" for base in cls.__mro__
        )
        return _parameters if any(known) else None


ADAPTER = _Lmfit()
