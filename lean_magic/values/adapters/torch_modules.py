"""Modules of torch: what they are digested by, how they are taken apart, and how a live one is made to hold all again.

Hooks are kept under numbers that are drawn from a counter of the process. They are no content, but who may remove
a hook knows it by its number: hooks that a live module holds already keep theirs.
"""

from __future__ import annotations

import collections
import copy
import functools
import marshal
from typing import Any, NamedTuple

import torch
from torch.nn.utils import parametrize

from lean_magic.values.adapters.torch_compiled import compiler_digest, is_compiled, reduced_compiled
from lean_magic.values.adapters.torch_content import digests_of
from lean_magic.values.adapters.torch_derived import compute_derived, derived
from lean_magic.values.adapters.torch_hooks import OPTIONS, count_on, in_tables
from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.reduced import name_leaf

__all__ = [
    "UNSEEN",
    "Held",
    "held_by_module",
    "member",
    "module_content",
    "put_module",
    "reduced_module",
    "tables_of",
]


def module_content(walk: Walk, value: torch.nn.Module, skip: frozenset[str] = frozenset()) -> bytes:
    """Digest a module by all it holds, but for the attributes named in `skip`."""
    if id(value) in walk.ahead:
        return _content(walk, value, skip)
    ahead = _ahead(walk, value)
    walk.ahead |= ahead
    try:
        return _content(walk, value, skip)
    finally:  # what was digested ahead and not met may change before it is
        for key in ahead:
            walk.ahead.pop(key, None)


def _ahead(walk: Walk, value: torch.nn.Module) -> dict[int, bytes]:
    """Digest the tensors of a module and of all below it together, by their ids; with them the ids of the modules."""
    modules, tensors, todo = walk.keep({id(value): value}), walk.keep({}), [value]
    while todo:
        held = vars(todo.pop())
        tables = [held[name] for name in _TABLES if isinstance(held.get(name), dict)]
        for one in (one for table in tables for one in table.values()):
            if isinstance(one, torch.nn.Module) and id(one) not in modules:
                modules[id(one)] = one
                todo.append(one)
            elif isinstance(one, torch.Tensor):
                tensors[id(one)] = one
    return dict.fromkeys(modules, b"") | digests_of(tensors.values())


def _content(walk: Walk, value: torch.nn.Module, skip: frozenset[str]) -> bytes:
    walk.mark(value)
    made = derived(value)
    held, unseen = vars(value), _unseen(type(value)) | skip | made.keys()
    # Most of what a module holds are empty dicts for hooks, and a flag or a number.
    shown = [
        name
        for name, item in held.items()
        if not (type(item) in _HOLDERS and not item and _may_be_empty(name)) and name not in unseen
    ]
    names = sorted(shown)
    plain = [name for name in names if type(held[name]) in _SCALARS]
    scalars = [piece for name in plain for piece in (name, held[name])]
    rest = [member(walk, held, name) for name in names if type(held[name]) not in _SCALARS]
    if is_compiled(type(value)):
        rest.append(compiler_digest(walk, value))
    if made:
        rest.append(combine("derived", *map(name_leaf, sorted(made))))
    return combine("module", walk.digest(type(value)), leaf("flags", marshal.dumps(scalars, 2)), *rest)


def _unseen(cls: type) -> frozenset[str]:
    return UNSEEN | _COMPILED if is_compiled(cls) else UNSEEN


_SCALARS = frozenset({bool, int, float, type(None)})


_HOLDERS = frozenset({dict, collections.OrderedDict, set})


@functools.lru_cache(maxsize=4096)
def _may_be_empty(name: str) -> bool:
    """Whether it makes no difference if a module has nothing under this name, or an empty dict or set."""
    return name in _TABLES or "hooks" in name or name == "_non_persistent_buffers_set"


# Set by torch itself, and by libraries on it, when a module is compiled, called or loaded.
UNSEEN = frozenset({
    "_compiled_call_impl", "_is_full_backward_hook", "_is_hf_initialized", "_is_fsdp_managed_module",
    "_dynamo_static_input_type",
})  # fmt: skip
# What `torch.compile` hangs on a module that stands for another.
_COMPILED = frozenset(
    {"dynamo_ctx", "forward", "get_compiler_config", "_torchdynamo_orig_callable", "_torchdynamo_wrapper_id"}
)
_TABLES = frozenset({"_parameters", "_buffers", "_modules"})


