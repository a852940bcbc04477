"""Weights that hooks of torch compute anew before each call of a module: pruned ones, and normed ones.

Between calls such a weight has a working graph, which cannot be stored. It need not be: where computing it again
gives just what is there, it is no content, and is computed again once the rest has come back.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from lean_magic.values.adapters.torch_content import digest_of
from lean_magic.values.adapters.torch_graph import leaves, summed
from lean_magic.values.memory import LayoutChanged

__all__ = ["Derived", "compute_derived", "derived"]


class Derived:
    """Stands for a weight that is to be computed; `digest` is that of its elements."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest


def derived(module: torch.nn.Module) -> dict[str, Derived]:
    """Give the attributes of a module that its hooks would make just as they are."""
    if not module._forward_pre_hooks:  # noqa: SLF001
        return {}
    held, found = vars(module), {}
    for name, compute in _hooks_of(module):
        value = held.get(name)
        has_graph = isinstance(value, torch.Tensor) and value.grad_fn is not None
        if has_graph and summed(value.grad_fn) is None and _is_like(value, compute()):
            found[name] = Derived(digest_of(value))
    return found


def compute_derived(module: torch.nn.Module, *, check: bool) -> None:
    """Compute the attributes that something stands for; `check` that they are as they were."""
    held = vars(module)
    waiting = {name: item for name, item in held.items() if isinstance(item, Derived)}
    for name, compute in _hooks_of(module) if waiting else ():
        if name in waiting:
            held[name] = made = compute()
            if check and digest_of(made) != waiting[name].digest:
                raise LayoutChanged("a weight that is computed of others comes out otherwise here")


def _hooks_of(module: torch.nn.Module) -> Iterator[tuple[str, Callable[[], torch.Tensor]]]:
    """Give what the hooks of a module compute: name, and how."""
    pruning: Any = getattr(sys.modules.get("torch.nn.utils.prune"), "BasePruningMethod", ())
    for hook in list(module._forward_pre_hooks.values()):  # noqa: SLF001
        way: Callable[[], torch.Tensor]
        if isinstance(hook, WeightNorm):
            name, way = hook.name, functools.partial(hook.compute_weight, module)
        elif isinstance(hook, SpectralNorm):
            name, way = hook.name, functools.partial(hook.compute_weight, module, do_power_iteration=False)
        elif isinstance(hook, pruning) and type(hook).apply_mask is pruning.apply_mask:
            name, way = hook._tensor_name, functools.partial(hook.apply_mask, module)  # noqa: SLF001
        else:
            continue
        yield name, functools.partial(_with_graph, way)


def _with_graph(way: Callable[[], torch.Tensor]) -> torch.Tensor:
    with torch.enable_grad():
        return way()


def _is_like(value: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have equal elements, computed in one way of the same parameters."""
    if value.dtype != other.dtype or value.shape != other.shape or other.grad_fn is None:
        return False
    kinds = value.grad_fn.name() == other.grad_fn.name()
    return kinds and _parameters(value) == _parameters(other) and digest_of(value) == digest_of(other)


def _parameters(value: torch.Tensor) -> set[int]:
    return {id(node.variable) for node in leaves([value.grad_fn]) or ()}
