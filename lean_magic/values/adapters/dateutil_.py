"""dateutil: it keeps one object for each named zone, and Python subtracts dates of one zone otherwise than of two."""

from __future__ import annotations

from typing import Any

from dateutil import tz

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.memory import Memory

__all__ = ["ADAPTER"]


class _Dateutil(FingerprintOnly):
    library = "dateutil"

    def rule(self, cls: type) -> None:
        """Leave comparing to Python's own ways."""
        del cls

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        if not isinstance(value, tz.tzfile):
            return NotImplemented
        kept = getattr(tz.gettz, "_GettzFunc__instances", {})
        name = next((name for name, zone in list(kept.items()) if zone is value), None)
        return (tz.gettz, (name,)) if name else NotImplemented


ADAPTER = _Dateutil()
