"""What a cell showed is shown again, in order, and looks the same."""

import pytest
from story_kernels import plain
from story_oracle import cells, shown

SHOWS = {
    "prints": "print('a')\nprint('b', end='')\nprint()",
    "standard error": "import sys\nprint('a', file=sys.stderr)",
    "both streams around a display": """
        import sys
        print('a')
        print('b', file=sys.stderr)
        display(1)
        print('c')
        print('d', file=sys.stderr)
        """,
    "carriage returns": "for i in range(3):\n    print(f'\\r{i}', end='')",
    "writes without a line end": "import sys\nsys.stdout.write('a');",
    "writelines": "import sys\nsys.stdout.writelines(['a\\n', 'b\\n'])",
    "redirected output": "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n    print('a')\nx = out.getvalue()\nprint(x)",
    "a value": "1 + 1",
    "a value of None": "None",
    "a text": "'a'",
    "a silenced value": "1 + 1;",
    "a value after other output": "print('a')\n[1, 2]",
    "a value that is an object": "class C:\n    def __repr__(self): return 'this is C'\nC()",
    "a value with html": "class C:\n    def _repr_html_(self): return '<b>C</b>'\nC()",
    "a value with many mime types": "class C:\n    def _repr_mimebundle_(self, **_): return {'text/plain': 'C', 'application/json': {'a': 1}}\nC()",
    "a value of bytes in a picture": "class C:\n    def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n' + bytes(8)\nC()",
    "displays": "from IPython.display import HTML, Markdown\ndisplay(HTML('<b>a</b>'))\ndisplay(Markdown('*b*'), metadata={'a': 1})",
    "raw displays": "display({'text/plain': 'a', 'text/html': 'b'}, raw=True)",
    "an update of a display": """
        handle = display('a', display_id='one')
        print('between')
        handle.update('b')
        """,
    "an update by another call": """
        from IPython.display import update_display
        display('a', display_id='one')
        update_display('b', display_id='one')
        """,
    "clear_output": "from IPython.display import clear_output\nprint('a')\nclear_output()\nprint('b')",
    "clear_output in a loop": "from IPython.display import clear_output\nfor i in range(3):\n    clear_output(wait=True)\n    print(i)",
    "warnings": "import warnings\nwarnings.warn('careful')\nwarnings.warn('old', DeprecationWarning)",
    "a repeated warning": "import warnings\nfor i in range(3):\n    warnings.warn('careful')",
    "logging": "import logging\nlogging.getLogger('a').warning('b')",
    "output of a thread": "import threading\nthread = threading.Thread(target=print, args=('a',))\nthread.start()\nthread.join()\ndel thread",
    "a traceback the cell shows itself": "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    print(traceback.format_exc(limit=0))",
    "help": "help(len)",
    "a text with escapes": "print('\\x1b[31mred\\x1b[0m', '\\u2713', '\\U0001f600')",
    "a javascript display": "from IPython.display import Javascript\ndisplay(Javascript('1'))",
    # The kernel reads it in a thread, and without the cache nobody waits for that at the end of a cell.
    "C output": "import os, time\nos.write(1, b'from C\\n')\ntime.sleep(0.3)",
    "C errors": "import os, time\nos.write(2, b'from C\\n')\ntime.sleep(0.3)",
    "the value again": "x = 3\nx",
    "pprint": "from pprint import pprint\npprint({'a': list(range(30))})",
    "interactivity of an expression in the middle": "1\n2\n3",
    "a def as the last": "1\ndef f(): return 2",
    "an assignment expression": "(y := 5)",
}

