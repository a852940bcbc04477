"""torch: tensors and modules by content, wherever they live.

A tensor's device is no content; its gradient is. A module is its class, mode,
configuration, parameters, buffers, submodules and hooks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.utils._device  # which torch loads when it is first asked for its default device: at a hit

from lean_magic.values.adapters.torch_content import content, digest_of, is_empty, shape_text
from lean_magic.values.adapters.torch_fx import fx_rule, refuse_traced
from lean_magic.values.adapters.torch_graph import REMEDY, spent, summed
from lean_magic.values.adapters.torch_hooks import (
    handle_rule,
    hooks_digests,
    place_of,
    put_handle,
    put_hooks,
    reduced_handle,
    set_again,
    set_on,
)
from lean_magic.values.adapters.torch_jit import refuse_changed, refuse_script, script_rule
from lean_magic.values.adapters.torch_loaders import (
    LOADING,
    loader_content,
    loader_rule,
    put_loader,
    reduced_loader,
)
from lean_magic.values.adapters.torch_modules import (
    UNSEEN,
    Held,
    held_by_module,
    member,
    module_content,
    put_module,
    reduced_module,
    tables_of,
)
from lean_magic.values.adapters.torch_ops import OPERATORS, op_rule, reduced_op
from lean_magic.values.adapters.torch_optim import (
    held_by_optimizer,
    hooks_of,
    optimizer_content,
    put_optimizer,
    reduced_optimizer,
)
from lean_magic.values.adapters.torch_storage import interval, once, plain, reduced, still_there
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.global_generators import digest_of_global, reduced_global
from lean_magic.values.in_place import Anew
from lean_magic.values.memory import Interval, Memory, Plain
from lean_magic.values.reduced import attributes, fill_attributes

__all__ = ["ADAPTER"]

_GRAPH = "carries a working autograd graph, which has no content to compare"


def _unheard(step: Callable[..., Any]) -> Callable[..., Any]:
    """Let no `__torch_function__` of the user's hear what is asked of tensors."""

    @functools.wraps(step)
    def quiet(*args: Any) -> Any:
        with torch._C.DisableTorchFunction():  # noqa: SLF001
            return step(*args)

    return quiet


@_unheard
def _tensor(walk: Walk, value: torch.Tensor) -> bytes:
    walk.mark(value)
    came_from, parts = _came_from(walk, value)
    head = leaf("", f"{shape_text(value)} {value.requires_grad} {came_from}".rstrip().encode())
    grad = walk.digest(_grad(value)) if value.is_leaf or value.retains_grad else b""
    hooks = hooks_digests(walk, value)
    is_bare = type(value) in _BARE and vars(value).keys() <= UNSEEN
    more = _NOTHING if is_bare else attributes(walk, value, UNSEEN)
    return combine("tensor", walk.digest(type(value)), head, content(walk, value), grad, *hooks, more, *parts)


def _came_from(walk: Walk, value: torch.Tensor) -> tuple[str, list[bytes]]:
    """Say what a tensor was computed by, and digest what it was added up of where one can still ask for gradients."""
    if value.grad_fn is None:
        return "", []
    form = walk.keep(summed(value.grad_fn))
    if form is None:
        raise walk.fail(value, _GRAPH, REMEDY)
    return form[0], [walk.digest(form[1:])] if isinstance(form[-1], list) else []


_BARE = (torch.Tensor, torch.nn.Parameter)
_NOTHING = combine("state")


def _optimizer(walk: Walk, value: torch.optim.Optimizer) -> bytes:
    """Digest an optimizer by class, settings, state, hooks and whatever else hangs on it."""
    walk.mark(value)
    held = walk.keep(held_by_optimizer(value, _USED))
    return combine(
        "optimizer", walk.digest(type(value)), *[member(walk, held, name) for name in sorted(held)]
    )


# What an optimizer remembers of having been used.
_USED = frozenset({"_warned_capturable_if_run_uncaptured", "_zero_grad_profile_name", "_opt_called"})


def _generator(walk: Walk, value: torch.Generator) -> bytes:
    known = digest_of_global(value)
    if known is not None:
        return known
    walk.mark(value)
    return combine("torch generator", digest_of(value.get_state()))


