"""sklearn: the trees behind nearest neighbours without their counts of earlier calls.

Everything else of sklearn's takes itself apart in a way that says all.
"""

from __future__ import annotations

from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine

__all__ = ["ADAPTER"]


def _tree(walk: Walk, value: Any) -> bytes:
    """Digest a tree by its state, in which the counts stand in a row."""
    walk.mark(value)
    state = value.__getstate__()
    counts = (*value.get_tree_stats(), value.get_n_calls())
    if state[7:11] == counts:
        state = (*state[:7], *state[11:])
    return combine("tree", walk.digest(type(value)), walk.digest(walk.keep(state)))


class _Sklearn(FingerprintOnly):
    library = "sklearn"

    def rule(self, cls: type) -> Rule | None:
        return _tree if hasattr(cls, "get_tree_stats") and hasattr(cls, "get_n_calls") else None


ADAPTER = _Sklearn()
