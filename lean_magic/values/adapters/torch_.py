"""torch: tensors and modules by content, wherever they live.

A tensor's device is no content; its gradient is. A module is its class, mode,
configuration, parameters, buffers, submodules and hooks.
"""

from __future__ import annotations

import collections
import functools
import marshal
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils import parametrize

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.torch_content import content, digest_of, shape_text
from lean_magic.values.adapters.torch_graph import is_spent, spent
from lean_magic.values.adapters.torch_optim import (
    held_by_optimizer,
    optimizer_content,
    put_optimizer,
    reduced_optimizer,
)
from lean_magic.values.adapters.torch_storage import interval, reduced
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.global_generators import digest_of_global, reduced_global
from lean_magic.values.in_place import Anew
from lean_magic.values.memory import Memory, Plain
from lean_magic.values.reduced import attributes, name_leaf

__all__ = ["ADAPTER", "module_content"]

_GRAPH = "carries a working autograd graph, which has no content to compare"


def _tensor(walk: Walk, value: torch.Tensor) -> bytes:
    walk.mark(value)
    if value.grad_fn is not None and not is_spent(value.grad_fn):
        raise walk.fail(value, _GRAPH, "detach() it, or compute it under torch.no_grad()")
    came_from = type(value.grad_fn).__name__ if value.grad_fn is not None else ""
    head = leaf("", f"{shape_text(value)} {value.requires_grad} {came_from}".rstrip().encode())
    grad = walk.digest(value.grad) if value.is_leaf else b""
    hooks = [_hooks(walk, value, name) for name in _HOOKS]
    is_bare = type(value) in _BARE and vars(value).keys() <= _UNSEEN
    more = _NOTHING if is_bare else attributes(walk, value, _UNSEEN)
    return combine("tensor", walk.digest(type(value)), head, content(walk, value), grad, *hooks, more)


def _hooks(walk: Walk, value: torch.Tensor, name: str) -> bytes:
    """Digest a tensor's hooks in their order; their numbers are drawn from a counter of the process."""
    found = getattr(value, name, None)
    return combine("hooks", walk.digests(list(found.values()))) if found else _NO_HOOKS


_BARE = (torch.Tensor, torch.nn.Parameter)
_NOTHING, _NO_HOOKS = combine("state"), combine("no hooks")
_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def module_content(walk: Walk, value: torch.nn.Module, skip: frozenset[str] = frozenset()) -> bytes:
    """Digest a module by all it holds, but for the attributes named in `skip`."""
    walk.mark(value)
    held, unseen = vars(value), _UNSEEN | skip
    # Most of what a module holds are empty dicts for hooks, and a flag or a number.
    shown = [
        name
        for name, item in held.items()
        if not (type(item) in _HOLDERS and not item and _may_be_empty(name)) and name not in unseen
    ]
    names = sorted(shown)
    plain = [name for name in names if type(held[name]) in _SCALARS]
    scalars = [piece for name in plain for piece in (name, held[name])]
    rest = [_member(walk, held, name) for name in names if type(held[name]) not in _SCALARS]
    return combine("module", walk.digest(type(value)), leaf("flags", marshal.dumps(scalars, 2)), *rest)


_SCALARS = frozenset({bool, int, float, type(None)})


_HOLDERS = frozenset({dict, collections.OrderedDict, set})


@functools.lru_cache(maxsize=4096)
def _may_be_empty(name: str) -> bool:
    """Whether it makes no difference if a module has nothing under this name, or an empty dict or set."""
    return name in _TABLES or "hooks" in name or name == "_non_persistent_buffers_set"


# Set by torch itself, and by libraries on it, when a module is compiled, called or loaded.
_UNSEEN = frozenset(
    {"_compiled_call_impl", "_is_full_backward_hook", "_is_hf_initialized", "_is_fsdp_managed_module"}
)
_TABLES = frozenset({"_parameters", "_buffers", "_modules"})
_OPTIONS = ("_with_kwargs", "_always_called")


