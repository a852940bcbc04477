"""Tensors at the end of an autograd graph.

After `loss.backward()` the graph behind `loss` is spent: its buffers are freed and
a second `backward()` raises. Such a tensor is what its elements are, can be stored,
and comes back as spent. One whose graph still works is neither compared nor stored.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import BackwardCFunction

from lean_magic.errors import Unstorable

__all__ = ["is_spent", "spent"]

_LOOKED_AT = 10_000  # nodes of a graph


def spent(value: torch.Tensor) -> Any:
    """Take apart a tensor whose graph is spent. Raises Unstorable if the graph still works."""
    if not is_spent(value.grad_fn):
        raise Unstorable(
            "tensor", "carries a working autograd graph", "detach() it, or compute it under torch.no_grad()"
        )
    kept = (value.grad,) if value.retains_grad else ()
    return _make_spent, (value.detach(), type(value.grad_fn).__name__, *kept)


def is_spent(node: Any) -> bool:
    """Whether some buffers were freed on the ways through a graph to each tensor that it was computed from."""
    freed: list[Any] = []
    alive = _leaves([node], freed)
    if not freed or alive is None:
        return False
    # The gradient of a tensor is summed over all ways to it: one that is cut is enough.
    cut = _leaves([after for one in freed for after, _ in one.next_functions]) if alive else alive
    return cut is not None and alive <= cut


def _leaves(todo: list[Any], freed: list[Any] | None = None) -> set[Any] | None:
    """Give where a graph ends, not looking behind nodes that were `freed` if these are asked for; None: too large."""
    seen: set[Any] = set()
    found: set[Any] = set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if freed is not None and _is_freed(node):
            freed.append(node)
        elif hasattr(node, "variable"):
            found.add(node)
        elif len(seen) > _LOOKED_AT:
            return None
        else:
            todo += [after for after, _ in node.next_functions]
    return found


def _is_freed(node: Any) -> bool:
    if issubclass(getattr(type(node), "_forward_cls", object), _Spent):
        return True
    for name in dir(node):
        if name.startswith("_saved_") or name == "saved_tensors":
            try:
                getattr(node, name)
            except RuntimeError:
                return True
    return False


def _make_spent(data: torch.Tensor, name: str, *kept: torch.Tensor | None) -> torch.Tensor:
    kind = type(name.removesuffix("0").removesuffix("Backward") or name, (_Spent,), {})
    kind._backward_cls = type(name, (BackwardCFunction,), {"_forward_cls": kind})  # type: ignore[attr-defined]  # noqa: SLF001
    with torch.enable_grad():
        anchor = torch.zeros((), requires_grad=True)
        made: torch.Tensor = kind.apply(anchor, data)  # type: ignore[attr-defined]
    if kept:
        made.retain_grad()
        made.grad = kept[0]
    return made


class _Spent(torch.autograd.Function):  # type: ignore[misc]
    """A function whose buffers are gone."""

    @staticmethod
    def forward(ctx: Any, anchor: torch.Tensor, data: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(anchor)
        return data.view_as(data)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        del ctx, gradients
        raise RuntimeError(
            "Trying to backward through the graph a second time (or directly access saved tensors after they "
            "have already been freed)."
        )
