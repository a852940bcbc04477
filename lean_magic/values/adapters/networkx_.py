"""networkx: graphs without the views that they keep of themselves once they have been asked for."""

from __future__ import annotations

from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of
from lean_magic.values.reduced import attributes, held_by

__all__ = ["ADAPTER"]

_VIEWS = frozenset({
    "adj", "degree", "edges", "in_degree", "in_edges", "nodes", "out_degree", "out_edges", "pred", "succ",
})  # fmt: skip
_SEEN = frozenset({"_adj", "_node", "_pred", "_succ"})  # what they are views of


def _graph(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    return combine("graph", walk.digest(type(value)), attributes(walk, value, _VIEWS))


def _is_graph(cls: type) -> bool:
    return any(one.__name__ == "Graph" and module_of(one) == "networkx.classes.graph" for one in cls.__mro__)


class _Networkx(FingerprintOnly):
    library = "networkx"

    def rule(self, cls: type) -> Rule | None:
        return _graph if _is_graph(cls) else None

    def content(self, value: Any) -> Any:
        if not _is_graph(type(value)):
            return NotImplemented
        return {name: held for name, held in held_by(value).items() if name not in _VIEWS}

    def write_back(self, live: Any, stored: Any) -> bool:
        if not _is_graph(type(live)):
            return False
        held = vars(live)
        is_other = any(held.get(name) is not stored.get(name) for name in _SEEN & stored.keys())
        for name in held.keys() - stored.keys() - (frozenset() if is_other else _VIEWS):
            del held[name]  # views of what is gone are made anew when they are asked for
        held.update(stored)
        return True


ADAPTER = _Networkx()