def _member(walk: Walk, held: dict[str, Any], name: str) -> bytes:
    inner = held[name]
    if "hooks" in name and isinstance(inner, dict):
        # Keys are numbers drawn from a counter of the process. Order and functions matter, and which
        # hook an option is for.
        main = next((name.removesuffix(end) for end in _OPTIONS if name.endswith(end)), name)
        places = {key: place for place, key in enumerate(held.get(main, inner))}
        pieces = [walk.digest(places.get(key, -1)) + walk.digest(item) for key, item in inner.items()]
        return combine("hooks", name_leaf(name), *pieces)
    if name in _TABLES:
        return combine("named", name_leaf(name), *[_key(walk, k) + walk.digest(v) for k, v in inner.items()])
    return combine("member", name_leaf(name), walk.digest(inner))


def _key(walk: Walk, key: Any) -> bytes:
    return name_leaf(key) if type(key) is str else walk.digest(key)


def _optimizer(walk: Walk, value: torch.optim.Optimizer) -> bytes:
    """Digest an optimizer by class, settings, state, hooks and whatever else hangs on it."""
    walk.mark(value)
    held = walk.keep(held_by_optimizer(value, _USED))
    return combine(
        "optimizer", walk.digest(type(value)), *[_member(walk, held, name) for name in sorted(held)]
    )


# What an optimizer remembers of having been used.
_USED = frozenset({"_warned_capturable_if_run_uncaptured", "_zero_grad_profile_name", "_opt_called"})


def _generator(walk: Walk, value: torch.Generator) -> bytes:
    known = digest_of_global(value)
    if known is not None:
        return known
    walk.mark(value)
    return combine("torch generator", digest_of(value.get_state()))


def _handle(walk: Walk, value: Any) -> bytes:
    """Digest what removes a hook: its number is drawn from a counter of the process."""
    walk.mark(value)
    hooks = value.hooks_dict_ref()
    places = {key: place for place, key in enumerate(hooks or ())}
    return combine("handle", walk.digests((type(value), places.get(value.id, -1))))


def _storage(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    whole = torch.empty(0, dtype=torch.uint8, device=value.device).set_(value)
    return combine("storage", digest_of(whole))


def _named(walk: Walk, value: Any) -> bytes:
    del walk
    return leaf(f"torch {type(value).__name__}", str(value).encode())


class _Torch:
    library = "torch"

    def rule(self, cls: type) -> Rule | None:
        table: list[tuple[Any, Rule | None]] = [
            (torch.Tensor, _tensor),
            (torch.jit.ScriptModule, None),
            (torch.nn.Module, module_content),
            (torch.optim.Optimizer, _optimizer),
            (torch.Generator, _generator),
            (torch.utils.hooks.RemovableHandle, _handle),
            (torch.UntypedStorage, _storage),
            ((torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size), _named),
        ]
        return next((rule for kinds, rule in table if issubclass(cls, kinds)), None)

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        if isinstance(value, torch.optim.Optimizer):
            return reduced_optimizer(value)
        if isinstance(value, torch.nn.Module):
            return _reduced_module(value)
        if isinstance(value, torch.Generator):
            return reduced_global(value)
        if not isinstance(value, torch.Tensor):
            return NotImplemented
        if value.grad_fn is not None:
            return spent(value)
        form, more = reduced(value, memory), _set_on(value)
        return (*form, more, None, None, _set_again) if form is not NotImplemented and any(more) else form

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.is_meta:
            return None
        hooks = [id(hook) for name in _HOOKS for hook in (getattr(value, name, None) or {}).values()]
        return interval(value), tuple(value.shape), str(value.dtype), hooks

    def moves(self, cls: type) -> bool:
        """Whether an object of a class may be given other memory in place."""
        return issubclass(cls, torch.Tensor)

    def content(self, value: Any) -> Any:
        if isinstance(value, torch.utils.hooks.RemovableHandle):
            raise Unstorable("a hook", "was removed in place", "remove it in a cell of its own, uncached")
        if isinstance(value, torch.Tensor):
            return Plain(value.detach()), value.grad, value.requires_grad, dict(vars(value))
        if isinstance(value, torch.Generator):
            return value.get_state()
        if isinstance(value, torch.optim.Optimizer):
            return optimizer_content(value)
        return _Parametrized(dict(vars(value))) if _is_parametrized(value) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, torch.Generator):
            live.set_state(stored)
            return True
        if isinstance(live, torch.optim.Optimizer):
            put_optimizer(live, stored)
            return True
        if isinstance(stored, _Parametrized):
            vars(live).clear()
            _set_parametrized(live, stored.state)
            return True
        if not isinstance(live, torch.Tensor):
            return False
        data, grad, requires_grad, attributes = stored.content if isinstance(stored, Anew) else stored
        if isinstance(stored, Anew):
            live.data = data.value
        elif data.value is not None:  # else another tensor has written what lies there
            with torch.no_grad():
                _once(live).copy_(_once(data.value))
        live.requires_grad_(requires_grad)
        live.grad = grad
        vars(live).clear()
        vars(live).update(attributes)
        return True


