"""matplotlib: figures and their parts, compared without addresses and counts, and changed in place.

A transform knows its parents by their `id`, and a registry of callbacks counts how often it was pickled:
neither says anything in another process. What an artist leaves out of its pickle, its canvas and whom it tells
of changes, the live one goes on having (`Artist.__getstate__` in matplotlib/artist.py).
"""

from __future__ import annotations

import sys
from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine

__all__ = ["ADAPTER"]

# Those that take themselves apart by code of their own, which puts attributes back in another order.
_KINDS = (
    ("transforms", "TransformNode"),
    ("artist", "Artist"),
    ("cbook", "Grouper"),
    ("cbook", "CallbackRegistry"),
)
# Addresses, numbers, and whether something will be worked out anew: no content.
_NOTES = frozenset({"_parents", "_cid_gen", "_pickled_cids", "_invalid", "_stale"})
_LEFT_OUT = ("canvas", "stale_callback", "_renderer")


def _kinds(kinds: tuple[tuple[str, str], ...] = _KINDS) -> tuple[type, ...]:
    found = (getattr(sys.modules.get(f"matplotlib.{module}"), name, None) for module, name in kinds)
    return tuple(kind for kind in found if kind is not None)


def _has_callbacks(value: Any) -> bool:
    return isinstance(value, _kinds(_KINDS[-1:]))


def _state(value: Any) -> dict[str, Any]:
    """Take a figure or a part of one apart as the library does; whether it was in pyplot's hands is no content."""
    if _has_callbacks(value):
        return _callbacks(value)
    state = value.__reduce_ex__(4)[2] or {}
    if isinstance(state, tuple):
        state = {**(state[0] or {}), **state[1]}
    return {name: state[name] for name in sorted(state) if name != "_restore_to_pylab"}


def _callbacks(value: Any) -> dict[str, Any]:
    """Do what `__getstate__` does, which would take a number."""
    lasting = vars(value)["_pickled_cids"]
    kept = {
        signal: {number: ref() for number, ref in refs.items() if number in lasting}
        for signal, refs in value.callbacks.items()
    }
    numbers = {number for refs in value.callbacks.values() for number in refs} | lasting
    replaced = {"callbacks": kept, "_func_cid_map": None, "_cid_gen": 1 + max(numbers, default=-1)}
    return dict(sorted((vars(value) | replaced).items()))


def _part(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    state = walk.keep(_state(value))
    if _has_callbacks(value):
        told = {signal: list(calls.values()) for signal, calls in state["callbacks"].items() if calls}
        state["callbacks"] = walk.keep(told)
    said = [walk.digest(name) + walk.digest(item) for name, item in state.items() if name not in _NOTES]
    return combine("matplotlib", walk.digest(type(value)), *said)


def _connect(live: Any, stored: dict[str, Any]) -> None:
    """Put callbacks back; those that a pickle leaves out stay."""
    lasting = vars(live)["_pickled_cids"]
    others = [
        (signal, ref)
        for signal, refs in live.callbacks.items()
        for number, ref in refs.items()
        if number not in lasting
    ]
    live.__setstate__(stored)
    for signal, call in [(signal, ref()) for signal, ref in others]:
        if call is not None:
            live.connect(signal, call)


class _Matplotlib(FingerprintOnly):
    library = "matplotlib"

    def rule(self, cls: type) -> Rule | None:
        return _part if issubclass(cls, _kinds()) else None

    def content(self, value: Any) -> Any:
        return _state(value) if isinstance(value, _kinds()) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, _kinds()):
            return False
        if _has_callbacks(live):
            _connect(live, dict(stored))
            return True
        kept = {name: vars(live)[name] for name in _LEFT_OUT if name in vars(live)}
        if hasattr(live, "__setstate__"):
            live.__setstate__(dict(stored))
        else:
            vars(live).clear()
            vars(live).update(stored)
        vars(live).update(kept)
        return True


ADAPTER = _Matplotlib()
