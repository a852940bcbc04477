"""`%lean why`: why the last cached cell ran, or whether a cell would hit now. Nothing runs to find out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lean_magic import clock
from lean_magic.errors import LeanMagicError, UsageError
from lean_magic.interception import split_magic
from lean_magic.lean.page import Page, Points, Text
from lean_magic.lean.place import ID, entries
from lean_magic.lean.request import nearest
from lean_magic.ledger import Record
from lean_magic.options import Options, parse_options
from lean_magic.outcome import Bypass, Hit, Miss
from lean_magic.runner import Cell
from lean_magic.words import age, duration, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lean_magic.lean.place import Place
    from lean_magic.lean.request import Request
    from lean_magic.runner import Plan, Runner
    from lean_magic.store import Manifest

__all__ = ["last", "why"]

_DEPENDS = "--depends "
_LOOKED_AT = 200  # lines of the ledger


def why(runner: Runner, place: Place, request: Request) -> Page:
    """Answer for the last cached cell, or for the cell with a label as it would run now."""
    if not request.operand:
        return last(runner.last)
    name = request.operand
    cell = _ran_here(runner.shell, name)
    if cell is not None:
        return _page(f"`{name}`", _plan(runner, cell), place)
    entry = _stored(place, name)
    cell = _parsed(runner.shell, entry.source, _options_of(entry, name), entry.cell_id)
    return _page(f"`{name}` as stored (it has not run in this kernel)", _plan(runner, cell), place)


# -- the last cell ---------------------------------------------------------------


def last(outcome: Hit | Miss | Bypass | None) -> Page:
    """Say how the last cached cell ended, and why."""
    if outcome is None:
        return Page([Text("no cached cell has run in this kernel yet")])
    name = f"`{outcome.label}`" if outcome.label else "the last cached cell"
    if isinstance(outcome, Hit):
        return Page([Text(f"{name} was a hit: {outcome.line.removeprefix('✓ cached · ')}")])
    if isinstance(outcome, Bypass):
        return _because(f"{name} ran {duration(outcome.seconds)} and was not cached", [outcome.reason])
    return _because(f"{name} ran {duration(outcome.seconds)} and was stored", outcome.reasons)


def _because(what: str, reasons: Sequence[str]) -> Page:
    if len(reasons) == 1:
        return Page([Text(f"{what}: {reasons[0]}")])
    return Page([Text(f"{what}:"), Points(reasons)])


# -- a cell as it would run now ----------------------------------------------------


def _plan(runner: Runner, cell: Cell) -> Plan | Bypass | None:
    try:
        return runner.plan(cell)
    except UsageError:
        raise
    except LeanMagicError as error:
        return Bypass(" ".join(str(error).split()))


def _page(name: str, found: Plan | Bypass | None, place: Place) -> Page:
    if found is None:
        return Page([Text(f"{name} does not compile")])
    if isinstance(found, Bypass):
        return _because(f"{name} would just run", [found.reason])
    if found.entry is None:
        page, before = _because(f"{name} would miss", found.reasons), _bypassed(place, found.key.family)
        return Page([*page.blocks, Text(f"its last run was not cached: {before}")]) if before else page
    entry, held = found.entry, size(found.entry.payload.size if found.entry.payload else 0)
    made = age(clock.time() - entry.created)
    return Page([Text(f"{name} would hit: made {made} in {duration(entry.seconds)}, {held}")])


def _bypassed(place: Place, family: str) -> str:
    """Return why the last run of this code was not cached; "" if it was."""
    for line in reversed(list(place.ledger.read(last=_LOOKED_AT))):
        record = Record.from_json(line)
        if record.family == family:
            return "; ".join(record.reasons) if record.outcome == "bypass" else ""
    return ""


def _ran_here(shell: Any, name: str) -> Cell | None:
    """Find the latest text that the cell with this label had in this kernel."""
    for raw in reversed(shell.history_manager.input_hist_raw):
        found = split_magic(raw)
        options = _options(found[0]) if found else None
        if found and options and options.label == name:
            return _parsed(shell, found[1], options, "")
    return None


def _options(line: str) -> Options | None:
    try:
        return parse_options(line)
    except UsageError:
        return None


def _options_of(entry: Manifest, name: str) -> Options:
    """Return the options an entry was made with, as far as its parts tell."""
    depends = tuple(part.removeprefix(_DEPENDS) for part in entry.parts if part.startswith(_DEPENDS))
    return Options(label=name, depends=depends)


def _stored(place: Place, name: str) -> Manifest:
    """Return the newest entry that was made, or hit, under this label, or that has this id."""
    every = entries(place)
    labels = {entry.entry: {entry.label} for entry in every}
    for line in place.ledger.read():
        labels.setdefault(str(line.get("entry")), set()).add(str(line.get("label", "")))
    for entry in every:
        if name in labels[entry.entry] or (len(name) >= ID and entry.entry.startswith(name)):
            return entry
    near = nearest(name, sorted(set().union(*labels.values()) - {"", name}))
    hint = f"did you mean {near}?" if near else "NAME is what follows `%%cached` on its line"
    raise UsageError(f"{place.command} why: no cell {name!r} has run in this kernel or is stored; {hint}")


def _parsed(shell: Any, body: str, options: Options, cell_id: str) -> Cell:
    """Parse a cell as the shell does before it runs one."""
    text = shell.transform_cell(body)
    try:
        tree = shell.transform_ast(shell.compile.ast_parse(text, filename="<why>"))
    except SyntaxError as error:
        words = f"{error.msg} in line {error.lineno}"
        raise UsageError(f"%lean why: the cell does not compile: {words}") from None
    return Cell(
        nodes=tree.body,
        source=body,
        options=options,
        cell_id=cell_id,
        quiet=shell.displayhook.semicolon_at_end_of_expression(text),
        interactivity=shell.ast_node_interactivity,
    )
