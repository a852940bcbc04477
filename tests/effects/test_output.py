"""What a cell shows."""

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
