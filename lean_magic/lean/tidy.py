"""The verbs that may delete: check, prune, clear. Each says what went, and what remains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lean_magic import clock
from lean_magic.errors import UsageError
from lean_magic.lean.page import Page, Points, Text
from lean_magic.lean.place import ID, called, entries, mapped
from lean_magic.progress import progress
from lean_magic.settings import parse_size
from lean_magic.store.eviction import ITEMS, candidates, carry_out, plan
from lean_magic.store.segments import Segments
from lean_magic.words import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lean_magic.lean.place import Mapped, Place
    from lean_magic.lean.request import Request
    from lean_magic.store import Manifest

__all__ = ["check", "clear", "prune"]


def check(place: Place, request: Request) -> Page:
    """Read every byte; say what is wrong, and with --fix remove what cannot be used."""
    fix = "--fix" in request.options
    findings = place.store.check(fix=fix)
    if not findings:
        return Page([Text(f"nothing is wrong with {_many(len(entries(place)))} in {place.store.root}")])
    what = "1 thing was wrong" if len(findings) == 1 else f"{len(findings)} things were wrong"
    remedy = "" if fix else f"; {place.command} check --fix removes what cannot be used"
    return Page([Text(f"{what} in {place.store.root}{remedy}"), Points(findings)], ok=fix)


def prune(place: Place, request: Request) -> Page:
    """Delete what is worth least until the folder fits its budget."""
    budget = _budget(place, request.options.get("--max-size"))
    pinned = getattr(place.settings, "pinned", ())
    planned = plan(candidates(place.store, place.uses(), pinned), budget, clock.time())
    with progress("deleting", place.settings.progress_after) as show:
        gone = carry_out(place.store, planned, show)
    now = f"{place.store.root} holds {size(place.store.size())} of {size(budget)}"
    if not gone:
        return Page([Text(f"nothing to prune: {now}")])
    files = sum(entry.family == ITEMS for entry in gone)
    said = [_many(len(gone) - files)] if len(gone) > files else []
    said += ["1 file of items" if files == 1 else f"{files:,} files of items"] if files else []
    return Page([Text(f"deleted {' and '.join(said)}, {size(sum(entry.size for entry in gone))}; {now}")])


def _budget(place: Place, given: str | None) -> int:
    try:
        return parse_size(given) if given else place.settings.budget
    except UsageError as error:
        where = "--max-size: " if given else ""
        raise UsageError(f"{place.command} prune: {where}{error}") from None


def clear(place: Place, request: Request) -> Page:
    """Delete all entries, once --yes is given, or those of a label."""
    name = request.operand  # fewer digits than an id shows may be a label that was mistyped
    items = [one for one in mapped(place) if not name or one.label == name or _begins(one.name, name)]
    chosen = (
        called(place, name, ID) if name and not items else entries(place) if not name else _named(place, name)
    )
    what = f"{_what(chosen, items)}{f' of `{name}`' if name else ''}, {_held(chosen, items)}, in {place.store.root}"
    if not name and (chosen or items) and "--yes" not in request.options:
        return Page([Text(f"this would delete {what}; to do so: `{place.command} clear --yes`")], ok=False)
    _delete(place, chosen)
    for one in items:
        Segments(place.store.root, one.name).clear()
    rest = "" if name else _rest(place)
    return Page(
        [Text((f"deleted {what}" if chosen or items else f"nothing to delete in {place.store.root}") + rest)]
    )


def _rest(place: Place) -> str:
    """Remove what is no entry any more: damaged files, and those that crashes left; say what has to stay."""
    place.store.check(fix=True)
    left = place.store.size()
    return f"; {size(left)} stay: of another version of lean_magic, or being written now" if left else ""


def _delete(place: Place, chosen: Sequence[Manifest]) -> None:
    total, done = sum(map(_bytes, chosen)), 0
    with progress("deleting", place.settings.progress_after) as show:
        for entry in chosen:
            place.store.delete(entry)
            done += _bytes(entry)
            show(done, total)


def _bytes(entry: Manifest) -> int:
    return entry.payload.size if entry.payload else 0


def _held(chosen: Sequence[Manifest], items: Sequence[Mapped]) -> str:
    return size(sum(map(_bytes, chosen)) + sum(one.size for one in items))


def _begins(name: str, digits: str) -> bool:
    return len(digits) >= ID and name.startswith(digits.lower())


def _named(place: Place, name: str) -> list[Manifest]:
    return [entry for entry in entries(place) if entry.label == name]


def _what(chosen: Sequence[Manifest], items: Sequence[Mapped]) -> str:
    """Say how many entries, and how many items that are kept apart."""
    if not items:
        return _many(len(chosen))
    said = f"{sum(one.items for one in items):,} items"
    return f"{_many(len(chosen))} and {said}" if chosen else said


def _many(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"
