"""The verbs that look at the whole cache and change nothing: ls, savings, config, and the list of verbs."""

from __future__ import annotations

import datetime
import os
from typing import TYPE_CHECKING, Any

from lean_magic import clock, cost
from lean_magic.lean.page import Column, Page, Table, Text, cut
from lean_magic.lean.place import ID, entries, first_line, mapped, newest, use_of
from lean_magic.lean.request import VERBS
from lean_magic.ledger import totals
from lean_magic.store import line_of
from lean_magic.words import age, duration, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lean_magic.lean.place import Mapped, Place
    from lean_magic.lean.request import Request
    from lean_magic.ledger import Totals
    from lean_magic.settings import LeanMagic
    from lean_magic.store import Line, Manifest

__all__ = ["config", "ls", "midnight", "overview", "price", "savings"]

_SHOWN = 20  # entries that `ls` shows without --all
_NAME = 60  # columns of a label or line of code, even on a wide screen
_WEEK = 7 * 86_400.0  # seconds
_VARIABLES = {"cache_dir", "max_size", "off"}  # the settings that a variable of the environment may give


def overview(place: Place, request: Request) -> Page:
    """Answer `%lean help`, and `%lean` alone where the cache browser cannot be shown: one line for each verb."""
    del request
    rows = [(f"{place.command} {verb.usage}", verb.says) for verb in VERBS]
    return Page([Table([Column(code=True), Column()], rows)])


def ls(place: Place, request: Request) -> Page:
    """List the entries whose label, code or id has the TEXT in it, newest first."""
    text = request.operand.casefold()
    if text or "--all" in request.options:
        every = [entry for entry in entries(place) if _has(entry, text)]
        found: Sequence[Line] = [line_of(entry) for entry in every]
        shown = every if "--all" in request.options else every[:_SHOWN]
    else:
        found = place.store.lines()
        shown = newest(place, found, _SHOWN)
    items = mapped(place, text)
    if items and not shown:
        return Page([_items(place, items)])
    if not shown:
        having = f" with {request.operand!r} in it" if text else ""
        return Page([Text(f"no entry{having} in {place.store.root}")])
    columns = [Column("entry"), *(Column(name, number=True) for name in ("made", "size", "took", "hits"))]
    table = Table([*columns, Column("id", code=True)], _rows(place, shown), bend=0)
    return Page([table, Text(_count(place, found, shown)), *([_items(place, items)] if items else [])])


def _items(place: Place, found: Sequence[Mapped]) -> Table:
    """List the functions whose items are kept apart."""
    known, now = place.uses(), clock.time()
    heads = ("last made", "size", "took", "items", "files", "calls")
    rows = [
        [
            cut(one.label, _NAME),
            age(now - one.created),
            size(one.size),
            duration(one.seconds),
            f"{one.items:,}",
            f"{one.segments:,}",
            f"{known[one.name].hits if one.name in known else 0:,}",
            one.name[:ID],
        ]
        for one in found
    ]
    columns = [Column("items of"), *(Column(name, number=True) for name in heads), Column("id", code=True)]
    return Table(columns, rows, bend=0)


def _has(entry: Manifest, text: str) -> bool:
    return text in entry.label.casefold() or text in entry.source.casefold() or entry.entry.startswith(text)


def _rows(place: Place, shown: Sequence[Manifest]) -> list[list[str]]:
    known, now = place.uses({entry.entry for entry in shown}), clock.time()
    return [
        [
            cut(entry.label or first_line(entry.source), _NAME),
            age(now - entry.created),
            size(entry.payload.size if entry.payload else 0),
            duration(entry.seconds),
            str(use_of(entry, known).hits),
            entry.entry[:ID],
        ]
        for entry in shown
    ]


def _count(place: Place, found: Sequence[Line], shown: Sequence[Manifest]) -> str:
    entries = "1 entry" if len(found) == 1 else f"{len(found)} entries"
    held = size(sum(line.size for line in found))
    more = len(found) - len(shown)
    rest = f"; {place.command} ls --all shows {more} more" if more else ""
    return f"{entries}, {held}, in {place.store.root}{rest}"


def savings(place: Place, request: Request) -> Page:
    """Sum up the ledger: today, the last seven days, in total."""
    del request
    records, now = list(place.ledger.read()), clock.time()
    per_hour, source = price(place.settings)
    spans = {"today": midnight(now), "last 7 days": now - _WEEK, "in total": None}
    heads = ["hits", "misses", "bypasses", "time saved", *(["money saved"] if per_hour else [])]
    columns = [Column(), *(Column(name, number=True) for name in heads)]
    rows = [_sums(name, totals(records, since), per_hour) for name, since in spans.items()]
    return Page([Table(columns, rows), *([Text(source)] if source else [])])


def midnight(now: float) -> float:
    """Return the moment that today began, where the kernel is; moments are in seconds since the epoch."""
    today = datetime.datetime.fromtimestamp(now).astimezone()
    return today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _sums(name: str, total: Totals, price: float | None) -> list[str]:
    saved = duration(total.seconds_saved) if total.hits else "—"
    money = cost.dollars(total.seconds_saved, price)
    row = [name, f"{total.hits:,}", f"{total.misses:,}", f"{total.bypasses:,}", saved]
    return row if money is None else [*row, f"${money:,.2f}"]


def price(settings: LeanMagic) -> tuple[float | None, str]:
    """Return dollars an hour, and a sentence on where they come from: the user's own, else a list price."""
    if settings.price_per_hour:
        return settings.price_per_hour, f"at ${settings.price_per_hour:g} an hour"
    gpu = cost.this_gpu()
    listed = cost.per_hour(gpu)
    if listed is None:
        return None, ""
    remedy = "`%config LeanMagic.price_per_hour = …` sets your own"
    return listed, f"at ${listed:g} an hour, a list price of this kernel's {gpu}; {remedy}"


def config(place: Place, request: Request) -> Page:
    """List the settings in force, each with where it comes from."""
    del request
    settings = place.settings
    rows = [(name, str(value), _source(settings, name)) for name, value in settings.as_rows().items()]
    columns = [Column("setting", code=True), Column("value"), Column("from")]
    how = (
        "`c.LeanMagic.max_size = '20G'` in ipython_config.py sets one for all kernels; variables win over it"
    )
    return Page([Table(columns, rows), Text(how)])


def _source(settings: Any, name: str) -> str:
    variable = f"LEAN_MAGIC_{name.upper()}"
    if name in _VARIABLES and os.environ.get(variable):
        return variable
    if name in settings.config.get("LeanMagic", {}):
        return f"c.LeanMagic.{name}"
    if settings.has_trait(name) and getattr(settings, name) != settings.trait_defaults(name):
        return "this session"
    return "default"