def _storage(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    whole = torch.empty(0, dtype=torch.uint8, device=value.device).set_(value)
    return combine("storage", digest_of(whole))


def _named(walk: Walk, value: Any) -> bytes:
    del walk
    return leaf(f"torch {type(value).__name__}", str(value).encode())


def _reduced_info(value: Any) -> Any:
    return type(value), (getattr(torch, value.dtype),)


def _reduced_storage(value: torch.UntypedStorage) -> Any:
    return _storage_of, (torch.empty(0, dtype=torch.uint8, device=value.device).set_(value),)


def _storage_of(value: torch.Tensor) -> torch.UntypedStorage:
    return value.untyped_storage()


def _reduced_hook(value: Any) -> Any:
    """Take a hook apart with the name and the documentation of its function, which its own way leaves out."""
    return object.__new__, (type(value),), (dict(vars(value)), {}), None, None, fill_attributes


def _reduced_scaler(value: Any) -> Any:
    """Take a scaler apart as it is, where its own way begins anew with the scale that it has."""
    state = _scaler_content(value)
    return (
        NotImplemented
        if state is NotImplemented
        else (object.__new__, (type(value),), state[2:], None, None, fill_attributes)
    )


def _scaler_content(value: Any) -> Any:
    """Give all that a scaler holds, unless it is in the middle of a step, which its own way refuses."""
    held = dict(vars(value))
    return NotImplemented if held.get("_per_optimizer_states") else (type(value), True, held, {})


_REDUCED: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (torch.optim.Optimizer, reduced_optimizer),
    (torch.nn.Module, reduced_module),
    (torch.utils.hooks.RemovableHandle, reduced_handle),
    (torch.Generator, reduced_global),
    (torch.UntypedStorage, _reduced_storage),
    ((torch.finfo, torch.iinfo), _reduced_info),
    (OPERATORS, reduced_op),
    (LOADING, reduced_loader),
    (torch.amp.GradScaler, _reduced_scaler),
    (torch.nn.modules.module._WrappedHook, _reduced_hook),  # noqa: SLF001
)


