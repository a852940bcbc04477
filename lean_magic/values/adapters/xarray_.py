"""xarray: tables and arrays without what they make of themselves once they have been looked at.

Who asks for attributes where there are none makes an empty dict, and who asks for an accessor of some library makes
an object that is kept.
"""

from __future__ import annotations

from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import is_own, module_of
from lean_magic.values.reduced import dict_of
from lean_magic.values.slots import slots_of

__all__ = ["ADAPTER"]

_MADE_LATE = ("_attrs", "_encoding")


def _is_data(cls: type) -> bool:
    return any(module_of(one).partition(".")[0] == "xarray" and "_attrs" in vars(one) for one in cls.__mro__)


def _held_by(value: Any) -> dict[str, Any]:
    held = {**dict_of(value), **slots_of(value)}
    held.pop("__weakref__", None)
    held["_cache"] = {name: one for name, one in (held.get("_cache") or {}).items() if is_own(type(one))}
    return held


def _data(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    held = _held_by(value)
    held |= {name: {} for name in _MADE_LATE if name in held and held[name] is None}
    return combine(
        "xarray", walk.digest(type(value)), *map(walk.digest, held), *map(walk.digest, held.values())
    )


class _Xarray(FingerprintOnly):
    library = "xarray"

    def rule(self, cls: type) -> Rule | None:
        return _data if _is_data(cls) else None


ADAPTER = _Xarray()
