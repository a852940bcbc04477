"""What a cell leaves running."""

import pytest

# name → cells: earlier ones, the cached one, one that changes something in between, one that looks.
CASES = {
    "thread left": {
        "setup": "import threading, time\ne=threading.Event()",
        "cell": "t=threading.Thread(target=e.wait, args=(2,))\nt.start()\nprint(t.is_alive())",
        "change": "e.set()\nt.join()\ne.clear()",
        "probe": "e.set()\nt.join()\nprint(t.is_alive())",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_cached_as_uncached(both, name):
    """What a cell leaves running is running again, since the cell runs."""
    plain, cached = both(**CASES[name])
    assert cached == plain
