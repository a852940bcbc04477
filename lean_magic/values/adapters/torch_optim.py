"""Optimizers of torch: what they hold, and that a scheduler watches over them."""

from __future__ import annotations

import copy
import copyreg
import functools
import weakref
from typing import Any

import torch

from lean_magic.values.adapters.torch_hooks import in_tables

__all__ = ["held_by_optimizer", "hooks_of", "optimizer_content", "put_optimizer", "reduced_optimizer"]

_WATCHED = "_wrapped_by_lr_sched"


def held_by_optimizer(value: torch.optim.Optimizer, skip: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Give all that an optimizer holds but for `skip`; what it is pickled with leaves out its hooks.

    The method `step` of a watched one is no content: a scheduler wraps it, to see that it is called.
    """
    held = _held_by(value).items()
    return {name: item for name, item in held if name not in skip and not ("hooks" in name and not item)}


def _held_by(value: torch.optim.Optimizer) -> dict[str, Any]:
    return {name: item for name, item in vars(value).items() if not hasattr(item, _WATCHED)}


def hooks_of(value: torch.optim.Optimizer) -> dict[str, Any]:
    """Give the dicts of an optimizer's hooks."""
    return {name: item for name, item in vars(value).items() if "hooks" in name and isinstance(item, dict)}


def reduced_optimizer(value: torch.optim.Optimizer) -> Any:
    """Give the reduced form of an optimizer."""
    held = _held_by(value)
    make: Any = copyreg.__newobj__  # type: ignore[attr-defined]
    return make, (type(value),), (held, _is_watched(value), list(vars(value))), None, None, _make_ready


def optimizer_content(value: torch.optim.Optimizer) -> tuple[dict[str, Any], bool]:
    """Give what `put_optimizer` makes another hold."""
    hooks = {name: copy.copy(item) for name, item in hooks_of(value).items()}
    return _held_by(value) | hooks, _is_watched(value)


def put_optimizer(live: torch.optim.Optimizer, content: tuple[dict[str, Any], bool]) -> None:
    """Make a live optimizer hold what another has held, and be watched or not as that one was."""
    held, watched = content
    _set_state(live, in_tables(vars(live), held, hooks_of(live)))
    if watched and not _is_watched(live):
        _watch(live)
    elif _is_watched(live) and not watched:
        del vars(live)["step"]


def _make_ready(value: torch.optim.Optimizer, state: tuple[dict[str, Any], bool, list[str]]) -> None:
    """Let the class make itself ready, then hold just what was held, in its order."""
    held, watched, order = state
    _set_state(value, held)
    vars(value).clear()
    vars(value).update(held)
    if watched:
        _watch(value)
    for name in order:
        vars(value)[name] = vars(value).pop(name)


def _set_state(value: torch.optim.Optimizer, held: dict[str, Any]) -> None:
    """Let the class make itself ready, without the settings that it fills in where older versions had none."""
    if "defaults" not in held:  # it wraps another one
        vars(value).update(held)
        return
    kept = [(settings, list(settings)) for settings in (held["defaults"], *held["param_groups"])]
    value.__setstate__(held)
    for settings, names in kept:
        for name in settings.keys() - set(names):
            del settings[name]


def _is_watched(value: torch.optim.Optimizer) -> bool:
    return hasattr(vars(value).get("step"), _WATCHED)


def _watch(value: torch.optim.Optimizer) -> None:
    """Wrap `step` as torch's schedulers do, which warn if somebody else has put another in its place."""
    function, known = type(value).step, weakref.ref(value)

    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        optimizer: Any = known()
        optimizer._opt_called = True  # noqa: SLF001  what a scheduler asks for
        return function.__get__(optimizer, type(optimizer))(*args, **kwargs)

    setattr(step, _WATCHED, True)
    value.step = step
