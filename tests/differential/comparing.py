"""Run a notebook plainly and cached, before and after an edit, and say where the two can be told apart."""

import itertools
import shutil
from dataclasses import dataclass, field

CACHED = "%%cached\n"
# Where these are raised is a matter of the frames below, and of what else the process holds.
_DEPENDS = {"RecursionError", "MemoryError"}


@dataclass(frozen=True)
class Notebook:
    """Cells as a user types them, and the files that lie beside them at the start."""

    cells: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()

    def shown(self):
        """Give the notebook as text, cells cut at `# %%`."""
        files = [f"# file {name}: {content!r}" for name, content in self.files]
        return "\n".join([*files, *("# %%\n" + cell.rstrip("\n") for cell in self.cells)])


@dataclass
class Verdict:
    """What a comparison found: `faults` are sentences, worst first; the rest are counts of cells."""

    faults: list[str] = field(default_factory=list)
    unstable: bool = False
    cached: int = 0
    filled: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    needless: list[str] = field(default_factory=list)
    bypasses: list[str] = field(default_factory=list)


class Oracle:
    """Compares notebooks with the help of two workers; `home` is a folder of its own."""

    def __init__(self, workers, home):
        self.workers = workers
        self.home = home

    def judge(self, first, edited=None, *, thorough=True):
        """Run `first` plainly, to fill the cache, and again; `edited`; and `first` once more.

        Unless `thorough`, an edited notebook is not run unedited a second time.
        """
        shutil.rmtree(self.home / "cache", ignore_errors=True)
        runs = self._runs(first, edited, thorough)
        broken = {name: f"{name}: {run['broken']}" for name, run in runs.items() if "broken" in run}
        if broken:
            # A program that has no end even uncached says nothing.
            endless = any(name.startswith("plain") for name in broken)
            return Verdict(unstable=True) if endless else Verdict([*broken.values()])
        verdict = Verdict()
        for name in [name for name in runs if not name.startswith("plain")]:
            wanted = runs["plain edited" if name == "edited" else "plain"]
            verdict.faults += [f"{name}: {fault}" for fault in differences(wanted, runs[name])]
        if verdict.faults and not self._is_stable(first, edited):
            verdict.faults, verdict.unstable = [], True
        _count(verdict, runs)
        return verdict

    def _runs(self, first, edited, thorough):
        one, other = self.workers.lean
        plain = self.workers.plain[0]
        found = self._both(("fill", one, first), ("plain", plain, first))
        if edited is None:
            return found | self._both(("second", other, first))
        if not thorough:
            return found | self._both(("edited", other, edited), ("plain edited", plain, edited))
        found |= self._both(("second", other, first), ("plain edited", plain, edited))
        found |= self._both(("edited", one, edited))
        return found | self._both(("back", other, first))

    def _both(self, *orders):
        for name, worker, notebook in orders:
            plain = name.startswith("plain")
            folder = lay_out(self.home / ("plain" if plain else "cached"), notebook.files)
            worker.start(list(notebook.cells), folder, "" if plain else self.home / "cache")
        return {name: worker.finish() for name, worker, _ in orders}

    def _is_stable(self, *notebooks):
        """Whether the notebooks, run plainly, are the same with both hash seeds."""
        for notebook in filter(None, notebooks):
            runs = []
            for worker in self.workers.plain:
                worker.start(list(notebook.cells), lay_out(self.home / "plain", notebook.files))
                runs.append(worker.finish())
            if "broken" in runs[0] or "broken" in runs[1] or any(differences(*runs)):
                return False
        return True


def lay_out(folder, files):
    """Make a folder hold exactly these files."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "__pycache__").mkdir(parents=True)
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return folder


def differences(wanted, found):
    """Say where two runs of a notebook can be told apart."""
    if any(cell["error"] and cell["error"][0] in _DEPENDS for cell in wanted["cells"]):
        return
    for number, (one, other) in enumerate(zip(wanted["cells"], found["cells"], strict=True)):
        if "lean_magic failed" in other["line"]:
            yield f"cell {number}: {other['line']}"
        for what in ("error", "events"):
            if one[what] != other[what]:
                yield f"cell {number} [{other['kind']}] {what}: wanted {one[what]!r}, found {other[what]!r}"
    for kind in sorted({*wanted["left"], *found["left"]}, key=lambda kind: kind == "order"):
        one, other = wanted["left"].get(kind, {}), found["left"].get(kind, {})
        if one != other:
            yield from _parts(kind, one, other)


def _parts(kind, one, other):
    if not isinstance(one, dict) or not isinstance(other, dict):
        yield f"{kind}: wanted {one!r}, found {other!r}"
        return
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            yield f"{kind} {name}: wanted {one.get(name)!r}, found {other.get(name)!r}"


def _count(verdict, runs):
    for name in [name for name in runs if not name.startswith("plain")]:
        for cell in runs[name]["cells"]:
            if cell["kind"]:
                verdict.kinds[cell["kind"]] = verdict.kinds.get(cell["kind"], 0) + 1
    verdict.bypasses = [cell["line"] for cell in runs["fill"]["cells"] if cell["kind"] == "bypass"]
    for name in ("second", "back"):
        pairs = zip(runs["fill"]["cells"], runs.get(name, {"cells": []})["cells"], strict=False)
        for number, (fill, again) in enumerate(pairs):
            if fill["kind"] in {"miss", "hit"}:
                verdict.cached += 1
                verdict.filled += again["kind"] == "hit"
                if again["kind"] != "hit":
                    verdict.needless.append(f"{name}, cell {number}: {again['line']}")


def cut(text):
    """Cut a text into cells at each line `# %%`."""
    groups = itertools.groupby(text.strip("\n").splitlines(), key=lambda line: line.strip() == "# %%")
    return tuple("\n".join(lines) + "\n" for is_cut, lines in groups if not is_cut)