FIGURES = {
    "a figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2])",
    "a figure with a silenced value": "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "a figure shown": "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "two figures": "import matplotlib.pyplot as plt\nfor i in range(2):\n    plt.figure()\n    plt.plot([i, 2])\nplt.show()\nprint('after')",
    "a layout that moves with each drawing": "import matplotlib.pyplot as plt\nfig = plt.figure(layout='constrained')\nleft, right = fig.subplots(1, 2)\nfig.colorbar(right.imshow([[1, 2]]))",
    "a figure as the value": "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])\nplt.close(fig)\nfig",
    "a figure after output": "import matplotlib.pyplot as plt\nprint('a')\nplt.hist([1, 2, 2]);\nprint('b')",
    "a picture": "from PIL import Image\nImage.new('RGB', (4, 4), 'red')",
    "a table": "import pandas as pd\npd.DataFrame({'a': [1, 2]})",
    "a styled table": "import pandas as pd\npd.DataFrame({'a': [1, 2]}).style.set_uuid('u').format('{:.2f}')",
    "tqdm": "from tqdm import tqdm\nfor i in tqdm(range(3), bar_format='{n}', mininterval=0):\n    pass",
}


@pytest.mark.parametrize("cell", SHOWS.values(), ids=SHOWS)
def test_output_comes_back(story, cell):
    """All that a cell shows is shown again, and the cell after it sees `_` and Out as after a run."""
    cell = cells(cell)[0]
    story.replays(f"%%cached\n{cell}", "print(repr(_)[:99], sorted(Out))")


@pytest.mark.parametrize("cell", FIGURES.values(), ids=FIGURES)
def test_pictures_come_back(loaded_story, cell):
    """Figures, pictures and tables are shown again with every mime type."""
    second = loaded_story.stays_right("%matplotlib inline", f"%%cached\n{cell}", "print(sorted(Out))")
    assert second.kinds == ["hit"], second


def test_out_and_underscore_are_real_objects(story):
    """`Out[n]`, `_` and the name of one object are one object after a hit."""
    story.replays(
        "'earlier'", "%%cached\nx = [1]\nx", "print(_ is x, Out[2] is x, __, _2 is x)", "_, __, ___"
    )


def test_what_forked_processes_print_comes_back(kernels):
    """What workers print, which the kernel shows whenever it comes, is shown by a hit, before the value of the cell."""
    cell = (
        "%%cached\nimport multiprocessing\nwith multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    pool.map(print, 'ab')\ndel pool\n1"
    )
    assert kernels().run(cell).kind == "miss"
    hit = kernels().run(cell)
    assert (hit.kind, hit.stdout, [kind for kind, _ in hit.events]) == ("hit", "a\nb\n", ["stdout", "value"])


def test_numbering_is_as_in_a_run(story):
    """A hit takes one number of the history, and the history holds the cell."""
    story.replays("1", "%%cached\n2", "print(len(In), sorted(Out), In[2].endswith('2'))", "3")


def test_update_of_an_earlier_display(story):
    """A cell that updates a display of an earlier cell updates it on a hit too."""
    story.replays("from IPython.display import display, update_display\ndisplay('a', display_id='one')",
                  "%%cached\nupdate_display('b', display_id='one')\nprint('done')")  # fmt: skip


def test_display_handle_of_a_replayed_cell_works(story):
    """A display handle that a replayed cell bound can be updated by the next cell."""
    story.replays("%%cached\nhandle = display('a', display_id='one')", "handle.update('b')")


def test_status_line_comes_last_and_once(kernels):
    """The status line is one display, rich in a notebook, and says hit or run."""
    for mark in ("●", "✓"):
        done = kernels().run("%%cached\nprint('a')\n1")
        assert done.status_line.startswith(mark)
        assert [kind for kind, _ in done.events] == ["stdout", "value"]


def test_no_status_line_when_quiet(kernels):
    """`--quiet` shows nothing of ours."""
    for kind in ("miss", "hit"):
        done = kernels().run("%%cached --quiet\nprint('a')")
        assert (done.kind, done.status_line, done.events) == (kind, "", [("stdout", "a\n")])


def test_status_line_in_a_terminal_is_plain(shell):
    """In a terminal the status line is one line of plain text."""
    for mark in ("●", "✓"):
        shell.run("%%cached\nx = 1")
        (line,) = shell.shown
        assert list(line) == ["text/plain"]
        assert line["text/plain"].startswith(mark)
        assert "\n" not in line["text/plain"]


