"""What is set on where only running tells, seen as it happens: the cell itself notices nothing."""

import weakref

import pytest

MAKE = "class Node:\n    def get(self): return self.inner\nn = Node(); n.inner = Node()"


@pytest.mark.parametrize("magic", ["%%cached\n", ""])
@pytest.mark.parametrize(
    "cell",
    ["n.get().inner.inner.value = 1", "n.none().value = 1", "del n.get().x, n", "getattr(1, 'real').x = 2"],
)
def test_error_is_shown_as_ever(shell, cell, magic, cache_dir):
    """A target that fails shows the traceback that it shows without the extension, to the last mark under the line."""
    shell.run(MAKE)
    found = shell.run(magic + cell).stdout
    shell.ip.run_line_magic("unload_ext", "lean_magic")
    plain = shell.run(cell).stdout
    shell.ip.run_line_magic("load_ext", "lean_magic")
    assert found.replace("In[2]", "In[3]") == plain
    assert "Error" in found


def test_what_passes_by_is_let_go(shell):
    """An object that a target stands on ends when it would have ended without the extension."""
    shell.run(MAKE)
    ended = shell.ns["ended"] = []
    shell.ns["watch"] = lambda node: weakref.finalize(node, ended.append, 1) and node
    shell.run("for _ in range(3):\n    watch(Node()).value = 1\n    seen = len(ended)")
    assert shell.ns["seen"] == 3


def test_what_a_base_gives_is_asked_once(shell):
    """A base that is changed as it is asked is asked as often as without the extension, also by `+=`."""
    shell.run(
        "class Box:\n    value, asked = 1, 0\n    def get(self): self.asked += 1; return self\nb = Box()"
    )
    shell.run("b.get().value += 1")
    shell.run("%%cached\nb.get().value += 1")
    assert (shell.ns["b"].value, shell.ns["b"].asked) == (3, 2)


def test_a_loop_keeps_no_more_than_it_would(shell):
    """Dicts that a loop gets, sets something in and drops are let go on the way."""
    shell.run("import sys\nmade, most = [0], 0")
    shell.run("def make():\n    made[0] += 1\n    return {'a': made}")
    shell.run("for _ in range(5000):\n    make()['b'] = 1\n    most = max(most, sys.getrefcount(made))")
    assert shell.ns["most"] < 500


@pytest.mark.parametrize(
    "cell",
    [
        "def later(): n.get().value = 5",
        "class K:\n    def go(self): n.get().value = 5\nlater = K().go",
        "import functools\nlater = lambda: [0 for n.get().value in [5]]",
        "made = (0 for n.get().value in [5])\ndef later(): return list(made)",
        "async def run(): n.get().value = 5\ndef later():\n    try: run().send(None)\n    except StopIteration: pass",
        "if True:\n    def later(): n.get().value = 5\n    n.get().other = 1",
    ],
)
def test_what_runs_later_is_as_it_was_written(shell, cell):
    """Code that a cell defines sets what it sets when it is called in later cells."""
    shell.run(MAKE)
    assert shell.run(cell).error is None
    assert shell.run("later()").error is None
    assert shell.ns["n"].inner.value == 5
