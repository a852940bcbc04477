"""Charts as SVG, written by hand: savings over days as bars, memory over minutes as a line.

They stretch with their place, so all words stand beside the SVG as HTML, and lines keep their width.
"""

from __future__ import annotations

import datetime
import html
from typing import TYPE_CHECKING

from lean_magic import cost
from lean_magic.words import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lean_magic.views.contents import Day

__all__ = ["bars", "line", "money"]

_HEIGHT = 100.0
_STEP = 10.0  # the width of a day, its gap included
_LEAST = 2.5  # a day with any saving at all is seen


def money(dollars: float | None) -> str:
    """Say an estimated amount, as the sidebar does; "" where it is not known."""
    if dollars is None:
        return ""
    return "< $0.01" if 0 < dollars < 0.005 else f"≈ ${dollars:,.2f}"


def bars(days: Sequence[Day], per_hour: float | None = None) -> str:
    """Draw what each day saved: a bar a day, its figures when pointed at, the sum for who does not see it."""
    most = max((day.seconds for day in days), default=0.0)
    width = len(days) * _STEP
    drawn = "".join(_bar(day, position, most, per_hour) for position, day in enumerate(days))
    total = sum(day.seconds for day in days)
    label = f"Saved in the last {len(days)} days: {duration(total)}, most on one day {duration(most)}"
    return (
        '<div class="lm-chart">'
        f'<div class="lm-chart-most">{duration(most) if most else ""}</div>'
        f'<svg viewBox="0 0 {width:g} {_HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(label)}"><title>{html.escape(label)}</title>'
        f'<line class="lm-grid" x1="0" x2="{width:g}" y1="0.5" y2="0.5"/>{drawn}'
        f'<line class="lm-floor" x1="0" x2="{width:g}" y1="99.5" y2="99.5"/></svg>'
        f'<div class="lm-chart-days">{"".join(f"<span>{_short(day.date)}</span>" for day in _marked(days))}</div></div>'
    )


def _bar(day: Day, position: int, most: float, per_hour: float | None) -> str:
    tall = max(day.seconds / most * (_HEIGHT - 4), _LEAST) if most and day.hits else 0.0
    left, top = position * _STEP, _HEIGHT - tall
    # The whole height answers to the pointer, for a short bar is hard to hit.
    return (
        f'<g class="lm-day"><title>{html.escape(_told(day, per_hour))}</title>'
        f'<rect class="lm-hover" x="{left:g}" y="0" width="{_STEP:g}" height="{_HEIGHT:g}"/>'
        f'<rect class="lm-bar" x="{left + 1.5:g}" y="{top:.2f}" width="{_STEP - 3:g}" height="{tall:.2f}"/></g>'
    )


def _told(day: Day, per_hour: float | None) -> str:
    if not day.hits:
        return f"{_short(day.date)}: nothing saved"
    hits = "1 hit" if day.hits == 1 else f"{day.hits:,} hits"
    worth = money(cost.dollars(day.seconds, per_hour))
    return " · ".join(filter(None, [f"{_short(day.date)}: {duration(day.seconds)} saved", worth, hits]))


def _marked(days: Sequence[Day]) -> Sequence[Day]:
    """Return the days whose dates stand below: the first, the one in the middle, the last."""
    return days if len(days) < 3 else (days[0], days[(len(days) - 1) // 2], days[-1])


def _short(date: datetime.date) -> str:
    return f"{date.day} {date:%b}"


def line(points: Sequence[tuple[float, float]], seconds: float, top: float, label: str) -> str:
    """Draw (moment, value) pairs over the last `seconds` up to the newest; `top` is the value at the top."""
    now = points[-1][0] if points else 0.0
    kept = [(moment, value) for moment, value in points if now - moment <= seconds]
    places = " ".join(_place(now - moment, value, seconds, top) for moment, value in kept)
    first = _place(now - kept[0][0], 0.0, seconds, top) if kept else ""
    last = _place(0.0, 0.0, seconds, top)
    drawn = f'<polygon points="{first} {places} {last}"/><polyline points="{places}"/>' if kept else ""
    return (
        f'<svg class="lm-line" viewBox="0 0 100 {_HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.escape(label)}"><title>{html.escape(label)}</title>{drawn}'
        '<line class="lm-floor" x1="0" x2="100" y1="99.5" y2="99.5"/></svg>'
    )


def _place(ago: float, value: float, seconds: float, top: float) -> str:
    tall = min(value / top, 1.0) if top else 0.0
    return f"{100 - 100 * min(ago / seconds, 1.0):.2f},{99 - 95 * tall:.2f}"
