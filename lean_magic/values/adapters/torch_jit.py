"""TorchScript: compared by its graphs and what these use, neither stored nor changed in place.

A graph that was saved and read again says the same in other words, as `.graph` would show, and what was scripted
shares its parameters with the module it came from. How often it was called with gradients makes a difference, too:
torch makes other graphs of it then, some of which give results with gradients where none are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf

__all__ = ["refuse_changed", "refuse_script", "script_rule"]


def script_rule(cls: type) -> Rule | None:
    """Give the rule for a class of scripted modules or functions."""
    if issubclass(cls, torch.jit.ScriptFunction):
        return _function
    return _module if issubclass(cls, torch.jit.ScriptModule) else None


def _function(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("script function", leaf("", value.name.encode()), _graph(walk, value, value.inlined_graph))


def _module(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    inner = vars(value).get("_actual_script_module", value)
    built = vars(inner).get("_c")
    if built is None:
        raise walk.fail(
            value, "is or holds TorchScript that is not compiled yet", "use it in an uncached cell"
        )
    names = sorted(built._method_names())  # noqa: SLF001
    graphs = [_graph(walk, value, built._get_method(name).inlined_graph) for name in names]  # noqa: SLF001
    below = dict(inner._modules.items())  # noqa: SLF001
    held = walk.keep((names, _attributes(built), below, _by_python(value), _by_python(inner)))
    return combine("script module", walk.digest(type(value)), *graphs, walk.digests(held))


def _attributes(built: Any) -> dict[str, Any]:
    """Give what a module holds itself, parameters and buffers among it."""
    known = torch._C.ConcreteModuleType.from_jit_type(built._type())  # noqa: SLF001
    return {name: built.getattr(name) for name in sorted(known.get_attributes())}


def _by_python(value: Any) -> dict[str, Any]:
    """Give what Python's side of a module holds besides: its hooks, keys of which are numbers of the process."""
    tables = (
        (name, item) for name, item in vars(value).items() if "hooks" in name and isinstance(item, dict)
    )
    return {name: list(item.values()) for name, item in tables if item}


def refuse_script(value: Any) -> None:
    """Raise Unstorable for TorchScript."""
    if isinstance(value, (torch.jit.ScriptFunction, torch.jit.ScriptModule)):
        why = "is or holds TorchScript, which would come back with other graphs"
        raise Unstorable(type(value).__qualname__, why, "script, trace or load it in an uncached cell")


def refuse_changed(value: Any) -> None:
    """Raise Unstorable for TorchScript that was changed in place."""
    if isinstance(value, torch.jit.ScriptModule):
        why = "is or holds TorchScript that was changed in place"
        raise Unstorable(type(value).__qualname__, why, "train it, or change its mode, in an uncached cell")


def _graph(walk: Walk, value: Any, graph: Any) -> bytes:
    """Digest a graph by what it says, without where in a file that was said and how often it was compiled."""
    text = _NOWHERE.sub("", graph.str(False))
    if "prim::PythonOp" in text or "prim::CallMethod" in text:
        raise walk.fail(value, "is or holds TorchScript that calls Python", "call it in an uncached cell")
    constants = walk.keep([node.t("value") for node in _nodes(graph) if _is_tensor(node)])
    return combine("script graph", leaf("", text.encode()), walk.digests(constants))


_NOWHERE = re.compile(r"___torch_mangle_\d+\.| # [^\"\n]*:\d+:\d+$", re.MULTILINE)


def _nodes(block: Any) -> Iterator[Any]:
    """Give the nodes of a graph and of the blocks inside."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _is_tensor(node: Any) -> bool:
    return bool(node.hasAttribute("value") and node.kindOf("value") == "t")
