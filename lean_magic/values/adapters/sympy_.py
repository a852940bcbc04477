"""SymPy: undefined functions, which are classes, by what was said of them, not by what it deduces in sets' order."""

from __future__ import annotations

from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of

__all__ = ["ADAPTER"]


def _function(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    held = vars(value)
    said = value.__bases__, held.get("name"), held.get("_nargs"), sorted(held.get("_kwargs", {}).items())
    return combine("undefined function", walk.digest(walk.keep(said)))


class _Sympy(FingerprintOnly):
    library = "sympy"

    def rule(self, cls: type) -> Rule | None:
        is_told = cls.__name__ == "UndefinedFunction" and module_of(cls) == "sympy.core.function"
        return _function if is_told else None


ADAPTER = _Sympy()
