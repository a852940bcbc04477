"""Run a notebook in two fresh kernels that share one cache, show what each cell cost, and check the promises.

    python run_twice.py                    the demo: everything twice, then two changes that must recompute
    python run_twice.py --keep DIR         with a cache folder that stays
    python run_twice.py --texts 300        with fewer texts

The notebook's own cells are run as they are. What is asked of the kernel in between is in `in_kernel.py`, with
a witness that is independent of the cache: Python's own audit of executed code says whether a body ran.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from in_kernel import ARRAYS
from on_screen import progress, table

if TYPE_CHECKING:
    from collections.abc import Generator

    from nbformat import NotebookNode

HERE = Path(__file__).parent
NOTEBOOK = HERE / "01_first_hit.ipynb"
# For the checks that recompute: enough texts to cluster, few enough to embed in seconds.
FEW = 200
FEW_PACKAGES = ["sklearn"]


@dataclass(frozen=True)
class Done:
    """One cell, executed once."""

    label: str
    seconds: float
    outcome: str = ""  # hit, miss or bypass; empty for a plain cell
    ran: bool = True
    why: str = ""
    shown: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """What the table says of it."""
        return {"": "", "hit": "hit", "miss": "run", "bypass": "run, not stored"}[self.outcome]


@dataclass
class Session:
    """A fresh kernel and the notebook that is executed in it."""

    notebook: Path
    cache: Path
    texts: int | None = None
    cells: list[Done] = field(default_factory=list)
    vectors: str = ""  # digest of the first embeddings

    def __enter__(self) -> Self:
        import nbclient
        import nbformat

        self.nb = nbformat.read(self.notebook, as_version=4)
        self.own = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        place = {"metadata": {"path": str(HERE)}}
        quiet = ["--IPKernelApp.log_level=40"]
        self.client = nbclient.NotebookClient(self.nb, timeout=1800, resources=place, extra_arguments=quiet)
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(self.client.setup_kernel(env=environment(self.cache)))
        self.inject("__import__('in_kernel').watch()")
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def inject(self, source: str) -> str:
        """Run code that is not the notebook's, without a trace in its history; what it printed."""
        from nbformat.v4 import new_code_cell

        self.nb.cells.append(new_code_cell(source))
        try:
            cell = self.client.execute_cell(self.nb.cells[-1], len(self.nb.cells) - 1, store_history=False)
        finally:
            del self.nb.cells[-1]
        return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")

    def ask(self, call: str) -> Any:
        """The value of one of the functions of `in_kernel`, there."""
        return json.loads(self.inject(f"print(__import__('json').dumps(__import__('in_kernel').{call}))"))

    def run(self, cell: NotebookNode, note: str = "") -> Done:
        """Execute one of the notebook's cells and say what became of it."""
        label = label_of(cell.source)
        self.inject("__import__('in_kernel').executed.clear()")
        with progress(f"{note}{label}") as clock:
            self.client.execute_cell(cell, self.nb.cells.index(cell))
            seconds = clock()
            asked = self.ask(f"report({cell.source!r})") if is_cached(cell.source) else {}
            done = Done(label, seconds, shown=shown(cell), **asked)
            clock.word = done.word
        return done

    def run_all(self) -> Self:
        """Execute the whole notebook; if fewer texts are asked for, a cell after the parameters says so."""
        for number, cell in enumerate(self.own, 1):
            self.cells.append(self.run(cell, f"  [{number:2}/{len(self.own)}] "))
            if self.texts and "parameters" in cell.metadata.get("tags", []):
                self.inject(f"LIMIT = {self.texts}\nPACKAGES = {FEW_PACKAGES}")
        return self

    def cell(self, label: str) -> NotebookNode:
        """The cached cell of this name."""
        return next(cell for cell in self.own if is_cached(cell.source) and label_of(cell.source) == label)

    def save(self) -> None:
        """Keep the executed notebook, with its outputs, in a folder that git ignores."""
        import nbformat

        target = HERE / ".executed" / self.notebook.name
        target.parent.mkdir(exist_ok=True)
        nbformat.write(self.nb, target)


