"""What every recorder promises; the test class of a new one inherits from RecorderContract."""

import ast
import contextlib
import decimal
import json
import os
import random
import sys
import warnings
from pathlib import Path

import pytest

from lean_magic.effects import Record, Run, files, rng
from lean_magic.effects.names import hidden
from lean_magic.key import analyse
from lean_magic.values import Walk, codec


def a_run(shell, cell, **more):
    """Return the Run that the runner would make for `cell`, with every name of the notebook in the key."""
    found = analyse(ast.parse(cell).body)
    walk, namespace = Walk(), shell.ns
    for name in sorted(name for name in namespace if not hidden(name)):
        walk.fingerprint(f"value {name}", namespace[name])
    told = {
        "assigned": frozenset(found.assigned),
        "surely": frozenset(found.surely),
        "strings": frozenset(found.facts.strings),
        "constants": frozenset(found.facts.strings),
        "words": frozenset(found.facts.attributes),
        "sets": frozenset(found.facts.sets),
    }
    return Run(shell=shell.ip, namespace=namespace, walk=walk, **(told | more))


def portrait(shell):
    """Return all about a shell and its process that a recorder could leave behind."""
    publisher, hook = shell.ip.display_pub, shell.ip.displayhook
    return {
        "names": {name: id(value) for name, value in shell.ns.items()},
        "streams": [(id(stream), stream.write) for stream in (sys.stdout, sys.stderr)],
        "wrapped": [sorted(vars(owner)) for owner in (sys.stdout, sys.stderr)],
        "displays": [(name, getattr(publisher, name)) for name in ("publish", "clear_output")],
        "own displays": sorted(vars(publisher)),
        "own results": sorted(vars(hook)),
        "listening": (len(files.watching), len(rng._running)),
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "path": list(sys.path),
        "filters": list(warnings.filters),
        "draws": random.getstate(),
        "decimal": str(decimal.getcontext()),
        "callbacks": {name: list(them) for name, them in shell.ip.events.callbacks.items()},
    }


def as_json(value):
    """Return a value as it comes back from the manifest."""
    return json.loads(json.dumps(value, allow_nan=False))


def as_payload(run, record, folder):
    """Return a record's values as they come back from the payload, onto the live objects."""
    spaces = {id(run.namespace): "__main__"}
    graph = codec.encode({"values": record.values}, codec.Live(run.walk.live(), spaces))
    path = folder / "payload.joblib"
    with path.open("wb") as file:
        layout = codec.dump(graph, file)
    return codec.load(path, layout, run.walk.by_mark(), {"__main__": run.namespace})["values"]


class RecorderContract:
    """The promises; a class of tests says how to make its recorder, and of a cell that it has to do with."""

    cell = ""  # does something that this recorder records
    setup = ""  # runs before
    undo = ""  # takes back what the cell did
    can_undo = True  # False for what was shown

    def make(self):
        """Return a new recorder."""
        raise NotImplementedError

    def seen(self, shell):
        """Return what the cell has done, as somebody who looks at it sees it."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _elsewhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        state = random.getstate()
        yield
        random.setstate(state)

    @pytest.fixture
    def quiet(self, capsys, shell):
        """Return a shell on streams whose text can be looked at, after the setup."""
        exec(self.setup, shell.ns)
        return shell

    def test_a_cancelled_run_leaves_nothing(self, quiet):
        """After begin and cancel the shell and the process are as they were."""
        run, recorder = a_run(quiet, self.cell), self.make()
        before = portrait(quiet)
        recorder.begin(run)
        recorder.cancel(run)
        assert portrait(quiet) == before

    def test_a_cell_that_raises_leaves_nothing(self, quiet):
        """A cell that did half its work and raised is left as it stands, and nobody listens any more."""
        run, recorder = a_run(quiet, self.cell), self.make()
        plain = portrait(quiet)
        recorder.begin(run)
        with contextlib.suppress(ZeroDivisionError):
            exec(f"{self.cell}\n1 / 0", quiet.ns)
        recorder.cancel(run)
        after = portrait(quiet)
        for part in (
            "streams",
            "wrapped",
            "displays",
            "own displays",
            "own results",
            "listening",
            "callbacks",
        ):
            assert after[part] == plain[part], part

    def test_end_leaves_nothing(self, quiet):
        """After end nobody listens any more."""
        run, recorder = a_run(quiet, ""), self.make()
        before = portrait(quiet)
        recorder.begin(run)
        recorder.end(run)
        assert portrait(quiet) == before

    def test_nothing_done_is_nothing_replayed(self, quiet, tmp_path):
        """The record of a cell that did nothing holds at once, and replays to nothing."""
        run, recorder = a_run(quiet, ""), self.make()
        recorder.begin(run)
        record = recorder.end(run)
        stored = Record(as_json(record.observed), as_json(record.effects), as_payload(run, record, tmp_path))
        before = portrait(quiet)
        assert self.make().still_holds(stored.observed, run) == ""
        self.make().replay(stored, run, contextlib.ExitStack())
        assert portrait(quiet) == before
        assert sys.stdout.getvalue() == sys.stderr.getvalue() == ""

    def test_cancel_after_end_is_harmless(self, quiet):
        """The runner cancels whatever happened: after end, and twice, that changes nothing."""
        run, recorder = a_run(quiet, self.cell), self.make()
        recorder.begin(run)
        exec(self.cell, quiet.ns)
        recorder.end(run)
        before = portrait(quiet)
        recorder.cancel(run)
        recorder.cancel(run)
        assert portrait(quiet) == before

    def test_cancel_before_begin_is_harmless(self, quiet):
        """Where another recorder failed to begin, this one is cancelled without having begun."""
        run = a_run(quiet, self.cell)
        before = portrait(quiet)
        self.make().cancel(run)
        assert portrait(quiet) == before

    def test_a_record_is_put_back(self, quiet, tmp_path):
        """What was observed and done survives manifest and payload, and a replay does it again."""
        run, recorder = a_run(quiet, self.cell), self.make()
        recorder.begin(run)
        exec(self.cell, quiet.ns)
        record = recorder.end(run)
        seen = self.seen(quiet)
        assert as_json(record.observed) == record.observed, "observed is JSON"
        assert as_json(record.effects) == record.effects, "effects are JSON"
        stored = Record(as_json(record.observed), as_json(record.effects), as_payload(run, record, tmp_path))
        exec(self.undo, quiet.ns)
        now = a_run(quiet, self.cell)
        reason = self.make().still_holds(stored.observed, now)
        assert reason == ""
        assert self.seen(quiet) != seen
        stored.values = as_payload(now, record, tmp_path) if record.values is not None else None
        before = self.seen(quiet)
        with contextlib.ExitStack() as undo:
            self.make().replay(stored, now, undo)
            assert self.seen(quiet) == seen
        assert not self.can_undo or self.seen(quiet) == before, "a replay is taken back whole"
