"""torch.fx: modules that were traced, and their graphs.

Pickle keeps of a traced module only its code, traces that anew and forgets what was noted on the nodes, and who
holds one of them. So none is stored. Where in a file the tracing began is no content.
"""

from __future__ import annotations

from typing import Any

from torch.fx import Graph, GraphModule, Node

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Rule, Walk, combine

__all__ = ["fx_rule", "refuse_traced"]


def fx_rule(cls: type) -> Rule | None:
    """Give the rule for a class of graphs or of their nodes."""
    return _graph if issubclass(cls, Graph) else _node if issubclass(cls, Node) else None


def _graph(walk: Walk, value: Graph) -> bytes:
    walk.mark(value)
    kinds = type(value), type(value._codegen)  # noqa: SLF001
    return combine("fx graph", walk.digests(kinds), *[_told(walk, node) for node in value.nodes])


def _told(walk: Walk, node: Node) -> bytes:
    said = node.op, node.name, node.target, repr(node.args), repr(node.kwargs), node.type
    return walk.digests(said) + walk.digest(node.meta)


def _node(walk: Walk, value: Node) -> bytes:
    walk.mark(value)
    return combine("fx node", walk.digest(value.graph), walk.digest(value.name))


def refuse_traced(value: Any) -> None:
    """Raise Unstorable for a traced module, its graph, or a node of one."""
    if isinstance(value, (GraphModule, Graph, Node)):
        why = "holds a graph of torch.fx, which would come back without what is noted on its nodes"
        raise Unstorable(type(value).__name__, why, "trace it in an uncached cell")
