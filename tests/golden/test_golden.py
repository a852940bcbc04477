"""Fingerprints stay what they were: in another process, with another hash seed, next year (law 3)."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PINNED = json.loads((HERE / "fingerprints.json").read_text("utf-8"))


@pytest.fixture(scope="module", params=["1", "2"], ids="seed {}".format)
def told(request):
    """Return the digests that a new process with its own hash seed finds."""
    command = [sys.executable, str(HERE / "make_fingerprints.py"), "--show"]
    variables = {**os.environ, "PYTHONHASHSEED": request.param}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert not ended.returncode, ended.stderr[-2000:]
    return json.loads(ended.stdout)


@pytest.mark.parametrize("section", PINNED)
def test_fingerprints_are_pinned(told, section):
    """Every pinned value has the digest that is pinned, in any process."""
    if section not in told:
        pytest.skip(f"{section} is not here")
    assert told[section] == PINNED[section]


def test_everything_is_pinned(told):
    """No section is left out of the file but those of another Python's code."""
    assert {name for name in told if not name.startswith("code ")} <= set(PINNED)


def test_the_pinned_values_differ():
    """No two of the pinned values have one digest."""
    for name, digests in PINNED.items():
        assert len(set(digests.values())) == len(digests), name


def test_the_order_of_loading_is_no_content():
    """A process without the large libraries finds the same digests of Python's own values."""
    spec = importlib.util.spec_from_file_location("make_fingerprints", HERE / "make_fingerprints.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    source = (
        f"import sys, runpy\nsys.path.insert(0, {str(HERE.parents[1])!r})\n"
        f"maker = runpy.run_path({str(HERE / 'make_fingerprints.py')!r})\n"
        "maker['digests'].__globals__['LIBRARIES'] = ()\n"
        "maker['CASES'].clear()\nmaker['CASES']['python'] = %r\n"
        "import json; print(json.dumps(maker['digests']()['python']))"
    ) % maker.CASES["python"]
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert not ended.returncode, ended.stderr[-2000:]
    assert json.loads(ended.stdout) == PINNED["python"]