def environment(cache: Path) -> dict[str, str]:
    """This process's variables, with our cache folder and nothing that would switch the cache off."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LEAN_MAGIC_")}
    return ours | {"LEAN_MAGIC_CACHE_DIR": str(cache)}


def is_cached(source: str) -> bool:
    """Whether a cell asks for the cache."""
    return source.startswith("%%cached")


def shown(cell: NotebookNode) -> tuple[str, ...]:
    """What a reader sees under a cell: text, values, pictures; no status line and no progress bar."""
    kinds = {"stream": "text", "execute_result": "data"}
    plain = [str(out[kinds[out.output_type]]) for out in cell.outputs if out.output_type in kinds]
    pictures = [out.data["image/png"] for out in cell.outputs if "image/png" in out.get("data", {})]
    return (*plain, *pictures)


def label_of(source: str) -> str:
    """The name given to a cached cell, or the first line that says something."""
    words = source.split("\n", 1)[0].split()
    if is_cached(source) and len(words) > 1:
        return words[1]
    lines = [line for line in source.splitlines() if line.strip() and not line.startswith(("#", "%%"))]
    first = lines[0].partition("  #")[0]
    return first if len(first) <= 40 else first[:39] + "…"


@dataclass
class Promises:
    """What was checked, and which sentences turned out false."""

    broken: list[str] = field(default_factory=list)

    def check(self, kept: bool, promise: str, otherwise: str) -> None:
        """Print the promise if it was kept; else what happened instead."""
        print(f"  ✓ {promise}" if kept else f"  ✗ {otherwise}", flush=True)
        if not kept:
            self.broken.append(otherwise)


def check_stored(promises: Promises, first: list[Done]) -> None:
    """The first run computes every cached cell and stores it."""
    lost = [f"{cell.label} ({cell.why})" for cell in first if cell.outcome == "bypass"]
    promises.check(not lost, "the first run stored every cached cell", f"not stored: {'; '.join(lost)}")
    unseen = [cell.label for cell in first if cell.outcome == "miss" and not cell.ran]
    promises.check(
        not unseen, "every body that ran was seen", f"cannot see whether these ran: {', '.join(unseen)}"
    )


def check_hits(promises: Promises, second: list[Done]) -> None:
    """The second run takes every cached cell from the cache and executes none."""
    cached = [cell for cell in second if cell.outcome]
    ran = [f"{cell.label} ({cell.why})" for cell in cached if cell.outcome != "hit"]
    promises.check(
        not ran, f"{len(cached)} of {len(cached)} cached cells were hits", f"no hit: {'; '.join(ran)}"
    )
    again = [cell.label for cell in cached if cell.ran]
    promises.check(not again, "no cached body was executed again", f"executed again: {', '.join(again)}")


def check_outputs(promises: Promises, first: list[Done], second: list[Done]) -> None:
    """Every cached cell shows the same texts, values and pictures both times."""
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if a.outcome]
    other = [a.label for a, b in pairs if a.shown != b.shown]
    promises.check(not other, "text and pictures: the same", f"shown differently: {', '.join(other)}")


def check_arrays(promises: Promises, first: dict[str, str], second: dict[str, str]) -> None:
    """Both runs end with the same arrays, bit for bit."""
    other = [name for name in ARRAYS if name not in first or first[name] != second.get(name)]
    promises.check(not other, f"{', '.join(ARRAYS)}: bit-identical", f"different arrays: {', '.join(other)}")


def check_same_kernel(promises: Promises, session: Session) -> None:
    """In one kernel, after the model was used: the same input hits, changed input runs, changed back hits."""
    expect_hit(promises, session, "run again with a model that has been used")
    with_change = (
        ("one text", "texts[7] += ' And more.'", "texts[7] = texts[7].removesuffix(' And more.')"),
        ("the pooling of the model", "model[1].pooling_mode = 'cls'", "model[1].pooling_mode = 'mean'"),
    )
    for what, change, undo in with_change:
        session.inject(change)
        expect_run(promises, session, what)
        session.inject(undo)
        expect_hit(promises, session, f"{what} changed back")


def expect_hit(promises: Promises, session: Session, when: str) -> None:
    """The embeddings come from the cache, and are the ones of the first time."""
    done = session.run(session.cell("embeddings"), f"  {when}: ")
    same = session.ask("digests()")["embeddings"] == session.vectors
    good = done.outcome == "hit" and not done.ran and same
    promises.check(
        good, f"{when}: a hit, and the same vectors", f"{when}: {done.outcome} ({done.why}), same={same}"
    )


def expect_run(promises: Promises, session: Session, what: str) -> None:
    """The embeddings are computed, and are others."""
    done = session.run(session.cell("embeddings"), f"  {what} changed: ")
    other = session.ask("digests()")["embeddings"] != session.vectors
    good = done.outcome == "miss" and done.ran and other
    told = f"{what} changed: computed again ({done.why})"
    promises.check(good, told, f"{what} changed, but the outcome was {done.outcome}, new vectors={other}")


def run_twice(notebook: Path, cache: Path, texts: int | None = None) -> Promises:
    """The notebook in two fresh kernels, the table, and what must be true of them."""
    runs, arrays = [], []
    size = f", with {texts} texts" if texts else ""
    for which in ("First", "Second"):
        print(f"\n{which} run, in a fresh kernel{size}", flush=True)
        with Session(notebook, cache, texts) as session:
            runs.append(session.run_all().cells)
            arrays.append(session.ask("digests()"))
            if texts is None:  # the executed notebook is worth a look only if it is the whole one
                session.save()
    print(f"\n{table(*runs)}\n")
    promises = Promises()
    check_stored(promises, runs[0])
    check_hits(promises, runs[1])
    check_arrays(promises, *arrays)
    check_outputs(promises, *runs)
    return promises


def run_changed(notebook: Path, cache: Path, texts: int = FEW) -> Promises:
    """One kernel in which the model, a text and the pooling are used and changed."""
    print(f"\nChanges, in a third kernel, with {texts} texts", flush=True)
    promises = Promises()
    with Session(notebook, cache, texts) as session:
        session.run_all()
        session.vectors = session.ask("digests()")["embeddings"]
        check_same_kernel(promises, session)
    return promises


@contextlib.contextmanager
def cache_folder(keep: Path | None) -> Generator[Path]:
    """The folder asked for, or one that is gone afterwards."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield keep.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="lean-magic-demo-") as folder:
            yield Path(folder)


def demo(notebook: Path, keep: Path | None, texts: int | None) -> list[str]:
    """Everything; the sentences that turned out false."""
    with cache_folder(keep) as cache:
        broken = run_twice(notebook, cache, texts).broken
    with cache_folder(None) as cache:  # always a fresh one: what is changed must not have been seen before
        return broken + run_changed(notebook, cache, min(texts or FEW, FEW)).broken


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--notebook", type=Path, default=NOTEBOOK)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="use this cache folder and keep it")
    parser.add_argument("--texts", type=int, metavar="N", help="embed only so many texts")
    chosen = parser.parse_args()
    if not chosen.notebook.is_file():
        parser.error(f"there is no notebook at {chosen.notebook}")
    return chosen


def main() -> int:
    """Run the demo; 0 if every promise was kept."""
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    chosen = options()
    try:
        broken = demo(chosen.notebook.resolve(), chosen.keep, chosen.texts)
    except (CellExecutionError, DeadKernelError) as error:
        broken = [f"the notebook stopped: {error}"]
    print("\nEvery promise was kept." if not broken else "\nBroken: " + "\nBroken: ".join(broken), flush=True)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
