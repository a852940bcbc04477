"""plotly: figures and their parts as they are; taken apart by themselves they lose whose parts they are, and arrays."""

from __future__ import annotations

import operator
from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of
from lean_magic.values.reduced import attributes, fill_attributes, held_by
from lean_magic.values.slots import slots_of

__all__ = ["ADAPTER"]

# What every figure of a class has alike, and remembers as it is used.
_VALIDATORS = frozenset({
    "_data_validator", "_layout_validator", "_frames_validator", "_animation_duration_validator",
    "_animation_easing_validator", "_BasePlotlyType__validators",
})  # fmt: skip


def _part(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    held = held_by(value)
    parts = [sorted(held.get(name, {}).items(), key=operator.itemgetter(0)) for name in _BY_NAME]
    rest = attributes(walk, value, _VALIDATORS.union(_BY_NAME))
    return combine("part of a figure", walk.digest(type(value)), rest, walk.digest(walk.keep(parts)))


# Parts by their names, in the order of sets.
_BY_NAME = "_compound_props", "_compound_array_props"


def _is_part(cls: type) -> bool:
    is_drawn = any(module_of(one) == "plotly.basedatatypes" and one.__name__ in _BASES for one in cls.__mro__)
    return is_drawn and not hasattr(cls, "comm")  # as live widgets have


_BASES = {"BaseFigure", "BasePlotlyType"}


class _Plotly(FingerprintOnly):
    library = "plotly"

    def rule(self, cls: type) -> Rule | None:
        return _part if _is_part(cls) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        """Take apart all it holds, the figure around it too."""
        del memory
        if not _is_part(type(value)):
            return NotImplemented
        return object.__new__, (type(value),), (held_by(value), slots_of(value)), None, None, fill_attributes


ADAPTER = _Plotly()
