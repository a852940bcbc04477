"""Generate notebooks from phrases, and edit them as a user might between two runs."""

import re
import textwrap
from dataclasses import dataclass, field, replace

import phrases
from comparing import CACHED, Notebook

NAMES = {
    "I": ["i", "j", "k"], "S": ["s", "r"], "L": ["a", "b", "c"], "N": ["n", "m"], "D": ["d", "e"], "U": ["u"],
    "A": ["x", "y", "z"], "T": ["t", "w"], "O": ["o", "p"], "C": ["C", "K"], "F": ["f", "g", "h"], "H": ["fs"],
    "R": ["rng", "gen"], "M": ["memo"], "P": ["'a.txt'", "'b.txt'"],
}  # fmt: skip
TEXTS = ["'a'", "'b'", "'data.txt'", "'zz'"]
_GAP = re.compile(r"<(=?[A-Z]|[ks*])>")


WEIGHTED = [number for number, (_, weight) in enumerate(phrases.GROUPS) for _ in range(weight)]


@dataclass(frozen=True)
class Said:
    """One statement: texts in turn with what fills the gaps; a gap's filling may be changed."""

    pieces: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def text(self):
        """The statement as typed."""
        return "".join(self.pieces)

    def changed(self, place, value):
        """Give the same statement with another filling."""
        return replace(self, pieces=(*self.pieces[:place], value, *self.pieces[place + 1 :]))


@dataclass(frozen=True)
class Typed:
    """One cell."""

    said: tuple[Said, ...]
    cached: bool = True

    @property
    def text(self):
        """The cell as typed."""
        body = "\n".join(one.text for one in self.said) + "\n"
        return CACHED + body if self.cached else body


@dataclass(frozen=True)
class Program:
    """A notebook that can still be edited."""

    cells: tuple[Typed, ...]
    files: dict[str, str] = field(default_factory=lambda: dict(phrases.FILES_AT_START))

    @property
    def notebook(self):
        """The notebook that this is."""
        return Notebook(tuple(cell.text for cell in self.cells), tuple(self.files.items()))


class Author:
    """Writes a program; `choose(n)` gives a number below n."""

    def __init__(self, choose):
        self.choose = choose
        self.bound = {kind: [] for kind in NAMES}

    def pick(self, options):
        """Choose one of several."""
        return options[self.choose(len(options))]

    def program(self):
        """Write a notebook of a few cells."""
        return Program(tuple(self.cell() for _ in range(2 + self.choose(3))))

    def cell(self):
        """Write a cell of a few statements."""
        said = [one for _ in range(1 + self.choose(3)) for one in self.statement()]
        if self.choose(3) == 0:
            said += self.say(self.pick(phrases.LAST))
        return Typed(tuple(said), cached=self.choose(6) != 0)

    def statement(self):
        """Write a statement, and before it what it needs."""
        return self.say(self.pick(phrases.GROUPS[self.pick(WEIGHTED)][0]))

    def meddling(self):
        """Write a cell that is not cached and changes something."""
        return Typed(tuple(self.say(self.pick(phrases.MEDDLING))), cached=False)

    def say(self, phrase):
        """Fill the gaps of a phrase; gives the statements that make what is missing, and itself."""
        split = _GAP.split(phrase)
        gaps = [piece if position % 2 else "" for position, piece in enumerate(split)]
        before: list[Said] = []
        # What is read is bound before; what the phrase itself binds is not there yet.
        for position in sorted(range(1, len(split), 2), key=lambda position: split[position][0] == "="):
            needed, split[position] = self.fill(split[position], phrase)
            before += needed
        return [*before, Said(tuple(split), tuple(gaps))]

    def fill(self, gap, phrase):
        """Fill one gap."""
        if gap == "k":
            return [], str(self.choose(6))
        if gap == "s":
            return [], self.pick(TEXTS)
        if gap == "*":
            return self.inner(phrase)
        if gap.startswith("="):
            return [], self.bind(gap[1])
        return self.need(gap)

    def inner(self, phrase):
        """Fill in another phrase, indented as the gap is."""
        *before, last = self.say(self.pick(phrases.GROUPS[self.pick(WEIGHTED)][0]))
        text = "pass" if "<*>" in last.text or last.text == phrase else last.text
        return before, textwrap.indent(text, "    ").lstrip()

    def bind(self, kind):
        """Choose a name to be bound."""
        name = self.pick(NAMES[kind])
        if name not in self.bound[kind]:
            self.bound[kind].append(name)
        return name

    def need(self, kind):
        """Choose a name that is bound, or make one."""
        if self.bound[kind] and self.choose(20):
            return [], self.pick(self.bound[kind])
        made = self.say(phrases.MAKERS[kind])
        return made, self.bound[kind][-1]


