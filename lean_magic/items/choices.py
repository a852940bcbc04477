"""What a cached map was told, and the figures that it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from lean_magic import cost
from lean_magic.errors import UsageError
from lean_magic.words import duration, size

__all__ = ["OPTIONS", "Choices", "MapPlan", "MapStats", "Tally", "many", "one_of", "whole"]


@dataclass(frozen=True, slots=True)
class Choices:
    """A function and how its results are cached. Raises TypeError, UsageError for a wrong value."""

    function: Callable[..., Any]
    batch_size: int = 256
    label: str = ""
    version: Any = None
    ignore: tuple[str, ...] = ()
    on_error: str = "raise"
    canaries: int = 2
    tolerance: float | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"cached_map() takes a function, not {self.function!r}")
        whole("batch_size", self.batch_size, 1)
        whole("canaries", self.canaries, 0)
        one_of("on_error", self.on_error)
        name = str(getattr(self.function, "__qualname__", type(self.function).__qualname__))
        object.__setattr__(self, "label", self.label or name)
        ignore = (self.ignore,) if isinstance(self.ignore, str) else tuple(self.ignore)
        object.__setattr__(self, "ignore", ignore)

    @property
    def options(self) -> dict[str, Any]:
        """All but the function."""
        return {name: getattr(self, name) for name in OPTIONS}


OPTIONS = tuple(field.name for field in fields(Choices) if field.name != "function")


def whole(name: str, value: Any, least: int) -> int:
    """Give a whole number. Raises UsageError for anything else or less."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"cached_map: {name} is a whole number from {least} on, not {value!r}")
    return value


def one_of(name: str, value: Any) -> str:
    """Give "raise" or "keep". Raises UsageError for anything else."""
    if value not in ("raise", "keep"):
        raise UsageError(f'cached_map: {name} is "raise" or "keep", not {value!r}')
    return str(value)


@dataclass(frozen=True, slots=True)
class MapPlan:
    """What a call would do: numbers of items, and seconds if that can be told from earlier ones."""

    items: int
    found: int
    missing: int
    unique_missing: int
    batches: int
    seconds: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        took = "" if self.seconds is None else f", about {duration(self.seconds)}"
        to_do = f"{self.unique_missing:,} to compute in {many(self.batches, 'batch', 'batches')}{took}"
        said = [f"{self.found:,} of {self.items:,} found", to_do if self.missing else "", self.reason]
        return " · ".join(filter(None, said))


@dataclass(frozen=True, slots=True)
class MapStats:
    """What is stored for a function: items, files, bytes, and the seconds that computing them took."""

    items: int
    segments: int
    bytes: int
    seconds: float

    def __str__(self) -> str:
        where = f"{many(self.segments, 'file', 'files')}, {size(self.bytes)}"
        return f"{many(self.items, 'item', 'items')} in {where}, computed in {duration(self.seconds)}"


@dataclass(slots=True)
class Tally:
    """The figures of one call; times in seconds, `stored` in bytes."""

    items: int
    found: int = 0
    computed: int = 0
    repeats: int = 0
    batches: int = 0
    failed: int = 0
    spent: float = 0.0
    saved: float = 0.0
    stored: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()

    def line(self, per_hour: float | None) -> str:
        """Say it in one line; `per_hour` is what the machine costs, in dollars."""
        return " · ".join(filter(None, [self._found(), self._computed(), self._saved(per_hour), *self.notes]))

    def _found(self) -> str:
        if self.found == self.items:
            return f"✓ {self.found:,} found"
        return f"● {self.found:,} of {self.items:,} found" if self.found else ""

    def _computed(self) -> str:
        if not (self.computed or self.failed):
            return ""
        mark = "" if self.found else "● "
        batches = many(self.batches, "batch", "batches")
        said = [f"{mark}{self.computed:,} computed in {batches}, {duration(self.spent)}"]
        said += [many(self.repeats, "repeat", "repeats")] if self.repeats else []
        said += [f"{self.failed:,} failed"] if self.failed else []
        said += [self.reason] if self.reason and not self.found else []
        said += [f"stored {size(self.stored)}"] if self.stored else []
        return " · ".join(said)

    def _saved(self, per_hour: float | None) -> str:
        if not self.found:
            return ""
        money = cost.dollars(self.saved, per_hour)
        return f"saved {duration(self.saved)}" + (f" · ≈ ${money:,.2f}" if money and money >= 0.005 else "")


def many(count: int, one: str, more: str) -> str:
    """Say a number of things."""
    return f"1 {one}" if count == 1 else f"{count:,} {more}"
