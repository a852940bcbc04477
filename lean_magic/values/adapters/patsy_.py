"""patsy and statsmodels: what a formula made. patsy forbids to pickle it, statsmodels asks the frames of callers."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.adapters.numpy_ import viewed
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of
from lean_magic.values.reduced import attributes, dict_of, fill_attributes, held_by, is_plain
from lean_magic.values.slots import slots_of

__all__ = ["ADAPTER"]


def _whole(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("formula", walk.digest(type(value)), attributes(walk, value))


def _is_whole(cls: type) -> bool:
    """Whether a class says by its own code what is kept of an object: nothing, not all, or what has to be found."""
    if module_of(cls).partition(".")[0] not in _LIBRARIES or not is_plain(cls):
        return False
    return any("__getstate__" in vars(base) for base in cls.__mro__[:-1])


_LIBRARIES = frozenset({"patsy", "statsmodels"})


class _Patsy(FingerprintOnly):
    library = "patsy"

    def rule(self, cls: type) -> Rule | None:
        return _whole if _is_whole(cls) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        desc: Any = sys.modules.get("patsy.desc")
        if desc is not None and value is desc.INTERCEPT:
            return getattr, (desc, "INTERCEPT")
        if isinstance(value, np.ndarray) and module_of(type(value)).startswith("patsy."):
            return viewed(value)
        if not _is_whole(type(value)):
            return NotImplemented
        return object.__new__, (type(value),), (held_by(value), slots_of(value)), None, None, fill_attributes

    def content(self, value: Any) -> Any:
        return (held_by(value), slots_of(value)) if _is_whole(type(value)) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not _is_whole(type(live)):
            return False
        dict_of(live).clear()
        fill_attributes(live, stored)
        return True


ADAPTER = _Patsy()
