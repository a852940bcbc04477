"""Tensors at the end of an autograd graph.

After `loss.backward()` the graph behind `loss` is spent: its buffers are freed and
a second `backward()` raises. Such a tensor can be stored, and comes back as spent.
One whose graph still works cannot.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import BackwardCFunction

from lean_magic.errors import Unstorable

__all__ = ["spent"]

_LOOKED_AT = 10_000  # nodes of a graph


def spent(value: torch.Tensor) -> Any:
    """Take apart a tensor whose graph is spent. Raises Unstorable if the graph still works."""
    if not _is_spent(value.grad_fn):
        raise Unstorable(
            "tensor", "carries a working autograd graph", "detach() it, or compute it under torch.no_grad()"
        )
    return _make_spent, (value.detach(), type(value.grad_fn).__name__)


def _is_spent(node: Any) -> bool:
    """Whether any buffer of the graph was freed: then the whole can be gone through no more."""
    todo: list[Any] = [node]
    seen: set[Any] = set()
    while todo and len(seen) < _LOOKED_AT:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if _is_freed(node):
            return True
        todo += [after for after, _ in node.next_functions]
    return False


def _is_freed(node: Any) -> bool:
    for name in dir(node):
        if name.startswith("_saved_") or name == "saved_tensors":
            try:
                getattr(node, name)
            except RuntimeError:
                return True
    return False


def _make_spent(data: torch.Tensor, name: str) -> torch.Tensor:
    kind = type(name.removesuffix("0").removesuffix("Backward") or name, (_Spent,), {})
    kind._backward_cls = type(name, (BackwardCFunction,), {"_forward_cls": kind})  # type: ignore[attr-defined]  # noqa: SLF001
    with torch.enable_grad():
        anchor = torch.zeros((), requires_grad=True)
        return kind.apply(anchor, data)  # type: ignore[attr-defined]


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
