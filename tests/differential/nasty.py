"""Read the notebooks that were written by hand, and make variants of each.

A file holds notebooks, each begun by `=== name`. Lines `@@ file` begin a file beside the notebook; where
nothing follows it is that of its name in `nasty/`, if there is one. What lies in `site-packages/` counts as installed. `# %%` cuts cells, `# plain` says
that the cell after it is not cached (the first cell never is), and `~~ old ~> new` at the end is an edit of the text:
of all cells, or, with `~~ file: old ~> new`, of a file.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from comparing import CACHED, Notebook

FOLDER = Path(__file__).parent / "nasty"


@dataclass(frozen=True)
class Sheet:
    """One notebook as written: cells, which of them may be cached, files and edits."""

    name: str
    cells: tuple[str, ...]
    cached: tuple[bool, ...]
    files: tuple[tuple[str, str], ...]
    edits: tuple[tuple[str, str, str], ...]

    def notebook(self, chosen):
        """Make the notebook in which the cells that `chosen` takes (by number) are cached."""
        marked = (
            CACHED + text if may and chosen(number) else text
            for number, (text, may) in enumerate(zip(self.cells, self.cached, strict=True))
        )
        return Notebook(tuple(marked), self.files)

    def variants(self):
        """Give (what it is, notebook, edited ones): every second cell cached, then all, with each edit."""
        yield "odd cells cached", self.notebook(lambda number: number % 2 == 1), []
        yield "even cells cached", self.notebook(lambda number: number % 2 == 0), []
        edited = [self.edited(edit).notebook(lambda _: True) for edit in self.edits]
        yield f"all cached, edits {self.edits}", self.notebook(lambda _: True), edited

    def edited(self, edit):
        """Make the sheet after an edit."""
        where, old, new = edit
        if where:
            files = tuple(
                (name, text.replace(old, new) if name == where else text) for name, text in self.files
            )
            return replace(self, files=files)
        return replace(self, cells=tuple(cell.replace(old, new) for cell in self.cells))


def sheets(*names):
    """Give all notebooks of the named files, or of all."""
    paths = sorted(FOLDER.glob("*.txt"))
    return [
        sheet
        for path in paths
        if not names or path.stem in names
        for sheet in map(_sheet, re.split(r"^=== ", path.read_text("utf-8"), flags=re.MULTILINE)[1:])
    ]


def _sheet(text):
    title, _, body = text.partition("\n")
    edits = re.findall(r"^~~ (?:(\S+): )?(.*?) ~> (.*)$", body, flags=re.MULTILINE)
    body = re.sub(r"^~~ .*\n?", "", body, flags=re.MULTILINE)
    head, *blocks = re.split(r"^@@ ", body, flags=re.MULTILINE)
    files = []
    for block in blocks:
        name, _, content = block.partition("\n")
        content, cut, rest = content.partition("# %%\n")
        lies = FOLDER / Path(name.strip()).name
        content = lies.read_text("utf-8") if not content.strip() and lies.exists() else content
        files.append((name.strip(), content))
        head += cut + rest
    cells, cached = _cells(head)
    assert all(any(old in part for part in [*cells, *(text for _, text in files)]) for _, old, _ in edits), (
        title
    )
    return Sheet(title.strip(), tuple(cells), tuple(cached), tuple(files), tuple(edits))


def _cells(text):
    cells, cached, plain = [], [], True
    for part in re.split(r"^# %%\n", text, flags=re.MULTILINE):
        bare = re.sub(r"^# plain\n", "", part, flags=re.MULTILINE).strip("\n")
        if bare:
            cells.append(bare + "\n")
            cached.append(not plain)
        plain = "# plain\n" in part
    return cells, cached
