"""The oracle of the stories: a notebook that is replayed must not differ from one that just ran."""

import shutil
import textwrap

from story_kernels import plain


class Ran(list):
    """The cells of one notebook run, and the kernel it left."""

    def __init__(self, kernel, cells):
        super().__init__(cells)
        self.kernel = kernel
        self._portrait = None

    @property
    def kinds(self):
        """Outcomes of the cached cells, in order."""
        return [cell.kind for cell in self if cell.kind]

    @property
    def kind(self):
        """The outcome of the last cell."""
        return self[-1].kind

    @property
    def reason(self):
        """The reason of the last cell's miss or bypass."""
        return self[-1].reason

    def value(self, expression):
        """Evaluate an expression, whose value JSON must be able to carry, in the kernel."""
        return self.kernel.ask(expression)

    @property
    def portrait(self):
        """All names, described."""
        if self._portrait is None:
            self._portrait = plain(self.kernel.portrait())
        return self._portrait


class Story:
    """Runs notebooks, each in a fresh kernel."""

    def __init__(self, kernels, work, elsewhere):
        self.kernels = kernels
        self.work = work
        self.elsewhere = elsewhere
        self.last = None

    def run(self, *cells, files=None, **options):
        """Run a notebook in a fresh kernel; `files` are laid out afresh before."""
        if files is not None:
            lay_out(self.work, files)
        return self._run(self.kernels(**options), cells)

    def uncached(self, *cells, files=None, **options):
        """Run the same notebook without lean_magic, in a folder of its own."""
        lay_out(self.elsewhere, files or {})
        return self._run(
            self.kernels(folder=self.elsewhere, lean=False, **options),
            [without_magic(cell) for cell in cells],
        )

    def _run(self, kernel, cells):
        ran = Ran(kernel, map(kernel.run, cells))
        for cell in ran[:-1]:
            assert not cell.error, plain(cell.error)
        ran.portrait  # noqa: B018  a recycled kernel will hold other names soon
        self.last = ran
        return ran

    def replays(self, *cells, kinds=None, files=None, **options):
        """Run a notebook uncached, cached, and cached once more; all three must look alike.

        `kinds` are the outcomes wanted the second time; by default every cached cell hits.
        """
        files = files or {}
        wanted = self.uncached(*cells, files=files, **options)
        first = self.run(*cells, files=files, **options)
        assert_alike(wanted, first, files_of(self.elsewhere), files_of(self.work))
        second = self.run(*cells, files=files, **options)
        cached = sum(cell.startswith("%%cached") for cell in cells)
        assert second.kinds == (kinds or ["hit"] * cached), [first, second]
        assert_alike(wanted, second, files_of(self.elsewhere), files_of(self.work))
        return second

    def changes(self, before, after, kind, *, files=None, files_after=None, back=True, **options):
        """Run a notebook, then a changed one, whose last cell must be a `kind`; then the first again: a hit.

        Whatever the outcome, the changed notebook must end as it does uncached.
        """
        files = files or {}
        files_after = files if files_after is None else files_after
        first = self.run(*before, files=files, **options)
        assert first.kind == "miss", first
        wanted = self.uncached(*after, files=files_after, **options)
        changed = self.run(*after, files=files_after, **options)
        assert_alike(wanted, changed, files_of(self.elsewhere), files_of(self.work))
        assert changed.kind == kind, changed
        if back and kind == "miss":
            assert self.run(*before, files=files, **options).kind == "hit", "changed back"
        return changed

    def stays_right(self, *cells, files=None, **options):
        """Like `replays`, for cells that may or may not hit: gives the outcomes of the second time."""
        files = files or {}
        wanted = self.uncached(*cells, files=files, **options)
        for _ in range(2):
            ran = self.run(*cells, files=files, **options)
            assert_alike(wanted, ran, files_of(self.elsewhere), files_of(self.work))
        return ran


def cells(text):
    """Cut a text into cells at each line `# %%`."""
    found = [[]]
    for line in textwrap.dedent(text).strip("\n").splitlines():
        if line.strip() == "# %%":
            found.append([])
        else:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found]


def without_magic(cell):
    """Take the `%%cached` line off a cell."""
    first, _, rest = cell.partition("\n")
    return rest if first.split()[:1] == ["%%cached"] else cell


def lay_out(folder, files):
    """Make a folder hold exactly these files."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def files_of(folder):
    """Read all files below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def assert_alike(wanted, found, wanted_files, found_files):
    """Compare two runs by all that a user can observe."""
    for one, other in zip(wanted, found, strict=True):
        assert shown(other) == shown(one), other
    differing = {
        name: first_difference(wanted.portrait.get(name), found.portrait.get(name))
        for name in {*wanted.portrait, *found.portrait}
        if wanted.portrait.get(name) != found.portrait.get(name)
    }
    assert not differing, found
    assert found_files == wanted_files


def first_difference(wanted, found, place=""):
    """Give the place of the first difference between two portraits, with what stands there."""
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return next((first_difference(a, b, f"{place}[{n}]") for n, (a, b) in pairs if a != b), "")
    return f"{place}: wanted {str(wanted)[:600]}, found {str(found)[:600]}"


def shown(cell):
    """Give what a cell showed, in order; only between two displays can stdout and stderr not be ordered."""
    groups = [{}]
    for kind, content in cell.events:
        if kind in {"stdout", "stderr"}:
            groups[-1][kind] = groups[-1].get(kind, "") + content
        else:
            groups += [{kind: content}, {}]
    return plain([group for group in groups if group])