def member(walk: Walk, held: dict[str, Any], name: str) -> bytes:
    """Digest one of the things that a module or an optimizer holds."""
    inner = held[name]
    if "hooks" in name and isinstance(inner, dict):
        # Keys are numbers drawn from a counter of the process. Order and functions matter, and which
        # hook an option is for.
        main = next((name.removesuffix(end) for end in OPTIONS if name.endswith(end)), name)
        places = {key: place for place, key in enumerate(held.get(main, inner))}
        pieces = [walk.digest(places.get(key, -1)) + walk.digest(item) for key, item in inner.items()]
        return combine("hooks", name_leaf(name), *pieces)
    if name in _TABLES:
        return combine("named", name_leaf(name), *[_key(walk, k) + walk.digest(v) for k, v in inner.items()])
    return combine("member", name_leaf(name), walk.digest(inner))


def _key(walk: Walk, key: Any) -> bytes:
    return name_leaf(key) if type(key) is str else walk.digest(key)


class Held(NamedTuple):
    """All that a module holds. A class that parametrizations made for it alone is made again."""

    cls: type
    state: dict[str, Any]


def held_by_module(value: torch.nn.Module) -> Held:
    """Give all that a module holds, but what torch notes on it as it is compiled."""
    left_out = {"_compiled_call_impl", *(_COMPILED if is_compiled(type(value)) else ())}
    held = {name: item for name, item in vars(value).items() if name not in left_out}
    tables = {name: copy.copy(item) for name, item in tables_of(value).items() if name not in left_out}
    state = held | tables | derived(value)
    cls: Any = type(value).__base__ if _is_own_class(type(value)) else type(value)
    return Held(cls, state)


def tables_of(value: torch.nn.Module) -> dict[str, Any]:
    """Give the dicts that a module keeps its parts and hooks in, and has no mark for; and the one set."""
    return {
        name: item for name, item in vars(value).items() if type(item) in _HOLDERS and _may_be_empty(name)
    }


def put_module(live: torch.nn.Module, held: Held) -> None:
    """Make a live module hold what another has held, in the dicts that it has, so that handles of hooks stay good."""
    if type(live) is not held.cls and not _is_own_class(type(live)):
        live.__class__ = held.cls
    _put_state(live, held.state)
    if _is_parametrized(live):
        _make_parametrized(live)
    elif _is_own_class(type(live)):
        live.__class__ = held.cls
    _see_to_hooks(live)


def _put_state(live: torch.nn.Module, state: dict[str, Any]) -> None:
    present, unseen = vars(live), _unseen(type(live))
    for name in [name for name in present if name not in state and name not in unseen]:
        del present[name]
    present |= in_tables(present, state, tables_of(live))
    _arrange(present, list(state))
    compute_derived(live, check=False)  # of what is there; once all is, it is put back again


def _arrange(held: dict[str, Any], order: list[str]) -> None:
    """Bring the names that a module holds into an order."""
    if list(held) != order:
        ordered = {name: held.pop(name) for name in order if name in held}
        held.update(ordered)


def _is_parametrized(value: Any) -> bool:
    return isinstance(value, torch.nn.Module) and parametrize.is_parametrized(value)


def _set_parametrized(value: torch.nn.Module, state: dict[str, Any]) -> None:
    """Make a module hold `state`, and its class one of its own, as `register_parametrization` does."""
    vars(value).update(state)
    _make_parametrized(value)
    compute_derived(value, check=True)


def _make_parametrized(value: Any) -> None:
    if not _is_own_class(type(value)):
        parametrize._inject_new_class(value)  # noqa: SLF001
    for name in value.parametrizations:
        if name not in vars(type(value)):
            parametrize._inject_property(value, name)  # noqa: SLF001


def _is_own_class(cls: type) -> bool:
    return cls.__module__ == parametrize.__name__ and cls.__name__.startswith("Parametrized")


def reduced_module(value: torch.nn.Module) -> Any:
    """Take a module apart that has parametrizations or hooks, or a way of its own; NotImplemented for others."""
    if is_compiled(type(value)):
        return reduced_compiled(value)
    if _is_parametrized(value):
        state = dict(vars(value)) | derived(value)
        return object.__new__, (type(value).__base__,), state, None, None, _set_parametrized
    has_hooks = any(item and "hooks" in name for name, item in vars(value).items() if type(item) in _HOLDERS)
    if not has_hooks and type(value).__getstate__ is torch.nn.Module.__getstate__:
        return NotImplemented  # else it may leave out what it makes anew
    make, args, state = value.__reduce_ex__(5)[:3]
    return make, args, (state | derived(value), list(vars(value))), None, None, _set_with_hooks


def _set_with_hooks(value: torch.nn.Module, about: tuple[dict[str, Any], list[str]]) -> None:
    state, order = about
    value.__setstate__(state)
    _arrange(vars(value), order)
    compute_derived(value, check=True)
    _see_to_hooks(value)


def _see_to_hooks(value: torch.nn.Module) -> None:
    for name, item in vars(value).items():
        if "hooks" in name and isinstance(item, dict) and item:
            count_on(item)
