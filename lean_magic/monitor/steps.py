"""Processes in other containers are known by their steps: memory that goes up and down together with a kernel's report.

Levels cannot be compared, for the driver counts hundreds of megabytes that the kernel does not know of; steps can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["StepMatcher"]

_STEP = 16 << 20  # bytes: smaller changes are noise
_NEEDED = 2  # steps in common before they count
_KEPT = 64  # steps of a series that are remembered


@dataclass(slots=True)
class _Series:
    """The steps of one quantity: (first poll, last poll, bytes); changes in polls next to each other are one step."""

    level: int
    steps: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, poll: int, level: int) -> None:
        change, self.level = level - self.level, level
        if self.steps and change and self.steps[-1][1] >= poll - 1:
            first, _, so_far = self.steps.pop()
            self.steps.append((first, poll, so_far + change))
        elif abs(change) >= _STEP:
            self.steps.append((poll, poll, change))
        del self.steps[:-_KEPT]


class StepMatcher:
    """Compares, poll by poll, what the driver says of foreign processes with what kernels say of themselves."""

    def __init__(self) -> None:
        self._poll = 0
        self._processes: dict[tuple[str, int], _Series] = {}
        self._kernels: dict[tuple[str, str], _Series] = {}

    def update(
        self, processes: Mapping[tuple[str, int], int], kernels: Mapping[tuple[str, str], int]
    ) -> dict[tuple[str, int], str]:
        """Take in bytes by (UUID, process) and by (UUID, kernel); return the kernel of each process that is sure."""
        self._poll += 1
        self._extend(self._processes, processes)
        self._extend(self._kernels, kernels)
        pairs = [
            (process, kernel)
            for process, its in self._processes.items()
            for kernel, theirs in self._kernels.items()
            if process[0] == kernel[0] and self._fits(its, theirs)
        ]
        return {process: kernel[1] for process, kernel in pairs if _is_only(process, kernel, pairs)}

    def _extend(self, series: dict[Any, _Series], levels: Mapping[Any, int]) -> None:
        for gone in series.keys() - levels.keys():
            del series[gone]
        for name, level in levels.items():
            if name in series:
                series[name].add(self._poll, level)
            else:
                series[name] = _Series(level)

    def _fits(self, process: _Series, kernel: _Series) -> bool:
        settled = self._poll - 2  # what happened just now, the other side may not have said yet
        mine = [step for step in process.steps if step[1] <= settled]
        theirs = [step for step in kernel.steps if step[1] <= settled]
        common = sum(any(_same(one, other) for other in process.steps) for one in theirs)
        answered = sum(any(_same(one, other) for other in kernel.steps) for one in mine)
        return common >= _NEEDED and common == len(theirs) and answered == len(mine)


def _same(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    together = one[0] <= other[1] + 1 and other[0] <= one[1] + 1
    return together and abs(one[2] - other[2]) <= max(4 << 20, abs(one[2]) * 0.02)


def _is_only(
    process: tuple[str, int],
    kernel: tuple[str, str],
    pairs: list[tuple[tuple[str, int], tuple[str, str]]],
) -> bool:
    return sum(one == process or other == kernel for one, other in pairs) == 1
