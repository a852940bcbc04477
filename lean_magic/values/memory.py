"""Arrays that share memory: found by address, written once, and views again when read.

An array occupies an interval of addresses. Where intervals of two arrays in one
graph overlap, both are views of one span, which is written instead of them. A new
array inside a live one is written as a view of the live one.
"""

from __future__ import annotations

import itertools
import pickle
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lean_magic.errors import LeanMagicError, Unstorable

__all__ = [
    "LARGE",
    "Interval",
    "LayoutChanged",
    "Memory",
    "Plain",
    "Span",
    "bytes_at",
    "inside",
    "is_closed",
    "keeps_gaps",
    "overlaps",
]

# Smaller buffers stay in the pickle: a mapping of their own would cost more than a copy.
LARGE = 64 * 1024


def _start(pair: tuple[Interval, Any]) -> int:
    return pair[0].start


class LayoutChanged(LeanMagicError):
    """A live array does not lie in memory as it did when the entry was made."""


class Interval(NamedTuple):
    """Addresses from `start` up to `end` on one device ("" is the host)."""

    device: str
    start: int
    end: int


class Plain:
    """Says that an array is to be written by its content, even if it shares memory with a live one."""

    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass(slots=True, repr=False, eq=False)
class Memory:
    """What one graph knows of addresses; made anew for the second pass with what the first has seen."""

    live: list[tuple[Interval, Any]] = field(default_factory=list)
    shared: list[Interval] = field(default_factory=list)
    seen: list[tuple[Interval, Any]] = field(default_factory=list)
    _spans: dict[Interval, Any] = field(default_factory=dict)
    _ids: set[int] = field(default_factory=set)  # of those seen, in the second pass
    _inside: dict[Interval, dict[int, Any]] = field(default_factory=dict)
    _order: list[int] | None = None  # where the live arrays start, once they are sorted
    _reach: list[int] = field(default_factory=list)  # how far those up to each reach

    def note(self, interval: Interval, value: Any) -> None:
        """Note an array met while writing; it is kept, so that its address is not given away."""
        self.seen.append((interval, value))

    def live_owner(self, interval: Interval, base: Any = None) -> tuple[Interval, Any] | None:
        """Find the live array that a new one lies in: its base if that is one, else rather one that can be written to.

        Raises Unstorable if it only overlaps one.
        """
        near = [pair for pair in self._near(interval) if pair[0].device == interval.device]
        around = [pair for pair in near if inside(interval, pair[0])]
        if near and not around:
            raise Unstorable("array", "shares memory with only a part of an earlier one", "copy() it")
        return min(around, key=lambda pair: (pair[1] is not base, is_closed(pair[1])), default=None)

    def _near(self, interval: Interval) -> Iterator[tuple[Interval, Any]]:
        """Give the live arrays that overlap an interval, from the last that starts before its end back."""
        if self._order is None:
            self.live.sort(key=_start)
            self._order = [pair[0].start for pair in self.live]
            ends = (pair[0].end for pair in self.live)
            self._reach = list(itertools.accumulate(ends, max))
        place = bisect_left(self._order, interval.end) - 1
        while place >= 0 and self._reach[place] > interval.start:  # else nothing before reaches so far
            if self.live[place][0].end > interval.start:
                yield self.live[place]
            place -= 1

    def span(self, interval: Interval, read: Callable[[Interval], Any]) -> tuple[Interval, Any] | None:
        """Find the shared span around an array, as bytes read once; None if it shares with nobody."""
        index = bisect_right(self.shared, Interval(interval.device, interval.start, 1 << 64)) - 1
        if index < 0:
            return None
        found = self.shared[index]
        if found.device != interval.device or found.end < interval.end or found.start > interval.start:
            return None
        if found not in self._spans:
            self._spans[found] = read(found)
        return found, self._spans[found]

    def has_seen(self, value: Any) -> bool:
        """Whether the first pass has met an array."""
        if self.shared and not self._ids:
            self._ids = {id(one) for _, one in self.seen}
        return id(value) in self._ids

    def seen_in(self, span: Interval) -> list[Any]:
        """Give the arrays that the first pass has met in a shared span."""
        if not self._inside:
            for interval, value in self.seen:
                place = bisect_right(self.shared, Interval(interval.device, interval.start, 1 << 64)) - 1
                if place >= 0 and inside(interval, self.shared[place]):
                    self._inside.setdefault(self.shared[place], {})[id(value)] = value
        return [*self._inside.get(span, {}).values()]

    def is_shared(self, interval: Interval) -> bool:
        """Whether the first pass has met another array there."""
        return any(inside(interval, span) for span in self.shared)

    def again(self) -> Memory | None:
        """Give the memory for a second pass, if some arrays turned out to share; else None."""
        if self.shared:
            return None
        spans = overlaps(interval for interval, _ in self.seen)
        return Memory(self.live, spans, list(self.seen)) if spans else None


def overlaps(intervals: Iterable[Interval]) -> list[Interval]:
    """Unite the intervals that overlap; those that stand alone are left out."""
    united: list[list[Any]] = []
    for interval in sorted(interval for interval in intervals if interval.end > interval.start):
        last = united[-1] if united else None
        if last and last[0] == interval.device and interval.start < last[2]:
            last[2] = max(last[2], interval.end)
            last[3] += 1
        else:
            united.append([interval.device, interval.start, interval.end, 1])
    return [Interval(device, start, end) for device, start, end, count in united if count > 1]


_WRITEABLE = 0x400  # NPY_ARRAY_WRITEABLE


def is_closed(value: Any) -> bool:
    """Whether an array refuses to be written to."""
    number = getattr(
        getattr(value, "flags", None), "num", None
    )  # numpy's, which to ask for `writeable` may warn
    return number is not None and not number & _WRITEABLE


_GAPS, _TIMES = 1 << 26, 4


def keeps_gaps(size: int, content: int) -> bool:
    """Whether an array of so many bytes between its first and last gets its gaps back, which are not stored.

    What is computed with it later may end in other last digits without them. `content`: the bytes of its elements.
    """
    return size <= max(_GAPS, _TIMES * content)


def inside(interval: Interval, span: Interval) -> bool:
    """Whether an interval lies in a span."""
    return interval.device == span.device and span.start <= interval.start and interval.end <= span.end


class Span:
    """Bytes written once, however many arrays are views of them; read back as a plain buffer."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __reduce__(self) -> Any:
        return _buffer, (pickle.PickleBuffer(self.content),)


def _buffer(content: Any) -> Any:
    return memoryview(content)


def bytes_at(interval: Interval, owner: Any = None) -> Span:
    """Give the host memory of an interval, without a copy; `owner` is kept alive as long as any view of it."""
    import ctypes

    kind = ctypes.c_ubyte * (interval.end - interval.start)
    block = kind.from_address(interval.start)
    block.owner = owner  # type: ignore[attr-defined]
    return Span(block)
