"""Where a view lies in an array that lies in memory in another order than it did when the view was described."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lean_magic.values.memory import LayoutChanged

__all__ = ["View", "moved"]


class View(NamedTuple):
    """A view inside an array: its shape, its strides, and where it starts; all in bytes, or all in elements."""

    shape: Sequence[int]
    strides: Sequence[int]
    start: int


def moved(view: View, shape: Sequence[int], then: Sequence[int], now: Sequence[int]) -> View:
    """Describe a view of an array of `shape`, whose strides were `then`, by the strides `now`.

    Raises LayoutChanged for a view that is not made of steps along the array's axes.
    """
    axes = [axis for axis, length in enumerate(shape) if length > 1]
    if all(then[axis] == now[axis] for axis in axes):
        return view
    if any(then[axis] <= 0 or now[axis] <= 0 for axis in axes):
        raise _changed()
    axes.sort(key=lambda axis: -then[axis])
    low = _split(view.start, axes, then)
    high = dict(low)
    strides = []
    for length, stride in zip(view.shape, view.strides, strict=True):
        steps = _split(abs(stride), axes, then) if length > 1 else {}
        sign = -1 if stride < 0 else 1
        for axis, step in steps.items():
            reached = high if sign > 0 else low
            reached[axis] = reached.get(axis, 0) + sign * step * (length - 1)
        strides.append(sign * sum(step * now[axis] for axis, step in steps.items()))
    if any(low.get(axis, 0) < 0 or high.get(axis, 0) >= shape[axis] for axis in axes):
        raise _changed()
    first = _split(view.start, axes, then)
    return View(view.shape, strides, sum(step * now[axis] for axis, step in first.items()))


def _split(distance: int, axes: Sequence[int], strides: Sequence[int]) -> dict[int, int]:
    """Write a distance as steps along axes, the longest first."""
    steps = {}
    for axis in axes:
        steps[axis], distance = divmod(distance, strides[axis])
    if distance:
        raise _changed()
    return steps


def _changed() -> LayoutChanged:
    return LayoutChanged("an array lies in memory in another order than when the entry was made")
