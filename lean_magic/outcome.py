"""What became of one cached cell: exactly one of Hit, Miss and Bypass."""

from __future__ import annotations

from dataclasses import dataclass

from lean_magic.words import age, duration, size

__all__ = ["Bypass", "Hit", "Miss", "Outcome"]


@dataclass(frozen=True, slots=True)
class Hit:
    """The cell was replayed. Times in seconds, size in bytes."""

    seconds: float
    saved: float
    made: float = 0.0
    size: int = 0
    label: str = ""
    entry: str = ""
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The status line."""
        parts = [
            "✓ cached",
            f"saved {duration(self.saved)}",
            f"made {age(self.made)}",
            size(self.size),
            *self.notes,
        ]
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Miss:
    """The cell ran and was stored; `reasons` say what differs from the nearest entry."""

    reasons: tuple[str, ...]
    seconds: float = 0.0
    size: int = 0
    label: str = ""
    entry: str = ""

    @property
    def line(self) -> str:
        """The status line."""
        shown = [*self.reasons[:3]]
        if len(self.reasons) > 3:
            shown.append(f"and {len(self.reasons) - 3} more (%lean why)")
        return " · ".join([f"● ran {duration(self.seconds)}", *shown, f"stored {size(self.size)}"])


@dataclass(frozen=True, slots=True)
class Bypass:
    """The cell just ran; `reason` says why and what to do about it."""

    reason: str
    seconds: float = 0.0
    label: str = ""

    @property
    def line(self) -> str:
        """The status line."""
        return f"○ ran {duration(self.seconds)}, not cached: {self.reason}"


Outcome = Hit | Miss | Bypass
