"""Every recorder keeps the contract."""

import contextlib
import os
import sys
import textwrap
from pathlib import Path

import pytest
from recorder_contract import RecorderContract, a_run

from lean_magic.effects import recorders
from lean_magic.effects.asks import Asks
from lean_magic.effects.attributes import Attributes
from lean_magic.effects.environment import Environment
from lean_magic.effects.files import Files
from lean_magic.effects.live import Live
from lean_magic.effects.loading import Loading
from lean_magic.effects.mortal import Mortal
from lean_magic.effects.mutation import Mutation
from lean_magic.effects.names import Names
from lean_magic.effects.output import Output
from lean_magic.effects.process import Process
from lean_magic.effects.remembered import Remembering
from lean_magic.effects.rng import Generators
from lean_magic.errors import Unstorable
from lean_magic.values.memo import calls


class TestNames(RecorderContract):
    """Names bound, rebound and deleted."""

    setup = "old = 1\ngone = 2\nkept = [3]"
    cell = "new = [old]\nold = 5\ndel gone"
    undo = "del new\nold = 1\ngone = 2"

    def make(self):
        """Return a new recorder."""
        return Names()

    def seen(self, shell):
        """Return the names and what they stand for."""
        return {name: shell.ns[name] for name in ("old", "gone", "new", "kept") if name in shell.ns}


class TestMutation(RecorderContract):
    """Objects changed in place."""

    setup = "items = [1, {'a': {2}}]\nsame = items[1]"
    cell = "items.append(3)\nsame['a'].add(4)\nsame['b'] = items"
    undo = "items.pop()\nsame['a'].discard(4)\ndel same['b']"

    def make(self):
        """Return a new recorder."""
        return Mutation()

    def seen(self, shell):
        """Return the content, and whether the objects are the ones that stood there."""
        items = shell.ns["items"]
        return len(items), sorted(items[1]), sorted(items[1]["a"]), items[1] is shell.ns["same"]


class TestRemembering(RecorderContract):
    """What functions under lru_cache remember."""

    setup = "import functools\n@functools.lru_cache\ndef f(n):\n    return [n]"
    cell = "f(1)\nf(1)\nf(2)"
    undo = "f.cache_clear()"

    def make(self):
        """Return a new recorder."""
        return Remembering()

    def seen(self, shell):
        """Return what is remembered, and how often it was asked for."""
        return shell.ns["f"].cache_info(), [result for *_, result in calls(shell.ns["f"])]


class TestAttributes(RecorderContract):
    """Attributes set on modules and classes."""

    setup = "import textwrap"
    cell = "textwrap.lean_width = [72]"
    undo = "del textwrap.lean_width"

    @pytest.fixture(autouse=True)
    def _taken_back(self):
        yield
        vars(textwrap).pop("lean_width", None)

    def make(self):
        """Return a new recorder."""
        return Attributes()

    def seen(self, shell):
        """Return the attribute."""
        return getattr(textwrap, "lean_width", None)


class TestProcess(RecorderContract):
    """Settings of the process."""

    setup = "import os, sys, decimal, warnings"
    cell = "os.environ['LEAN_TEST'] = '1'\nsys.path.append('/lean/test')\ndecimal.getcontext().prec = 11\nwarnings.simplefilter('ignore', ResourceWarning)"
    undo = "del os.environ['LEAN_TEST']\nsys.path.remove('/lean/test')\ndecimal.getcontext().prec = 28\nwarnings.filters.pop(0)"

    @pytest.fixture(autouse=True)
    def _taken_back(self, monkeypatch):
        import decimal
        import os
        import warnings

        monkeypatch.setattr(sys, "path", list(sys.path))
        with decimal.localcontext(), warnings.catch_warnings():
            decimal.getcontext().prec = 28
            yield
        os.environ.pop("LEAN_TEST", None)

    def make(self):
        """Return a new recorder."""
        return Process()

    def seen(self, shell):
        """Return the settings."""
        import decimal
        import os
        import warnings

        return os.environ.get("LEAN_TEST"), sys.path[-1], decimal.getcontext().prec, warnings.filters[0]


