"""sklearn: bunches and estimators as they are; the trees behind nearest neighbours without counts of earlier calls."""

from __future__ import annotations

import sys
from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of

__all__ = ["ADAPTER"]


def _tree(walk: Walk, value: Any) -> bytes:
    """Digest a tree by its state, in which the counts stand in a row."""
    walk.mark(value)
    state = value.__getstate__()
    counts = (*value.get_tree_stats(), value.get_n_calls())
    if state[7:11] == counts:
        state = (*state[:7], *state[11:])
    return combine("tree", walk.digest(type(value)), walk.digest(walk.keep(state)))


def _is_tree(cls: type) -> bool:
    return hasattr(cls, "get_tree_stats") and hasattr(cls, "get_n_calls")


def _bunch(walk: Walk, value: Any) -> bytes:
    """Digest a bunch as the dictionary it is: its own attributes are notes on deprecated names."""
    walk.mark(value)
    pieces = [walk.digest(name) + walk.digest(item) for name, item in dict.items(value)]
    return combine("bunch", walk.digest(type(value)), *pieces)


def _is_bunch(cls: type) -> bool:
    return any(base.__name__ == "Bunch" and module_of(base) == "sklearn.utils._bunch" for base in cls.__mro__)


def _is_estimator(value: Any) -> bool:
    """Whether an object is stored by sklearn's own `__getstate__`, which adds the version to its attributes."""
    base = getattr(sys.modules.get("sklearn.base"), "BaseEstimator", None)
    return base is not None and isinstance(value, base) and type(value).__getstate__ is base.__getstate__


def _fill(value: Any, state: tuple[dict[str, Any], dict[Any, Any]]) -> None:
    vars(value).update(state[0])
    for name, item in state[1].items():
        dict.__setitem__(value, name, item)


class _Sklearn(FingerprintOnly):
    library = "sklearn"

    def rule(self, cls: type) -> Rule | None:
        if _is_bunch(cls):
            return _bunch
        return _tree if _is_tree(cls) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if _is_bunch(type(value)):
            return _make, (type(value),), (dict(vars(value)), dict(dict.items(value))), None, None, _fill
        if _is_estimator(value):
            return _make, (type(value),), (dict(vars(value)), {}), None, None, _fill
        return NotImplemented

    def content(self, value: Any) -> Any:
        """Give the state of a tree; its arrays are views of those that it lies in, which are told apart from it."""
        return value.__getstate__() if _is_tree(type(value)) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not _is_tree(type(live)):
            return False
        live.__setstate__(stored)
        return True


def _make(cls: Any) -> Any:
    return cls.__new__(cls)


ADAPTER = _Sklearn()
