"""LightGBM: a Dataset that training has made bins of lives in C, and cannot be asked for what it was made of."""

from __future__ import annotations

from typing import Any

import lightgbm

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk
from lean_magic.values.reduced import reduced

__all__ = ["ADAPTER"]

_WHY = "is or holds a Dataset of LightGBM that was trained with"
_REMEDY = "make it in the cell that trains with it, and `del` it at the end"


def _has_bins(value: Any) -> bool:
    return isinstance(value, lightgbm.Dataset) and vars(value).get("_handle") is not None


def _dataset(walk: Walk, value: Any) -> bytes:
    if _has_bins(value):
        raise walk.fail(value, f"{_WHY}, which has no content to compare", _REMEDY)
    return reduced(walk, value)


class _Lightgbm(FingerprintOnly):
    library = "lightgbm"

    def rule(self, cls: type) -> Rule | None:
        return _dataset if issubclass(cls, lightgbm.Dataset) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        return self.content(value)

    def content(self, value: Any) -> Any:
        """Refuse one with bins, and leave others to Python's own ways."""
        if _has_bins(value):
            raise Unstorable("Dataset", _WHY, _REMEDY)
        return NotImplemented


ADAPTER = _Lightgbm()
