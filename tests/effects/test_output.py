"""What a cell shows."""

import re

import pytest

# name → cells: earlier ones, the cached one, one that changes something in between, one that looks.
CASES = {
    "output stderr": {
        "setup": "import sys",
        "cell": "print('a', file=sys.stderr)\nprint('b')\nsys.stdout.writelines(['c','d'])",
    },
    "output buffer": {"setup": "import sys", "cell": "import os\nprint('x', end='')\nsys.stdout.flush()"},
    "stdout replaced": {
        "setup": "import sys, io",
        "cell": "import contextlib\nb=io.StringIO()\nwith contextlib.redirect_stdout(b): print('in')\nprint('out', b.getvalue())",
    },
    "warnings shown": {"setup": "import warnings", "cell": "warnings.warn('hey')"},
}


@pytest.mark.parametrize("name", CASES)
def test_cached_as_uncached(both, name):
    """A hit shows what a run shows, in order."""
    plain, cached = both(**CASES[name])
    assert cached == plain


def test_estimators_are_numbered_on(shell):
    """Estimators of scikit-learn that a hit shows have ids of their own on the page, and so have those shown later."""
    pytest.importorskip("sklearn")
    shell.run("from sklearn.linear_model import Ridge")
    shown = [shell.run(cell) for cell in ("%%cached\ndisplay(Ridge())", "display(Ridge())") * 2]
    assert [run.kind for run in shown] == ["miss", "", "hit", ""]
    for kind in ("container", "estimator"):
        ids = [re.search(f'id="sk-{kind}-id-([0-9]+)"', run.displays[-1]["text/html"]) for run in shown]
        first = int(ids[0][1])
        assert [int(found[1]) for found in ids] == list(range(first, first + 4))
