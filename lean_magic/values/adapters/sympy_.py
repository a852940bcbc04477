"""SymPy: undefined functions, which are classes, by what was said of them, not by what it deduces in sets' order.

Expressions are pickled as their classes and arguments, which evaluates them once more as they come back: those that
were made unevaluated are made so again.
"""

from __future__ import annotations

from typing import Any

import sympy

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.origin import is_own, module_of

__all__ = ["ADAPTER"]


def _function(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    held = vars(value)
    said = value.__bases__, held.get("name"), held.get("_nargs"), sorted(held.get("_kwargs", {}).items())
    return combine("undefined function", walk.digest(walk.keep(said)))


def _polynomial(walk: Walk, value: Any) -> bytes:
    """Digest a polynomial with what it is over, which its arguments do not tell."""
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    return combine("polynomial", walk.digest((type(value), value.args)), leaf("", repr(value.rep).encode()))


def _comes_of(value: Any, *call: Any) -> bool:
    """Whether calling a class on the arguments of an expression makes just that expression."""
    make, *first = call
    try:
        made = make(*first, *value.args)
    except (ArithmeticError, AttributeError, NotImplementedError, TypeError, ValueError):
        return False
    return type(made) is type(value) and made == value and made.args == value.args


def _unevaluated(cls: Any, *args: Any) -> Any:
    with sympy.evaluate(False):
        return cls(*args)


class _Sympy(FingerprintOnly):
    library = "sympy"

    def rule(self, cls: type) -> Rule | None:
        if issubclass(cls, sympy.Poly):
            return _polynomial
        is_told = cls.__name__ == "UndefinedFunction" and module_of(cls) == "sympy.core.function"
        return _function if is_told else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        cls = type(value)
        if isinstance(value, sympy.Poly):
            return sympy.Poly.new, (value.rep, *value.gens)
        by_arguments = getattr(cls, "__getnewargs__", None) is sympy.Basic.__getnewargs__ and value.args
        if not by_arguments or is_own(cls) or _comes_of(value, cls):
            return NotImplemented
        return (_unevaluated, (cls, *value.args)) if _comes_of(value, _unevaluated, cls) else NotImplemented


ADAPTER = _Sympy()
