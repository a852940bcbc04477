"""The small parts: choices, energy, savings, events, metrics, what kernels publish."""

import datetime as dt
import json
import time

import pytest
from scenes import EMBED, TRAIN, scenes

from lean_magic.monitor.activity import Activity, Watched
from lean_magic.monitor.choices import Choices
from lean_magic.monitor.energy import Meter
from lean_magic.monitor.events import SCHEMA, SCHEMA_ID, data_of
from lean_magic.monitor.metrics import to_text
from lean_magic.monitor.protocol import Saved
from lean_magic.monitor.savings import Sums


def test_choices_outlive_the_server(tmp_path):
    """Pins and snoozes are there again after a restart, and a snooze ends with its time."""
    now = [1000.0]
    first = Choices(tmp_path / "data" / "sidebar.json", lambda: now[0])
    first.pin("a.ipynb", pinned=True)
    first.snooze("b.ipynb", 60)
    second = Choices(tmp_path / "data" / "sidebar.json", lambda: now[0])
    assert (second.pinned("a.ipynb"), second.pinned("b.ipynb")) == (True, False)
    assert (second.snoozed_until("a.ipynb"), second.snoozed_until("b.ipynb")) == (None, 1060.0)
    now[0] = 1061.0
    assert second.snoozed_until("b.ipynb") is None
    second.pin("a.ipynb", pinned=False)
    assert not Choices(tmp_path / "data" / "sidebar.json").pinned("a.ipynb")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a.ipynb": 3}'])
def test_a_spoilt_file_of_choices_is_none(tmp_path, text):
    """A file that cannot be read is as one that is not there."""
    (tmp_path / "sidebar.json").write_text(text)
    assert not Choices(tmp_path / "sidebar.json").pinned("a.ipynb")


def test_energy_by_counter_and_by_power():
    """A counter's difference counts; without one watts are joined by lines, over short gaps only."""
    counted = Meter()
    assert counted.add(0.0, 100.0, 5000.0) is None
    assert counted.add(2.0, 100.0, 5250.0) == 250.0
    drawn = Meter()
    assert drawn.add(0.0, 100.0, None) is None
    assert drawn.add(2.0, 200.0, None) == 300.0
    assert drawn.add(3602.0, 100.0, None) == 300.0 + 200.0 * 10
    assert Meter().add(0.0, None, None) is None


def line(outcome="hit", saved=10.0, when=None):
    """Return one line of a ledger."""
    return json.dumps({"time": when or time.time(), "outcome": outcome, "saved": saved}) + "\n"


def test_savings_are_read_as_they_come(tmp_path):
    """Hits of today and of all days are summed up, each line once, also after the ledger is begun anew."""
    file, today = tmp_path / "ledger.jsonl", dt.datetime.now().astimezone().date()
    sums = Sums(file)
    assert sums.savings(today, 3.6).total == Saved(0.0, 0.0, 0)
    file.write_text(line(when=1000.0) + line() + line("miss") + "no line\n[]\n")
    told = sums.savings(today, 3.6)
    assert (told.today, told.total) == (Saved(10.0, 0.01, 1), Saved(20.0, 0.02, 2))
    with file.open("a") as ledger:
        ledger.write(line(saved=5.0) + line()[:-5])
    assert sums.savings(today, None).total == Saved(25.0, None, 3)
    file.write_text(line())
    assert sums.savings(today, None).total == Saved(10.0, None, 1)


def test_tomorrow_begins_at_nothing(tmp_path):
    """Today's sum is that of the day it is."""
    file, today = tmp_path / "ledger.jsonl", dt.datetime.now().astimezone().date()
    file.write_text(line())
    sums = Sums(file)
    assert sums.savings(today, None).today.hits == 1
    assert sums.savings(today + dt.timedelta(days=1), None).today.hits == 0


def test_warnings_are_events():
    """A warning fits the schema that is registered with Jupyter."""
    logger = pytest.importorskip("jupyter_events").EventLogger()
    logger.register_event_schema(SCHEMA)
    (warned,) = [one for one in scenes()["idle_warning"].kernels if one.verdict == "warn"]
    written = logger.emit(schema_id=SCHEMA_ID, data=data_of(warned))
    assert written is None or written["kernel_id"] == EMBED
    assert data_of(warned)["idle_since"] == warned.idle_since


def test_metrics_leave_out_what_is_not_known():
    """A figure that is not known has no line, and names are escaped."""
    text = to_text(scenes()["lost_and_unified"])
    assert 'lean_magic_gpu_memory_used_bytes{uuid="GPU-5a1c0e6e-0000-4000-8000-000000000001",gpu="1"' in text
    assert 'lean_magic_gpu_power_watts{uuid="GPU-5a1c0e6e-0000-4000-8000-000000000000"' not in text
    assert "None" not in text
    assert text.endswith("\n")
    names = [one.split()[2] for one in text.splitlines() if one.startswith("# TYPE")]
    assert len(names) == len(set(names))


def published(kind, content, parent="execute_request"):
    """Return a message as a kernel publishes it."""
    parts = [{"msg_type": kind}, {"msg_type": parent}, {}, content]
    return [b"topic", b"<IDS|MSG>", b"signature", *(json.dumps(part).encode() for part in parts)]


def test_only_cells_count_as_work():
    """Cells that start are counted and make busy; widgets and polls do neither."""
    watched = Watched(None, (1, 2))
    assert watched.busy is None
    watched.hear(published("status", {"execution_state": "busy"}, "usage_request"))
    watched.hear(published("status", {"execution_state": "busy"}, "comm_msg"))
    watched.hear(published("comm_msg", {}, "comm_msg"))
    assert (watched.busy, watched.executions) == (None, 0)
    watched.hear(published("status", {"execution_state": "busy"}))
    watched.hear(published("execute_input", {"code": "1"}))
    watched.hear(published("status", {"execution_state": "idle"}, "usage_request"))
    assert (watched.busy, watched.executions) == (True, 1)
    watched.hear(published("status", {"execution_state": "idle"}))
    watched.hear([b"no message"])
    assert (watched.busy, watched.executions) == (False, 1)


class Silent:
    """A stream that says nothing, and a kernel that has it."""

    iopub_port, execution_state = 5, "idle"

    def connect_iopub(self):
        """Return the stream."""
        return self

    def on_recv(self, hear):
        """Take who listens."""

    stop_on_recv = close = lambda self: None


class OneKernel(dict):
    """A manager of kernels."""

    get_kernel = dict.get


def test_counting_goes_on_after_a_pause():
    """Cells that were counted stay counted while nobody listens, so that looking again is no work of the kernel's."""
    activity = Activity(OneKernel(k=Silent()))
    activity.watch(["k"])
    activity.of("k").hear(published("execute_input", {"code": "1"}))
    activity.watch([])
    assert activity.of("k") is None
    activity.watch(["k"])
    assert (activity.of("k").executions, activity.of("k").busy) == (1, None)


def test_training_is_in_the_golden_files():
    """The scenes name the kernels that the sidebar's tests look for."""
    assert [one.kernel_id for one in scenes()["two_gpus_three_kernels"].kernels][:2] == [TRAIN, EMBED]
