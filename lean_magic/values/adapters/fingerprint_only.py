"""What an adapter does that only knows how to compare: storing and writing back are left to Python's own ways."""

from __future__ import annotations

from typing import Any

__all__ = ["FingerprintOnly"]


class FingerprintOnly:
    """The rest of the Adapter protocol, for libraries whose objects need a rule and nothing else."""

    def reduce(self, value: Any, memory: Any) -> Any:
        """Leave storing to pickle."""
        del value, memory
        return NotImplemented

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        """Say that there is no array."""
        del value
        return None

    def content(self, value: Any) -> Any:
        """Know no content apart from the object."""
        del value
        return NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        """Write nothing back."""
        del live, stored
        return False
