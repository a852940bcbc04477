"""Make a failing pair of programs as small as it can be while it still fails in the same way."""

import re
import time
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Case:
    """A program, and what it is edited into, if it is."""

    first: object
    edited: object = None

    def shown(self):
        """Give both as text."""
        text = self.first.notebook.shown()
        if self.edited is None:
            return text
        return f"{text}\n\n# ---- edited ----\n{self.edited.notebook.shown()}"

    def judged(self, oracle, *, thorough=True):
        """Ask the oracle."""
        edits = [] if self.edited is None else [self.edited.notebook]
        return oracle.judge(self.first.notebook, *edits, thorough=thorough)

    def faults(self, oracle):
        """Ask the oracle what goes wrong."""
        return self.judged(oracle).faults

    def mapped(self, change):
        """Apply a change to both programs."""
        return Case(change(self.first), self.edited and change(self.edited))


def signature(faults):
    """Name what goes wrong, without the names and numbers that differ from program to program."""
    if not faults:
        return ""
    run, _, rest = faults[0].partition(": ")
    what = rest.partition(": wanted")[0]
    return (
        re.sub(r"\d+", "N", "back" if run.startswith(("second", "back")) else run)
        + " "
        + re.sub(r"\d+", "N", what)
    )


def shrink(case, oracle, tries=300, seconds=60.0):
    """Leave out whatever can be left out, as far as tries and time reach."""
    wanted, until = signature(case.faults(oracle)), time.monotonic() + seconds
    if not wanted:
        return case
    for _ in range(3):
        before = case
        for candidate in _candidates(case):
            smaller = candidate(case)
            tries -= 1
            if smaller is None or smaller == case or tries < 0 or time.monotonic() > until:
                continue
            if signature(smaller.faults(oracle)) == wanted:
                case = smaller
        if case == before:
            return case
    return case


def _candidates(case):
    """Give functions that make a case smaller, the boldest first."""
    yield lambda now: Case(now.first)
    yield lambda now: now.edited and Case(now.edited)
    programs = [program for program in (case.first, case.edited) if program is not None]
    cells = list(dict.fromkeys(cell for program in programs for cell in program.cells))
    for cell in cells:
        yield lambda now, cell=cell: now.mapped(lambda program: _without_cell(program, cell))
    texts = list(dict.fromkeys(said.text for cell in cells for said in cell.said))
    for text in texts[::-1]:
        yield lambda now, text=text: now.mapped(lambda program: _without_text(program, text))
    for cell in cells:
        yield lambda now, cell=cell: now.mapped(lambda program: _uncached(program, cell))
    for name in list(case.first.files):
        yield lambda now, name=name: now.mapped(lambda program: _without_file(program, name))


def _without_cell(program, gone):
    cells = tuple(cell for cell in program.cells if cell != gone)
    return replace(program, cells=cells) if cells else program


def _without_text(program, text):
    cells = (
        replace(cell, said=tuple(one for one in cell.said if one.text != text)) for cell in program.cells
    )
    kept = tuple(cell for cell in cells if cell.said)
    return replace(program, cells=kept) if kept else program


def _uncached(program, which):
    cells = tuple(replace(cell, cached=cell.cached and cell != which) for cell in program.cells)
    return replace(program, cells=cells)


def _without_file(program, name):
    return replace(program, files={key: text for key, text in program.files.items() if key != name})