class TestAsks(RecorderContract):
    """Questions about files."""

    cell = "import os\nos.path.exists('there.txt')"

    def make(self):
        """Return a new recorder."""
        return Asks()

    def test_a_record_is_put_back(self, quiet, tmp_path):
        """There is nothing to put back: what was asked must have the same answer."""
        run, recorder = a_run(quiet, self.cell), self.make()
        recorder.begin(run)
        exec(self.cell, quiet.ns)
        record = recorder.end(run)
        assert self.make().still_holds(record.observed, run) == ""
        (tmp_path / "there.txt").write_text("now it is")
        assert "there.txt" in self.make().still_holds(record.observed, run)

    def test_the_functions_are_what_they_were(self, quiet):
        """Whoever looks at `os.stat` after a cell finds the one that was there."""
        before = os.stat, set(os.supports_dir_fd)
        recorder, run = self.make(), a_run(quiet, self.cell)
        recorder.begin(run)
        recorder.cancel(run)
        assert (os.stat, set(os.supports_dir_fd)) == before


class TestEnvironment(RecorderContract):
    """Variables that are read."""

    cell = "import os\nos.getenv('LEAN_TEST')"

    def make(self):
        """Return a new recorder."""
        return Environment()

    def test_a_record_is_put_back(self, quiet, monkeypatch):
        """There is nothing to put back: what was read must be as it was."""
        run, recorder = a_run(quiet, self.cell), self.make()
        recorder.begin(run)
        exec(self.cell, quiet.ns)
        record = recorder.end(run)
        assert self.make().still_holds(record.observed, run) == ""
        monkeypatch.setenv("LEAN_TEST", "set")
        assert "environment LEAN_TEST: not set → set" in self.make().still_holds(record.observed, run)


class TestGenerators(RecorderContract):
    """Random generators of the process."""

    setup = "import random\nrandom.seed(1)"
    cell = "random.random()"
    undo = "random.seed(1)"

    def make(self):
        """Return a new recorder."""
        return Generators()

    def seen(self, shell):
        """Return the state."""
        import random

        return random.getstate()


class TestFiles(RecorderContract):
    """Files read and written."""

    setup = "from pathlib import Path\n_ = Path('in.txt').write_text('hello')"
    cell = "_ = Path('out.txt').write_text(Path('in.txt').read_text() * 2)"
    undo = "Path('out.txt').unlink()"

    def make(self):
        """Return a new recorder."""
        return Files()

    def seen(self, shell):
        """Return the files and what they hold."""
        return {path.name: path.read_text() for path in Path().glob("*.txt")}


class TestOutput(RecorderContract):
    """What the cell shows."""

    can_undo = False
    setup = "import sys\nfrom IPython.display import display"
    cell = (
        "print('hi')\nsys.stderr.write('oh')\ndisplay({'text/plain': 'shown'}, raw=True)\nprint('ho', end='')"
    )
    undo = "sys.stdout.truncate(0); sys.stdout.seek(0); sys.stderr.truncate(0); sys.stderr.seek(0)"

    def make(self):
        """Return a new recorder."""
        return Output()

    def seen(self, shell):
        """Return both streams and the last display."""
        return (
            sys.stdout.getvalue(),
            sys.stderr.getvalue(),
            [data.get("text/plain") for data in shell.shown[-1:]],
        )


class TestLive(RecorderContract):
    """Things left running."""

    def make(self):
        """Return a new recorder."""
        return Live()

    def test_a_record_is_put_back(self):
        """There is nothing to put back: a cell that leaves something running is refused."""
        assert Live().still_holds(None, None) == ""


