"""Any other object: by its class and the state it would be pickled with.

`object.__reduce_ex__` is how Python itself takes an object apart
(https://docs.python.org/3/library/pickle.html#object.__reduce_ex__).
"""

from __future__ import annotations

import copyreg
from typing import Any

from lean_magic.errors import Unfingerprintable
from lean_magic.values.fingerprint import Walk, combine

__all__ = ["attributes", "reduced"]


def reduced(walk: Walk, value: Any) -> bytes:
    """Digest an object by its reduced form; raises Unfingerprintable if it has none."""
    walk.mark(value)
    walk.use_module(type(value).__module__)
    if isinstance(value, (set, frozenset)):
        return combine("set", walk.digest(type(value)), walk.unordered(value), attributes(walk, value))
    form = walk.keep(_reduce(value))
    if isinstance(form, str):
        return combine("global", walk.digest(type(value)), walk.digest(form))
    return combine("reduced", walk.digest(type(value)), *(_pieces(walk, form)))


def _reduce(value: Any) -> Any:
    own = copyreg.dispatch_table.get(type(value))
    try:
        return own(value) if own is not None else value.__reduce_ex__(4)
    except (TypeError, ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
        why = f"holds a {type(value).__module__}.{type(value).__qualname__}, which has no content to compare"
        raise Unfingerprintable(type(value).__qualname__, why, "make it inside the cell") from error


def _pieces(walk: Walk, form: tuple[Any, ...]) -> list[bytes]:
    """Digests of a reduce tuple: callable, arguments, state, list items, dict items."""
    padded: list[Any] = [*form[:5], None, None, None]
    call, args, state, items, pairs = padded[:5]
    return [
        walk.digest(call),
        walk.digest(walk.keep(tuple(args))),
        _state(walk, state),
        combine("items", walk.digests(walk.keep(list(items))) if items is not None else b""),
        combine("pairs", walk.digests(walk.keep(list(pairs))) if pairs is not None else b""),
    ]


def _state(walk: Walk, state: Any) -> bytes:
    if type(state) is dict:
        return _named(walk, state)
    if type(state) is tuple and len(state) == 2 and all(part is None or type(part) is dict for part in state):
        return combine("states", *(_named(walk, part or {}) for part in state))
    return walk.digest(state)


def _named(walk: Walk, state: dict[Any, Any]) -> bytes:
    return combine("state", *(walk.digest(name) + walk.digest(item) for name, item in list(state.items())))


def attributes(walk: Walk, value: Any, skip: frozenset[str] = frozenset()) -> bytes:
    """Digest the instance attributes (dict and slots) of `value` in their order."""
    state = dict(getattr(value, "__dict__", {}))
    for name in copyreg._slotnames(type(value)):  # type: ignore[attr-defined]  # noqa: SLF001
        if hasattr(value, name):
            state[name] = getattr(value, name)
    kept = {name: item for name, item in state.items() if name not in skip}
    return _named(walk, kept)
