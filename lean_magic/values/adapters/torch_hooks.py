"""Hooks of tensors and modules, and the handles that remove them.

They are kept under numbers that are drawn from a counter of the process. These are no content, but who may remove
a hook knows it by its number: hooks that are there already keep theirs.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection
from typing import Any

import torch

from lean_magic.values.containers import OPEN
from lean_magic.values.fingerprint import Walk, combine

__all__ = [
    "OPTIONS",
    "count_on",
    "handle_rule",
    "hooks_digests",
    "in_tables",
    "place_of",
    "put_handle",
    "put_hooks",
    "reduced_handle",
    "set_again",
    "set_on",
]

OPTIONS = ("_with_kwargs", "_always_called")  # beside the dict of the hooks that they are for
_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")  # of a tensor


def hooks_digests(walk: Walk, value: torch.Tensor) -> list[bytes]:
    """Digest a tensor's hooks in their order."""
    return [_digest(walk, getattr(value, name, None)) for name in _HOOKS]


def _digest(walk: Walk, found: Any) -> bytes:
    return combine("hooks", walk.digests(list(found.values()))) if found else _NO_HOOKS


_NO_HOOKS = combine("no hooks")


def set_on(value: torch.Tensor) -> tuple[Any, ...]:
    """Give what was set on a tensor: attributes, and hooks of two kinds, as those who may remove them know them."""
    return dict(vars(value)), *(getattr(value, name, None) or {} for name in _HOOKS)


def set_again(value: torch.Tensor, more: tuple[Any, ...]) -> None:
    """Set that on a tensor that has none of it."""
    vars(value).update(more[0])
    put_hooks(value, more[1:])


def put_hooks(live: torch.Tensor, held: tuple[dict[int, Any], ...]) -> None:
    """Make a live tensor have these hooks, in the dicts that it has, so that handles stay good."""
    for name, new in zip(_HOOKS, held, strict=True):
        old = getattr(live, name, None)
        if old is None and new:
            setattr(live, name, new)
        elif old is not None and old is not new:
            known = _renumbered(new, old)
            OPEN[dict][1](old, {known.get(number, number): hook for number, hook in new.items()})
            _hand_over(new, old)
        if new:
            count_on(new)


def in_tables(present: dict[str, Any], state: dict[str, Any], tables: Collection[str]) -> dict[str, Any]:
    """Give `state` in the dicts and sets that are there, as far as `tables` names them, so that handles stay good."""
    numbers = _numbers(present, state)
    return {
        name: _filled(present.get(name), new, numbers.get(name, {})) if name in tables else new
        for name, new in state.items()
    }


def _filled(old: Any, new: Any, numbers: dict[int, int]) -> Any:
    if type(old) is not type(new) or old is new:
        return new
    if type(old) is set:
        OPEN[set][1](old, list(new))
    else:
        OPEN[dict][1](old, {numbers.get(number, number): item for number, item in new.items()})
        _hand_over(new, old)
    return old


def _numbers(present: dict[str, Any], state: dict[str, Any]) -> dict[str, dict[int, int]]:
    """Say for each dict of hooks under which numbers something live has those that it is to hold."""
    found: dict[str, dict[int, int]] = {}
    for name, new in state.items():
        old = present.get(name)
        numbered = all(isinstance(table, dict) and {int}.issuperset(map(type, table)) for table in (old, new))
        if "hooks" in name and numbered and not name.endswith(OPTIONS):
            known = _renumbered(new, old)
            found |= dict.fromkeys((name, *(name + option for option in OPTIONS)), known)
    return found


def _renumbered(new: dict[int, Any], old: Any) -> dict[int, int]:
    """Say which numbers the hooks of `new` are to have: those that `old` has them under, or none that it has."""
    rest, known = dict(old), {}
    for number, hook in new.items():
        own = next((own for own, live in rest.items() if live is hook), None)
        if own is not None:
            known[number] = own
            del rest[own]
    taken = set(known.values())
    return known | {number: _draw() for number in new if number not in known and number in taken}


def _draw() -> int:
    """Draw a number that no hook of this process has."""
    handle = torch.utils.hooks.RemovableHandle
    handle.next_id += 1
    return int(handle.next_id) - 1


def _hand_over(new: Any, old: Any) -> None:
    """Let the handles of new hooks, which may have a dict of their own, remove them from the live one."""
    for handle, (hook, place) in _came_back.items():
        if handle.hooks_dict_ref() is new:
            handle.hooks_dict_ref = weakref.ref(old)
        if handle.hooks_dict_ref() is old and old.get(handle.id) is not hook:
            alike = [number for number, one in old.items() if one is hook]
            handle.id = next(iter(alike[place:]), handle.id)  # unless it has removed it
        others = handle.extra_dict_ref or ()
        handle.extra_dict_ref = tuple(weakref.ref(old) if one() is new else one for one in others)


def reduced_handle(value: Any) -> Any:
    """Take apart what removes a hook, such that those that came back are known."""
    hooks = value.hooks_dict_ref() or {}
    hook = hooks.get(value.id)
    alike = [number for number, one in hooks.items() if one is hook]
    place = alike.index(value.id) if hook is not None else _REMOVED
    return object.__new__, (type(value),), (value.__getstate__(), hook, place), None, None, _set_handle


def _set_handle(handle: Any, about: tuple[tuple[Any, ...], Any, int]) -> None:
    state, hook, place = about
    handle.__setstate__(state)
    if place == _REMOVED:
        handle.id = _draw()  # else it might be the number of another
    else:
        _came_back[handle] = hook, place


# Handle → its hook, and which of the places that this has in its dict.
_came_back: weakref.WeakKeyDictionary[Any, tuple[Any, int]] = weakref.WeakKeyDictionary()


def handle_rule(walk: Walk, value: Any) -> bytes:
    """Digest what removes a hook by which of those it removes."""
    walk.mark(value)
    return combine("handle", walk.digests((type(value), place_of(value))))


def place_of(value: Any) -> int:
    """Say which of the hooks beside it a handle removes; -1 if it has."""
    hooks = list(value.hooks_dict_ref() or ())
    return hooks.index(value.id) if value.id in hooks else _REMOVED


_REMOVED = -1


def put_handle(live: Any, place: int) -> None:
    """Make a live handle have removed its hook, if another has."""
    if place == _REMOVED:
        live.remove()


def count_on(hooks: dict[int, Any]) -> None:
    """Let new hooks, which are numbered from 0 on in each process, not take the places of these."""
    handle = torch.utils.hooks.RemovableHandle
    handle.next_id = max([handle.next_id, *(number + 1 for number in hooks)])
