"""The demo of GPUs and cache, executed in real kernels without a GPU: views, text beside them, and recorded cells."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("ipywidgets")
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

DEMO = Path(__file__).parents[2] / "demo_notebooks" / "02_gpus_and_cache.ipynb"
VIEW = "application/vnd.jupyter.widget-view+json"
MARK = re.compile("^[✓●○] ", re.MULTILINE)


def execute(tmp_path, monkeypatch, first=""):
    """Execute the demo in a fresh kernel; gives the displays of each cell by its id, and the widgets' last state."""
    monkeypatch.setenv("LEAN_MAGIC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    book = nbformat.read(DEMO, as_version=4)
    if first:
        book.cells.insert(0, nbformat.v4.new_code_cell(first))
    client = nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    displays = {
        cell.id: [output.data for output in cell.outputs if "data" in output]
        for cell in book.cells
        if cell.cell_type == "code"
    }
    return displays, client.widget_state


def said(displays):
    """Return the text of a cell's displays."""
    return "\n".join(data.get("text/plain", "") for data in displays)


def values(states):
    """Return all HTML that the widgets show."""
    return "\n".join(str(state.get("value", "")) for state in states.values())


@pytest.mark.timeout(280)
def test_views_in_real_kernels(tmp_path, monkeypatch):
    """Both views are shown with text beside them; cells recorded under a live view are stored, and hit later."""
    first, states = execute(tmp_path, monkeypatch)
    for name in ("gpu", "gpu-again", "browser"):
        assert [sorted(data) for data in first[name]] == [[VIEW, "text/html", "text/plain"]]
    shown = values(states)
    assert "No entry is stored" not in shown
    assert "Nothing saved yet" in shown
    for name in ("numbers", "product"):
        assert "stored" in said(first[name])
        assert f">{name}</span>" in shown
    if find_spec("torch"):
        # It was shown before torch was imported: only a look of its own thread, as cells ran, can have told it.
        assert "has not imported torch" in said(first["gpu"])
        assert "has not imported torch" not in shown
    second, states = execute(tmp_path, monkeypatch)
    for name in ("numbers", "product"):
        assert MARK.search(said(second[name]))[0] == "✓ "
    assert "lm-bar" in values(states)


@pytest.mark.timeout(280)
def test_without_ipywidgets(tmp_path, monkeypatch):
    """Without ipywidgets the same notebook runs to its end, answered in text."""
    shown, states = execute(tmp_path, monkeypatch, "import sys; sys.modules['ipywidgets'] = None")
    assert states == {}
    assert [sorted(data) for data in shown["browser"]] == [["text/html", "text/plain"]]
    assert "%lean gpu" in said(shown["browser"])
    assert "torch" in said(shown["gpu"])


def test_notebook_is_committed_without_outputs():
    """The notebook in the repository holds no outputs and no execution counts."""
    cells = json.loads(DEMO.read_text("utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
