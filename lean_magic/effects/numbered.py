"""Numbers that a library gives to what it shows, one after the other, so that no two on a page are the same.

What comes back with a hit bears the numbers that a run would give it now, and what is shown later goes on from there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["counted", "renumbered", "since"]

# Where scikit-learn counts the estimators that it shows, since 1.7 and before.
_PLACES = ("sklearn.utils._repr_html.estimator", "sklearn.utils._estimator_html_repr")
_COUNTERS = ("_CONTAINER_ID_COUNTER", "_ESTIMATOR_ID_COUNTER")
# Which item of an event is what is shown.
_SHOWN = {"stream": 2, "display": 1, "result": 2}


def counted() -> dict[str, int]:
    """Give the last number of each kind, by what stands before it."""
    return {prefix: counter.count for prefix, counter in _counters().items()}


def _counters() -> dict[str, Any]:
    modules = [sys.modules[place] for place in _PLACES if place in sys.modules]
    found: list[Any] = [getattr(module, name, None) for module in modules for name in _COUNTERS]
    return {one.prefix: one for one in found if hasattr(one, "prefix") and hasattr(one, "count")}


def since(before: Mapping[str, int]) -> dict[str, list[int]] | None:
    """Give the last numbers before and after what was shown since; None if nothing was."""
    spans = {prefix: [before.get(prefix, 0), last] for prefix, last in counted().items()}
    return {prefix: span for prefix, span in spans.items() if span[0] != span[1]} or None


def renumbered(events: list[list[Any]], spans: Mapping[str, list[int]]) -> list[list[Any]]:
    """Give events with the numbers that follow now, and count these as given."""
    shifts = {}
    for prefix, counter in _counters().items():
        if prefix in spans:
            before, after = spans[prefix]
            shifts[prefix] = counter.count - before
            counter.count += after - before
    if not any(shifts.values()):
        return events
    pattern = re.compile(rf"({'|'.join(map(re.escape, shifts))})-(\d+)")

    def shifted(match: re.Match[str]) -> str:
        prefix, number = match[1], int(match[2])
        before, after = spans[prefix]
        return f"{prefix}-{number + shifts[prefix]}" if before < number <= after else match[0]

    return [_put(event, lambda text: pattern.sub(shifted, text)) for event in events]


def _put(event: list[Any], change: Callable[[str], str]) -> list[Any]:
    place = _SHOWN.get(event[0])
    if place is None:
        return event
    shown = event[place]
    if isinstance(shown, dict):
        shown = {kind: change(data) if isinstance(data, str) else data for kind, data in shown.items()}
    else:
        shown = change(shown)
    return [*event[:place], shown, *event[place + 1 :]]