class Editor:
    """Edits a program as a user might."""

    def __init__(self, author):
        self.author = author
        self.choose = author.choose

    def edit(self, program):
        """Make one or two edits."""
        for _ in range(1 + (self.choose(4) == 0)):
            way = self.author.pick(
                [
                    self.constant, self.constant, self.constant, self.name, self.file, self.file, self.swap, self.skip,
                    self.twice, self.meddle, self.meddle, self.drop, self.add, self.toggle, self.swap_in_cell,
                ]
            )  # fmt: skip
            program = way(program)
        return program

    def _cell(self, program):
        return self.choose(len(program.cells))

    def _with(self, program, place, cell):
        return replace(program, cells=(*program.cells[:place], cell, *program.cells[place + 1 :]))

    def constant(self, program):
        """Change a number or a text somewhere."""
        return self._refill(program, "ks")

    def name(self, program):
        """Change which name is read or bound somewhere."""
        return self._refill(program, "".join(NAMES))

    def _refill(self, program, kinds):
        places = [
            (number, position, gap)
            for number, cell in enumerate(program.cells)
            for position, said in enumerate(cell.said)
            for gap, kind in enumerate(said.gaps)
            if kind and kind[-1] in kinds
        ]
        if not places:
            return program
        number, position, gap = self.author.pick(places)
        cell = program.cells[number]
        kind = cell.said[position].gaps[gap][-1]
        options = NAMES.get(kind) or (TEXTS if kind == "s" else [str(value) for value in range(7)])
        said = cell.said[position].changed(gap, self.author.pick(options))
        return self._with(
            program, number, replace(cell, said=(*cell.said[:position], said, *cell.said[position + 1 :]))
        )

    def file(self, program):
        """Change a file beside the notebook."""
        name = self.author.pick(list(phrases.EDITS_OF_FILES))
        change = self.author.pick(phrases.EDITS_OF_FILES[name])
        before = program.files[name]
        after = before.replace(*change) if isinstance(change, tuple) else change
        return replace(program, files={**program.files, name: after})

    def swap(self, program):
        """Swap two cells."""
        cells = list(program.cells)
        one, other = self._cell(program), self._cell(program)
        cells[one], cells[other] = cells[other], cells[one]
        return replace(program, cells=tuple(cells))

    def swap_in_cell(self, program):
        """Turn the order of a cell's statements round."""
        place = self._cell(program)
        cell = program.cells[place]
        return self._with(program, place, replace(cell, said=cell.said[::-1]))

    def skip(self, program):
        """Leave a cell out."""
        place = self._cell(program)
        kept = program.cells[:place] + program.cells[place + 1 :]
        return replace(program, cells=kept) if kept else program

    def twice(self, program):
        """Run a cell twice, at once or at the end."""
        place = self._cell(program)
        later = place if self.choose(2) else len(program.cells)
        return replace(program, cells=(*program.cells[:later], program.cells[place], *program.cells[later:]))

    def meddle(self, program):
        """Put a cell in that changes something, and is not cached."""
        place = self._cell(program) + self.choose(2)
        return replace(
            program, cells=(*program.cells[:place], self.author.meddling(), *program.cells[place:])
        )

    def drop(self, program):
        """Leave a statement out."""
        place = self._cell(program)
        cell = program.cells[place]
        gone = self.choose(len(cell.said))
        said = cell.said[:gone] + cell.said[gone + 1 :]
        return self._with(program, place, replace(cell, said=said or (Said(("pass",), ("",)),)))

    def add(self, program):
        """Put a statement in."""
        place = self._cell(program)
        cell = program.cells[place]
        where = self.choose(len(cell.said) + 1)
        said = (*cell.said[:where], *self.author.statement(), *cell.said[where:])
        return self._with(program, place, replace(cell, said=said))

    def toggle(self, program):
        """Put `%%cached` on a cell, or take it off."""
        place = self._cell(program)
        cell = program.cells[place]
        return self._with(program, place, replace(cell, cached=not cell.cached))