def test_output_of_a_program_comes_back(story):
    """What a program that the cell starts prints is shown, whether the cell is cached or not."""
    # As for output from C: without the cache nobody waits for the thread that reads it.
    story.stays_right(
        "%%cached\nimport subprocess, sys, time\nsubprocess.run([sys.executable, '-c', 'print(1)'])\ntime.sleep(0.3)"
    )


def test_c_output_is_shown(story):
    """Output that bypasses Python is shown at all, so that its replay means something."""
    assert (
        story.run("%%cached\nimport os\nos.write(1, b'from C')\nos.write(2, b'to C');")[0].stdout == "from C"
    )


def test_bypassed_cell_shows_what_it_shows(story):
    """A cell that is not cached runs as without us."""
    story.replays("xs = []", "%%cached --off\nprint('a')\nxs.append(1)\nxs", kinds=["bypass"])


def test_seaborn_like_wrapping_of_output_is_seen(story):
    """Output of functions defined earlier counts as the cell's output."""
    done = story.replays("def say(a):\n    print(a)\n    display(a)\n    return a", "%%cached\nsay(2)")
    assert shown(done[1])[0] == {"stdout": "2\n"}
    assert plain(done[1].value) == {"text/plain": "2"}


def test_a_figure_of_a_hit_is_shown_as_a_picture(story):
    """In a kernel that has drawn nothing yet, a figure that comes back is shown by the next cell as it would be."""
    second = story.stays_right(
        "%%cached\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2])",
        "fig",
        "print(plt.isinteractive())",
    )
    assert second.kinds == ["hit"], second
    assert "image/png" in second[1].value, second[1].value


def test_a_figure_that_a_library_made(story):
    """In a kernel in which nobody has loaded pyplot, a hit on what a library draws with it is shown as it would be."""
    second = story.replays(
        "import pandas as pd", "%%cached\nax = pd.Series([1, 2]).plot()\nax.set_title('a')", "ax.figure"
    )
    assert "image/png" in second[2].value, second[2].value


def test_a_figure_that_cannot_be_drawn(loaded_story):
    """A slip in a formula shows what the shell shows of it, once, and the line says that the cell showed an error."""
    cell = "fig, ax = plt.subplots(figsize=(1, 1))\nax.set_title(r'$\\frac{$')\nprint(1);"
    second = loaded_story.stays_right(
        "%matplotlib inline\nimport matplotlib.pyplot as plt", f"%%cached\n{cell}"
    )
    assert "showed an error" in second.reason, second


def test_parts_of_several_cells_in_one_figure(loaded_story):
    """What two cells made and a third puts together hits, also where somebody has looked at it in between."""
    second = loaded_story.stays_right(
        "%matplotlib inline\nimport matplotlib.pyplot as plt",
        "%%cached\nfig, ax = plt.subplots(figsize=(1, 1))",
        "%%cached\nbox = plt.Rectangle((0, 0), 1, 1)",
        "ax.transData.inverted().transform((1, 1))",
        "%%cached\nax.add_patch(box); ax.figure",
    )
    assert second.kinds == ["hit"] * 3, second


def test_figure_of_an_earlier_cell_is_drawn_into(loaded_story):
    """A figure made in one cell, changed in the next ones and shown: each of them hits, and shows the same."""
    second = loaded_story.stays_right(
        "%matplotlib inline\nimport matplotlib.pyplot as plt",
        "%%cached\nfig, ax = plt.subplots()",
        "%%cached\nax.plot([1, 2])\nax.set_title('a')\nfig",
        "%%cached\nax.bar([0, 1], [1, 2])\nfig",
        "ax.set_xlim(0, 3)\nfig",
        "print(ax is fig.axes[0], len(ax.lines), len(ax.patches))",
    )
    assert second.kinds == ["hit"] * 3, second