def _once(value: torch.Tensor) -> torch.Tensor:
    """Leave out the repetitions of an expanded tensor, which lie at one place."""
    for axis, (size, stride) in enumerate(zip(value.shape, value.stride(), strict=True)):
        if size > 1 and not stride:
            value = value.narrow(axis, 0, 1)
    return value


@dataclass
class _Parametrized:
    """All that a module with parametrizations holds."""

    state: dict[str, Any]


def _is_parametrized(value: Any) -> bool:
    return isinstance(value, torch.nn.Module) and parametrize.is_parametrized(value)


def _set_parametrized(value: torch.nn.Module, state: dict[str, Any]) -> None:
    """Make a module hold `state`, and its class one of its own, as `register_parametrization` does."""
    vars(value).update(state)
    if not _is_own_class(type(value)):
        parametrize._inject_new_class(value)  # noqa: SLF001
    for name in value.parametrizations:
        if name not in vars(type(value)):
            parametrize._inject_property(value, name)  # noqa: SLF001


def _is_own_class(cls: type) -> bool:
    return cls.__module__ == parametrize.__name__ and cls.__name__.startswith("Parametrized")


def _set_on(value: torch.Tensor) -> tuple[Any, ...]:
    """Give what was set on a tensor: attributes, and hooks of two kinds, as those who may remove them know them."""
    return dict(vars(value)), *(getattr(value, name, None) or {} for name in _HOOKS)


def _set_again(value: torch.Tensor, more: tuple[Any, ...]) -> None:
    vars(value).update(more[0])
    for name, hooks in zip(_HOOKS, more[1:], strict=True):
        if hooks:
            setattr(value, name, hooks)
            _count_on(hooks)


def _reduced_module(value: torch.nn.Module) -> Any:
    """Take a module apart that has parametrizations or hooks; NotImplemented for one that has none."""
    if _is_parametrized(value):
        return object.__new__, (type(value).__base__,), dict(vars(value)), None, None, _set_parametrized
    if not any(item and "hooks" in name for name, item in vars(value).items() if type(item) in _HOLDERS):
        return NotImplemented
    make, args, state = value.__reduce_ex__(5)[:3]
    return make, args, state, None, None, _set_with_hooks


def _set_with_hooks(value: torch.nn.Module, state: Any) -> None:
    value.__setstate__(state)
    for name, item in vars(value).items():
        if "hooks" in name and isinstance(item, dict):
            _count_on(item)


def _count_on(hooks: dict[int, Any]) -> None:
    """Let new hooks, which are numbered from 0 on in each process, not take the places of these."""
    handle = torch.utils.hooks.RemovableHandle
    handle.next_id = max([handle.next_id, *(number + 1 for number in hooks)])


ADAPTER = _Torch()
