"""Run a notebook plainly and cached, before and after an edit, and say where the two can be told apart."""

import functools
import itertools
import shutil
from dataclasses import dataclass, field, replace

CACHED = "%%cached\n"
FAILED = "lean_magic failed"
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
        plainly = functools.partial(self._run, workers.plain[0], folder=home / "plain")
        self._known = functools.lru_cache(maxsize=4)(plainly)

    def judge(self, first, *edits, thorough=True):
        """Run `first` plainly, to fill the cache, and again; then, for each edit, that and `first` once more.

        Unless `thorough`, an edited notebook is not run unedited again.
        """
        shutil.rmtree(self.home / "cache", ignore_errors=True)
        runs = self._runs(first, edits, thorough)
        broken = {name: f"{name}: {run['broken']}" for name, run in runs.items() if "broken" in run}
        if broken:
            # A program that has no end even uncached says nothing.
            endless = any(name.startswith("plain") for name in broken)
            return Verdict(unstable=True) if endless else Verdict([*broken.values()])
        verdict = Verdict()
        for name in [name for name in runs if not name.startswith("plain")]:
            wanted = runs[f"plain {name}" if name.startswith("edited") else "plain"]
            verdict.faults += [f"{name}: {fault}" for fault in differences(wanted, runs[name])]
        if verdict.faults and not self._is_stable(first, *edits):
            # What the line says of ourselves is a fault in any notebook.
            verdict.faults, verdict.unstable = [one for one in verdict.faults if FAILED in one], True
        _count(verdict, runs)
        return verdict

    def _runs(self, first, edits, thorough):
        one, other = self.workers.lean
        found = {"plain": self._plain(first), "fill": self._cached(one, first)}
        if thorough or not edits:
            found["second"] = self._cached(other, first)
        for number, edited in enumerate(edits):
            found[f"plain edited {number}"] = self._plain(edited)
            found[f"edited {number}"] = self._cached(other, edited)
            if thorough:
                found[f"back {number}"] = self._cached(one, first)
        return found

    def _plain(self, notebook):
        """Run without the cache, unless the same was run so shortly before, cached here or there."""
        return self._known(
            replace(notebook, cells=tuple(cell.removeprefix(CACHED) for cell in notebook.cells))
        )

    def _cached(self, worker, notebook):
        return self._run(worker, notebook, self.home / "cached", self.home / "cache")

    def _run(self, worker, notebook, folder, cache=""):
        worker.start([*notebook.cells], lay_out(folder, notebook.files), cache)
        return worker.finish()

    def _is_stable(self, *notebooks):
        """Whether the notebooks, run plainly, are the same with both hash seeds."""
        for notebook in notebooks:
            runs = [self._run(worker, notebook, self.home / "plain") for worker in self.workers.plain]
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
        if FAILED in other["line"]:
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
    for name in [name for name in runs if name.startswith(("second", "back"))]:
        pairs = zip(runs["fill"]["cells"], runs[name]["cells"], strict=False)
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
