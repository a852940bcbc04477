"""XGBoost: matrices to train with, by the entries they hold and what is told of rows and columns.

Those that keep bins in the place of numbers, or the names of categories, cannot be asked for what they were made of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine

__all__ = ["ADAPTER"]

_REMEDY = "make it in the cell that uses it"
_FLOATS = ("label", "weight", "base_margin", "label_lower_bound", "label_upper_bound", "feature_weights")
_SET = ("missing", "nthread", "silent")


def _why_not(value: Any) -> str:
    if type(value) is not xgboost.DMatrix:
        return "is or holds a DMatrix of XGBoost that keeps bins alone"
    if vars(value).keys() - {*_SET, "handle"}:
        return "is or holds a DMatrix of XGBoost on which more was set"
    return "is or holds a DMatrix of XGBoost with categories" if "c" in (value.feature_types or ()) else ""


def _told(value: Any) -> dict[str, Any]:
    floats = {name: value.get_float_info(name) for name in _FLOATS}
    floats |= {"label": value.get_label(), "base_margin": value.get_base_margin()}  # which have their shapes
    kept = {name: np.asarray(item) for name, item in floats.items() if np.size(item)}
    sizes = np.diff(value.get_uint_info("group_ptr"))
    return {"info": kept, "groups": sizes, "names": value.feature_names, "types": value.feature_types}


def _matrix(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    why = _why_not(value)
    if why:
        raise walk.fail(value, f"{why}, which has no content to compare", _REMEDY)
    data, told = value.get_data(), _told(value)
    parts = data.shape, data.data, data.indices, data.indptr, told, [getattr(value, name) for name in _SET]
    return combine("matrix", walk.digests(walk.keep(parts)))


def _make(data: Any, told: dict[str, Any], settings: dict[str, Any]) -> Any:
    made = xgboost.DMatrix(data, feature_names=told["names"], feature_types=told["types"])
    made.set_info(**{name: item for name, item in told["info"].items() if name in _FLOATS})
    if len(told["groups"]):
        made.set_group(told["groups"])
    vars(made).update(settings)
    return made


class _Xgboost(FingerprintOnly):
    library = "xgboost"

    def rule(self, cls: type) -> Rule | None:
        return _matrix if issubclass(cls, xgboost.DMatrix) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if not isinstance(value, xgboost.DMatrix):
            return NotImplemented
        why = _why_not(value)
        if why:
            raise Unstorable(type(value).__name__, why, _REMEDY)
        return _make, (value.get_data(), _told(value), {name: getattr(value, name) for name in _SET})

    def content(self, value: Any) -> Any:
        """Give what was told of the rows, which a cell may set; the entries stay."""
        return _told(value) if isinstance(value, xgboost.DMatrix) and not _why_not(value) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, xgboost.DMatrix):
            return False
        live.set_info(**stored["info"])
        if len(stored["groups"]):
            live.set_group(stored["groups"])
        live.feature_names, live.feature_types = stored["names"], stored["types"]
        return True


ADAPTER = _Xgboost()
