"""Tensors at the end of an autograd graph.

After `loss.backward()` the graph behind `loss` is spent: its buffers are freed and
a second `backward()` raises. Such a tensor is what its elements are, can be stored,
and comes back as spent. A sum of such and of parameters comes back as that sum, and one whose graph still works
otherwise is neither compared nor stored.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import BackwardCFunction

from lean_magic.errors import Unstorable

__all__ = ["REMEDY", "leaves", "spent", "summed"]

REMEDY = "call backward() on it in the same cell, detach() it, or compute it under torch.no_grad()"
_LOOKED_AT = 10_000  # nodes of a graph
_DEEP = 30  # sums of sums
_SUMS: dict[str, Any] = {"AddBackward0": torch.add, "SubBackward0": torch.sub, "NegBackward0": torch.neg}


def spent(value: torch.Tensor) -> Any:
    """Take apart a tensor whose graph is spent, as far as is not a sum. Raises Unstorable if more of it works."""
    form = summed(value.grad_fn)
    if form is None:
        raise Unstorable("tensor", "carries a working autograd graph", REMEDY)
    kept = (value.grad,) if value.retains_grad else ()
    if isinstance(form[2], list):
        return _make_sum, (value.detach(), form, *kept)
    return _make_spent, (value.detach(), form[0], *kept)


def summed(node: Any) -> Any:
    """Say what a tensor was computed by, and of what if that is a sum of which not all is spent; None: it still works.

    A bias that is added last can be asked for its gradient also when the rest is spent.
    """
    form = _summed(node, 0, 0)
    return form if _has_spent(form) else None


def _summed(node: Any, place: int, deep: int) -> Any:
    if hasattr(node, "variable"):
        return node.variable
    name, about = type(node).__name__, node._input_metadata[place]  # noqa: SLF001
    if _is_spent(node):
        return name, tuple(about.shape), about.dtype
    if name not in _SUMS or deep > _DEEP:
        return None
    parts = [
        ("", tuple(about.shape), about.dtype) if after is None else _summed(after, number, deep + 1)
        for after, number in node.next_functions
    ]
    return None if any(part is None for part in parts) else (name, getattr(node, "_saved_alpha", 1), parts)


def _has_spent(form: Any) -> bool:
    if not isinstance(form, tuple):
        return False
    return any(map(_has_spent, form[2])) if isinstance(form[2], list) else form[0] != ""


def _is_spent(node: Any) -> bool:
    """Whether some buffers were freed on the ways through a graph to each tensor that it was computed from."""
    freed: list[Any] = []
    alive = leaves([node], freed)
    if not freed or alive is None:
        return False
    # The gradient of a tensor is summed over all ways to it: one that is cut is enough.
    cut = leaves([after for one in freed for after, _ in one.next_functions]) if alive else alive
    return cut is not None and alive <= cut


def leaves(todo: list[Any], freed: list[Any] | None = None) -> set[Any] | None:
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
    as_shown = {
        "_forward_cls": kind,
        "__module__": "builtins",
    }  # which is where torch's own nodes say they are from
    kind._backward_cls = type(name, (BackwardCFunction,), as_shown)  # type: ignore[attr-defined]  # noqa: SLF001
    with torch.enable_grad():
        anchor = torch.zeros((), requires_grad=True)
        made: torch.Tensor = kind.apply(anchor, data)  # type: ignore[attr-defined]
    return _kept(made, *kept)


def _kept(made: torch.Tensor, *kept: torch.Tensor | None) -> torch.Tensor:
    if kept:
        made.retain_grad()
        made.grad = kept[0]
    return made


def _make_sum(data: torch.Tensor, form: Any, *kept: torch.Tensor | None) -> torch.Tensor:
    with torch.enable_grad():
        made = _added(form, data.device)
    made.data = data
    return _kept(made, *kept)


def _added(form: Any, device: torch.device) -> torch.Tensor:
    if isinstance(form, torch.Tensor):
        return form
    if not isinstance(form[2], list):
        zeros = torch.zeros(form[1], dtype=form[2], device=device)
        return _make_spent(zeros, form[0]) if form[0] else zeros
    name, factor, parts = form
    summands = [_added(part, device) for part in parts]
    made: torch.Tensor = _SUMS[name](*summands, **({"alpha": factor} if len(summands) > 1 else {}))
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
