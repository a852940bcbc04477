"""What a cell leaves running."""

import sys
import types

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


def test_a_pool_of_joblib_may_wait_for_more(shells):
    """Joblib's workers stay for the next call, and the folder of what is passed to them goes: the cell is a hit."""
    shell = shells()
    shell.run("import joblib\nimport numpy as np\nbig = np.ones(1_000_000)")
    cell = "%%cached\nr = joblib.Parallel(n_jobs=2)(joblib.delayed(np.sum)(big) for _ in range(4))"
    try:
        kinds = [shell.run(text).kind for text in (cell, cell)]
    finally:
        shell.run("joblib.externals.loky.get_reusable_executor().shutdown(wait=True)")
    assert kinds == ["miss", "hit"]


def test_the_state_of_accelerate_is_made_by_running(shells, monkeypatch):
    """A cell that sets up what all objects of accelerate share in a process runs in each."""
    state = types.ModuleType("accelerate.state")
    state.PartialState, state.AcceleratorState = (type("State", (), {"_shared_state": {}}) for _ in range(2))
    monkeypatch.setitem(sys.modules, "accelerate.state", state)
    shell = shells()
    shell.run(
        "import sys\nstate = sys.modules['accelerate.state']\ndef begin(): state.PartialState._shared_state['device'] = 'cpu'"
    )
    assert shell.run("%%cached\nbegin()").kind == "bypass"
    assert shell.run("%%cached\nbegin()").kind != "bypass"
