"""Joules from what the driver tells: its counter where there is one, else watts over time. An estimate, either way."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Meter"]

_LONGEST = 10.0  # seconds between two samples over which watts may be joined by a line


@dataclass(slots=True)
class Meter:
    """The energy of one GPU since it was looked at first, in joules."""

    joules: float | None = None
    _counter: float | None = None
    _time: float = 0.0
    _watts: float | None = None

    def add(self, time: float, watts: float | None, counter: float | None) -> float | None:
        """Take in one sample; return the joules so far, None while nothing is known."""
        if counter is not None and self._counter is not None:
            self._grow(max(counter - self._counter, 0.0))
        elif counter is None and watts is not None and self._watts is not None:
            apart = time - self._time
            # Over a longer gap the line is a guess: the level before it holds, for as long as a line may be.
            mean = (watts + self._watts) / 2 if apart <= _LONGEST else self._watts
            self._grow(mean * min(max(apart, 0.0), _LONGEST))
        self._counter, self._time, self._watts = counter, time, watts
        return self.joules

    def _grow(self, joules: float) -> None:
        self.joules = (self.joules or 0.0) + joules