class TestMortal(RecorderContract):
    """Objects whose end is seen."""

    setup = "seen = []\nclass D:\n    def __del__(self, seen=seen): seen.append(1)\nd, held = D(), [D()]"
    cell = "held.append(d)"

    def make(self):
        """Return a new recorder."""
        return Mortal()

    def test_a_record_is_put_back(self, quiet):
        """There is nothing to put back, but what was let go of for the time of the cell is known again."""
        run, recorder = a_run(quiet, self.cell), self.make()
        before = run.walk.by_mark()
        recorder.begin(run)
        exec(self.cell, quiet.ns)
        assert recorder.end(run).effects is None
        assert run.walk.by_mark() == before
        assert run.walk.values["value d"][0] is quiet.ns["d"]

    def test_what_a_cell_lets_go_of_ends_at_once(self, quiet):
        """An object whose `__del__` is the user's ends where the cell lets go of it, and is refused."""
        run, recorder = a_run(quiet, "held.clear()"), self.make()
        recorder.begin(run)
        quiet.ns["held"].clear()
        assert quiet.ns["seen"] == [1]
        with pytest.raises(Unstorable, match="a D was let go of"):
            recorder.end(run)


class TestLoading(RecorderContract):
    """Local modules that the cell loads."""

    setup = "from pathlib import Path\n_ = Path('loaded_story.py').write_text('STATE = []')\nimport sys\nsys.path.insert(0, '')"
    cell = "import loaded_story"

    @pytest.fixture(autouse=True)
    def _unload(self, monkeypatch):
        monkeypatch.setattr(sys, "path", list(sys.path))
        yield
        sys.modules.pop("loaded_story", None)

    def make(self):
        """Return a new recorder."""
        return Loading()

    def test_a_record_is_put_back(self, quiet):
        """A module that the run loaded is loaded again, and taken out again with the rest of a replay."""
        run, recorder = a_run(quiet, self.cell), self.make()
        recorder.begin(run)
        exec(self.cell, quiet.ns)
        record = recorder.end(run)
        del sys.modules["loaded_story"]
        with contextlib.ExitStack() as undo:
            self.make().replay(record, run, undo)
            assert "loaded_story" in sys.modules
        assert "loaded_story" not in sys.modules

    def test_a_module_that_is_another_each_time_is_refused(self, quiet):
        """A module that holds something else when it is loaded again is named, and the cell runs."""
        run, recorder = a_run(quiet, self.cell), self.make()
        recorder.begin(run)
        exec(self.cell, quiet.ns)
        record = recorder.end(run)
        record.effects["loaded_story"]["STATE"] = "another"
        del sys.modules["loaded_story"]
        with contextlib.ExitStack() as undo, pytest.raises(Unstorable, match="loaded_story"):
            self.make().replay(record, run, undo)

    def test_a_module_changed_by_the_cell_is_refused(self, quiet):
        """A module that was changed where it was loaded is refused, by name."""
        run, recorder = a_run(quiet, self.cell), self.make()
        recorder.begin(run)
        exec(f"{self.cell}\nloaded_story.STATE.append(1)", quiet.ns)
        with pytest.raises(Unstorable, match="module loaded_story"):
            recorder.end(run)

    @pytest.mark.parametrize("known", [True, False])
    def test_code_that_only_a_configuration_names_is_refused(self, quiet, tmp_path, known):
        """A local class that hydra finds by a file is named, unless the code says it or it was not loaded before."""
        exec(self.cell, quiet.ns)
        sys.modules["loaded_story"].Net = type("Net", (), {})
        path = tmp_path / "conf.yaml"
        path.write_text("_target_: loaded_story.Net\n", "utf-8")
        more = {"packages": frozenset({"hydra"}), "read": {str(path)}}
        more["reads"] = frozenset({"loaded_story.Net"} if known else ())
        run, recorder = a_run(quiet, "1", **more), self.make()
        recorder.begin(run)
        with contextlib.nullcontext() if known else pytest.raises(Unstorable, match=r"conf\.yaml"):
            recorder.end(run)


def test_every_recorder_is_under_contract():
    """No recorder is left out of this file."""
    made = {type(contract().make()) for contract in RecorderContract.__subclasses__()}
    assert {type(recorder) for recorder in recorders().members} == made


def test_names_of_recorders_differ():
    """Each recorder has a name of its own: records are kept by it."""
    names = [recorder.name for recorder in recorders().members]
    assert len(set(names)) == len(names)
