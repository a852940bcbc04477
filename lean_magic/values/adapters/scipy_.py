"""scipy: sparse matrices and arrays by format and by the arrays they are made of; k-d trees without addresses.

Whether indices are sorted or unique is found out when somebody asks, and kept: no content.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory
from lean_magic.values.origin import module_of
from lean_magic.values.reduced import attributes, held_by

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


def _kd_tree(walk: Walk, value: Any) -> bytes:
    """Digest a k-d tree by its state, in which the nodes are as they lie in memory: addresses, and gaps in leaves."""
    walk.mark(value)
    walk.use_module("scipy.spatial")
    raw, *state = value.__getstate__()
    nodes = np.frombuffer(bytes(raw), np.int64).reshape(value.size, -1)
    if nodes.shape[1] == len(_NODE):
        inner = nodes[nodes[:, _NODE.index("axis")] >= 0]
        nodes, inside = (
            part[:, [_NODE.index(name) for name in names]]
            for part, names in (
                (nodes, ("axis", "count", "start", "end")),
                (inner, ("split", "left", "right")),
            )
        )
        state += [nodes, inside]
    own = attributes(walk, value, _ASKED)
    return combine("k-d tree", walk.digest(type(value)), walk.digests(walk.keep(state)), own)


_ASKED = frozenset({"_tree"})  # a view of the nodes, made when it is asked for
_NODE = ("axis", "count", "split", "start", "end", "address", "address", "left", "right")  # words of 8 bytes


def _is_kd_tree(cls: type) -> bool:
    return any(
        one.__name__ == "cKDTree" and module_of(one) == "scipy.spatial._ckdtree" for one in cls.__mro__
    )


def _taken(value: Any) -> Any:
    """Take a k-d tree apart with the very array that it is made on, not a copy."""
    raw, _, *state = value.__getstate__()
    own = {name: item for name, item in held_by(value).items() if name not in _ASKED}
    return _make, (type(value),), ((raw, value.data, *state), own), None, None, _fill


def _make(cls: Any) -> Any:
    return cls.__new__(cls)


def _fill(tree: Any, state: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    tree.__setstate__(state[0])
    if state[1]:
        vars(tree).update(state[1])


def _bare(value: Any) -> Any:
    """Take a distribution apart without `__new__`, which gives another class where it is told no parameters."""
    return object.__new__, (type(value),), dict(vars(value))


class _Scipy(FingerprintOnly):
    library = "scipy"

    def rule(self, cls: type) -> Rule | None:
        if _is_kd_tree(cls):
            return _kd_tree
        sparse = sys.modules.get("scipy.sparse")
        kinds = (sparse.spmatrix, sparse.sparray) if sparse is not None else ()
        return _sparse if issubclass(cls, kinds) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        if _is_kd_tree(type(value)):
            return _taken(value)
        module = sys.modules.get("scipy.stats._distribution_infrastructure")
        return _bare(value) if module and isinstance(value, module.UnivariateDistribution) else NotImplemented


ADAPTER = _Scipy()
