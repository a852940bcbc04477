"""`%lean gpu` and `%lean` alone: live in a notebook with ipywidgets, text everywhere else."""

import sys
from types import SimpleNamespace

import pytest

from lean_magic import lean
from lean_magic.errors import UsageError
from lean_magic.lean import notebook as live

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def shown(notebook, monkeypatch):
    """Yield what is displayed by a shell that is taken for a kernel's, once one cell is stored."""
    notebook.run(notebook.EMBED)
    shown = []
    publisher = SimpleNamespace(publish=lambda data, metadata: shown.append(data))
    monkeypatch.setattr(notebook.shell, "kernel", None, raising=False)
    monkeypatch.setattr(notebook.shell, "display_pub", publisher)
    yield shown
    for callback in list(notebook.shell.events.callbacks["post_run_cell"]):
        if type(owner := getattr(callback, "__self__", None)).__name__ == "GpuView":
            owner.close()


def ask(notebook, line):
    """Ask `%lean` without the capture of a cell."""
    lean.run(notebook.runner, line)


def test_gpu_as_text(notebook, monkeypatch):
    """In a terminal `gpu` says why there is no GPU; nothing is imported for it."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert notebook.lean("gpu").startswith("This kernel has not imported torch")
    assert "torch" not in sys.modules


def test_gpu_as_a_table(notebook, monkeypatch):
    """Each GPU is a row: held, in use, kept, its size, and what the part that is held costs an hour."""
    properties = SimpleNamespace(uuid="GPU-1", name="NVIDIA H200", total_memory=128 << 30)
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 1,
        memory_reserved=lambda _: 64 << 30,
        memory_allocated=lambda _: 16 << 30,
        get_device_properties=lambda _: properties,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    head, row, hint = notebook.lean("gpu").splitlines()
    assert head.split() == ["GPU", "held", "in", "use", "kept", "by", "torch", "of", "an", "hour"]
    assert row.startswith("GPU 0 · H200 ")
    assert row.endswith("64.0 GiB  16.0 GiB       48.0 GiB  128.0 GiB  ≈ $2.29") or row.endswith("≈ $2.30")
    assert "torch.cuda.empty_cache()" in hint


def test_without_a_kernel(notebook):
    """`gpu` in a terminal's command is refused with the way to ask it."""
    place = lean.Place(notebook.runner.settings, notebook.store, notebook.runner.ledger, "lean-magic")
    with pytest.raises(UsageError, match="ask %lean gpu there"):
        lean.answer(place, ["gpu"])


def test_alone_in_a_notebook(notebook, shown):
    """`%lean` alone shows the browser, with savings and list as text for where it cannot be shown."""
    pytest.importorskip("ipywidgets")
    ask(notebook, "")
    data = shown[-1]
    assert sorted(data) == [VIEW, "text/html", "text/plain"]
    assert "time saved" in data["text/plain"]
    assert "embed" in data["text/plain"]


def test_gpu_in_a_notebook(notebook, shown):
    """`%lean gpu` shows a view that is live, with its text beside it."""
    pytest.importorskip("ipywidgets")
    ask(notebook, "gpu")
    assert sorted(shown[-1]) == [VIEW, "text/html", "text/plain"]
    names = [
        getattr(callback, "__name__", "") for callback in notebook.shell.events.callbacks["post_run_cell"]
    ]
    assert "_ran" in names


@pytest.mark.parametrize(("line", "told"), [("", "%lean ls [TEXT]"), ("gpu", "kernel")])
def test_without_ipywidgets(notebook, shown, monkeypatch, line, told):
    """Where there is no ipywidgets a notebook is answered with a page."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    ask(notebook, line)
    assert sorted(shown[-1]) == ["text/html", "text/plain"]
    assert told in shown[-1]["text/plain"]


def test_no_front_end_no_widgets(notebook, monkeypatch):
    """In a terminal ipywidgets is not even imported."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "ipywidgets"]:
        monkeypatch.delitem(sys.modules, name)
    assert not live.can_show(notebook.shell)
    notebook.lean()
    notebook.lean("gpu")
    assert "ipywidgets" not in sys.modules