class _Torch:
    library = "torch"

    def rule(self, cls: type) -> Rule | None:
        table: list[tuple[Any, Rule | None]] = [
            (torch.Tensor, _tensor),
            ((torch.jit.ScriptModule, torch.jit.ScriptFunction), script_rule(cls)),
            (torch.nn.Module, module_content),
            (torch.optim.Optimizer, _optimizer),
            (torch.Generator, _generator),
            (torch.utils.hooks.RemovableHandle, handle_rule),
            (torch.UntypedStorage, _storage),
            ((torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size), _named),
            ((torch.finfo, torch.iinfo), _named),
        ]
        return (
            next((rule for kinds, rule in table if issubclass(cls, kinds)), None)
            or fx_rule(cls)
            or op_rule(cls)
            or loader_rule(cls)
        )

    @_unheard
    def reduce(self, value: Any, memory: Memory | None) -> Any:
        refuse_traced(value)
        refuse_script(value)
        for kind, reduce in _REDUCED:
            if isinstance(value, kind):
                return reduce(value)
        if not isinstance(value, torch.Tensor) or torch.nn.parameter.is_lazy(value):
            return NotImplemented
        if value.grad_fn is not None:
            return spent(value)
        form, more = reduced(value, memory), set_on(value)
        return (*form, more, None, None, set_again) if form is not NotImplemented and any(more) else form

    @_unheard
    def shape(self, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.is_nested:
            return None
        if torch.nn.parameter.is_lazy(value):
            return _NOWHERE, (), f"{value.dtype} lazy", []
        if is_empty(value):
            return None
        return interval(value), tuple(value.shape), str(value.dtype), value.stride()

    @_unheard
    def refers_to(self, value: Any) -> list[Any]:
        """Give the gradient of a tensor."""
        return [_grad(value)] if isinstance(value, torch.Tensor) else []

    def tables(self, value: Any) -> dict[str, Any]:
        """Give the dicts of a module, of its parameters, of its hooks and so on; and those of an optimizer's hooks."""
        if isinstance(value, torch.optim.Optimizer):
            return hooks_of(value)
        return tables_of(value) if isinstance(value, torch.nn.Module) else {}

    def moves(self, cls: type) -> bool:
        """Whether an object of a class may be given other memory in place."""
        return issubclass(cls, torch.Tensor)

    @_unheard
    def owner(self, value: torch.Tensor) -> int:
        """Give a number of the storage of a dense tensor."""
        return int(value.untyped_storage()._cdata)  # noqa: SLF001

    @_unheard
    def left_behind(self, value: Any) -> Any:
        """Give what finds the memory of a tensor once the tensor has been given another; None for others."""
        return None if self.shape(value) is None or not value.numel() else still_there(value)

    @_unheard
    def content(self, value: Any) -> Any:
        for kind, take, _ in _IN_PLACE:
            if isinstance(value, kind):
                return take(value)
        if isinstance(value, torch.amp.GradScaler):
            return _scaler_content(value)
        refuse_changed(value)
        return held_by_module(value) if isinstance(value, torch.nn.Module) else NotImplemented

    @_unheard
    def write_back(self, live: Any, stored: Any) -> bool:
        for kind, _, put in _IN_PLACE:
            if isinstance(live, kind):
                put(live, stored)
                return True
        if isinstance(stored, Held):
            put_module(live, stored)
            return True
        return False


def _tensor_content(value: torch.Tensor) -> tuple[Any, ...]:
    lazy = type(value) if torch.nn.parameter.is_lazy(value) else None
    data = torch.empty(0, dtype=value.dtype) if lazy else plain(value)
    return Plain(data), _grad(value), value.requires_grad, dict(vars(value)), lazy, set_on(value)[1:]


def _put_tensor(live: Any, stored: Any) -> None:
    """Make a live tensor hold what another has held, where it lies unless that one was given other memory."""
    content = stored.content if isinstance(stored, Anew) else stored
    data, grad, requires_grad, attributes, lazy, hooks = content
    if isinstance(stored, Anew):
        if stored.was is not None:
            _write(live, stored.was[1].value)  # which others see
        live.grad = None  # which fits what was there
        if torch.nn.parameter.is_lazy(live) and not lazy:
            live.materialize(data.shape, data.device, data.dtype)
        _put_grad(live, grad)
        live.data = data
        if lazy:
            live.__class__ = lazy
    elif data.value is not None:  # else another tensor has written what lies there
        _write(live, data.value)
    live.requires_grad_(requires_grad)
    if _grad(live) is not grad:
        live.grad = grad
    vars(live).clear()
    vars(live).update(attributes)
    put_hooks(live, hooks)


def _grad(value: torch.Tensor) -> torch.Tensor | None:
    """Give the gradient of a tensor that keeps one; to ask another for it makes torch warn."""
    return value.grad if value.is_leaf or value.retains_grad else None


def _write(live: torch.Tensor, data: torch.Tensor) -> None:
    with torch.no_grad():
        if live.layout not in {torch.strided, torch.sparse_coo} and live._nnz() != data._nnz():  # noqa: SLF001
            live.resize_as_sparse_(data)
        once(live).copy_(once(data))


_NOWHERE = Interval("", 0, 0)  # where a parameter lies that waits for its first input


def _put_grad(live: torch.Tensor, grad: torch.Tensor | None) -> None:
    """Give a tensor a gradient that need not fit its elements: one of others, or one that is written later."""
    if grad is not None:
        live.data = live.data if _size(grad) == _size(live) else torch.empty_like(grad)
        live.grad = grad


def _size(value: torch.Tensor) -> tuple[Any, ...]:
    return value.dtype, value.device, value.shape


_IN_PLACE: tuple[tuple[type, Callable[[Any], Any], Callable[[Any, Any], Any]], ...] = (
    (torch.utils.hooks.RemovableHandle, place_of, put_handle),
    (torch.Tensor, _tensor_content, _put_tensor),
    (torch.Generator, torch.Generator.get_state, torch.Generator.set_state),
    (torch.optim.Optimizer, optimizer_content, put_optimizer),
    (LOADING, loader_content, put_loader),
)
ADAPTER = _Torch()
