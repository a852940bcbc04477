"""A cell that ran in one kernel is put back in the next."""


def test_second_kernel_hits_and_looks_alike(story):
    """Names, output and value of a plain cell come back in a fresh kernel."""
    story.replays("k = 3", "%%cached\nxs = [i * k for i in range(4)]\nprint(sum(xs))\nxs")


def test_second_run_in_a_shell_hits(shells):
    """In a terminal's IPython a replayed cell prints, and shows its value, as the cell that ran."""
    cell = "%%cached\nx = 1\nprint('a')\nx"
    for kind in ("miss", "hit"):
        done = shells().run(cell)
        assert (done.kind, done.stdout, done.displays, done.value) == (kind, "a\nOut[1]: 1\n", [], 1)


def test_library_is_told_apart_from_its_absence(story):
    """A kernel that has never loaded a large library replays a cell that loaded it."""
    story.replays("%%cached\nimport pandas as pd\nd = pd.DataFrame({'a': [1]})", "print(d['a'].sum())")


def test_hit_in_the_same_kernel_and_the_next(story):
    """One entry serves the kernel that made it and every later one."""
    cell = "%%cached\nx = 1"
    kernel = story.run(cell).kernel
    assert kernel.run(cell).kind == "hit"
    assert story.run(cell).kind == "hit"
