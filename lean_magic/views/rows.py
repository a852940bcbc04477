"""The pieces of the cache browser as HTML: the savings at its top, the head of the list, one entry; pure."""

from __future__ import annotations

import datetime
import html
from typing import TYPE_CHECKING

from lean_magic import cost
from lean_magic.views.chart import bars, money
from lean_magic.views.contents import Contents, Item, named
from lean_magic.words import age, duration, size

if TYPE_CHECKING:
    from lean_magic.ledger import Record

__all__ = ["HEADS", "entry", "last_run", "message", "top", "why"]

_CLASS = "tex2jax_ignore mathjax_ignore"  # "$3 … $4" is money, not a formula
_MOST = 20_000  # letters of a cell's code that are sent to the front end

HEADS = (
    '<div class="lm-heads lm-cells"><span>entry</span><span>made</span><span>size</span><span>hits</span>'
    "<span>saved</span></div>"
)


def top(found: Contents, per_hour: float | None, source: str) -> str:
    """Return what was saved in total, beside the chart of the last days; `source` says where the price is from."""
    if not found.hits:
        hint = "Nothing saved yet: <code>%%cached</code> on a slow cell begins it."
        return f'<div class="{_CLASS} lm-top"><div class="lm-quiet">{hint}</div></div>'
    hits = "1 hit" if found.hits == 1 else f"{found.hits:,} hits"
    worth = money(cost.dollars(found.saved, per_hour))
    told = " · ".join(filter(None, [html.escape(worth), hits]))
    return (
        f'<div class="{_CLASS} lm-top lm-numbers"><div><div class="lm-quiet">saved by hits</div>'
        f'<div class="lm-saved lm-good">{duration(found.saved)}</div>'
        f'<div class="lm-quiet" title="{html.escape(source)}">{told}</div></div>{bars(found.days, per_hour)}</div>'
    )


def last_run(told: str) -> str:
    """Return how the last cached cell of this kernel ended, which is HTML already; "" is nothing."""
    return f'<div class="lm-told">{told}</div>' if told else ""


def message(text: str, *, bad: bool = False) -> str:
    """Return one sentence about what was just done, or could not be."""
    kind = " lm-mod-bad" if bad else ""
    return f'<div class="{_CLASS} lm-message{kind}" role="status">{html.escape(text)}</div>' if text else ""


def why(item: Item) -> str:
    """Say in one line why the last run of an entry's cell missed; "" where the ledger does not know."""
    return "" if item.ran is None else f"{_ran(item.ran)}: {'; '.join(item.ran.reasons) or 'no reason told'}"


def _ran(run: Record) -> str:
    return f"ran {duration(run.seconds)}" + (", not stored" if run.outcome == "bypass" else "")


def entry(item: Item, per_hour: float | None, now: float) -> str:
    """Return one entry: a line of figures that opens to all about it."""
    return (
        f'<details class="{_CLASS} lm-entry"><summary>{_cells(item, per_hour, now)}</summary>'
        f"{_more(item, now)}</details>"
    )


def _cells(item: Item, per_hour: float | None, now: float) -> str:
    name = html.escape(named(item.entry))
    shown = name if item.entry.label else f"<code>{name}</code>"
    saved = duration(item.saved) if item.hits else "—"
    worth = html.escape(money(cost.dollars(item.saved, per_hour))) if item.hits else ""
    reason = html.escape(why(item))
    # In a narrow place the head is hidden, so there the figures bring their words.
    return (
        f'<div class="lm-cells"><span class="lm-name" title="{name}">{shown}</span>'
        f"<span>{age(now - item.entry.created)}</span><span>{size(item.size)}</span>"
        f'<span>{item.hits:,}<span class="lm-wide-hidden"> {"hit" if item.hits == 1 else "hits"}</span></span>'
        f'<span><span class="lm-wide-hidden">saved </span>{saved}</span>'
        f'<span class="lm-why" title="{reason}">{reason}</span><span class="lm-money">{worth}</span></div>'
    )


def _more(item: Item, now: float) -> str:
    made = item.entry
    reasons = "<br>".join(map(html.escape, item.ran.reasons)) if item.ran else ""
    facts = {
        "last run": f"{_ran(item.ran)}, {age(now - item.ran.time)}" if item.ran else duration(made.seconds),
        "why it missed": reasons,
        "last used": age(now - item.last) if item.last else "not since it was made",
        "made": _clock(made.created),
        "id": f"<code>{made.entry}</code>",
        "all about it": f"<code>%lean show {made.entry[:8]}</code>",
    }
    rows = "".join(f"<dt>{name}</dt><dd>{told}</dd>" for name, told in facts.items() if told)
    code = made.source.rstrip()
    cut = "" if len(code) <= _MOST else "\n…"
    return (
        f'<div class="lm-more"><dl>{rows}</dl><pre tabindex="0">{html.escape(code[:_MOST])}{cut}</pre></div>'
    )


def _clock(moment: float) -> str:
    try:
        return f"{datetime.datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):  # a clock that was centuries off
        return ""
