"""scipy: sparse matrices and arrays by format and by the arrays they are made of.

Whether indices are sorted or unique is found out when somebody asks, and kept: no content.
"""

from __future__ import annotations

import sys
from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory

__all__ = ["ADAPTER"]

_FOUND_OUT = frozenset(
    {"_has_sorted_indices", "_has_canonical_format", "has_sorted_indices", "has_canonical_format"}
)


def _sparse(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    names = sorted(vars(value).keys() - _FOUND_OUT)
    # Matrices in the form of dicts were dicts themselves once.
    own = isinstance(value, dict) and "_dict" not in names
    items = walk.digests([*dict.items(value)]) if own else b""
    pieces = [walk.digest(name) + walk.digest(vars(value)[name]) for name in names]
    return combine("sparse", walk.digest(type(value)), items, *pieces)


def _bare(value: Any) -> Any:
    """Take a distribution apart without `__new__`, which gives another class where it is told no parameters."""
    return object.__new__, (type(value),), dict(vars(value))


class _Scipy(FingerprintOnly):
    library = "scipy"

    def rule(self, cls: type) -> Rule | None:
        sparse = sys.modules.get("scipy.sparse")
        kinds = (sparse.spmatrix, sparse.sparray) if sparse is not None else ()
        return _sparse if issubclass(cls, kinds) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        module = sys.modules.get("scipy.stats._distribution_infrastructure")
        return _bare(value) if module and isinstance(value, module.UnivariateDistribution) else NotImplemented


ADAPTER = _Scipy()
