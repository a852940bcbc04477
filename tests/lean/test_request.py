"""Lines of `%lean`, right and wrong."""

import pytest


def test_alone(notebook):
    """`%lean` alone says what each verb does, in a line each."""
    lines = notebook.lean().splitlines()
    verbs = ["ls", "why", "show", "savings", "gpu", "check", "prune", "clear", "config"]
    assert [line.split()[1] for line in lines] == verbs
    assert "%lean prune [--max-size 20G]" in notebook.lean("ls --help")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lst", "no verb 'lst'; did you mean ls?"),
        ("wyh", "did you mean why?"),
        ("xyzzy", "there is ls, why, show, savings, gpu, check, prune, clear, config"),
        ("ls --al", "%lean ls: no option --al; did you mean --all?"),
        ("ls --all=3", "--all takes no value"),
        ("savings --all", "no option --all; it has none"),
        ("savings today", "%lean savings: takes nothing, not 'today'"),
        ("check embed", "takes only --fix, not 'embed'"),
        ("show", "%lean show needs an ENTRY"),
        ("show a b", "one ENTRY only, not 'a' and 'b'"),
        ("show nothing", "no entry has the label or id 'nothing'"),
        ("prune --max-size", "--max-size needs a value, as in --max-size 20G"),
        ("prune --max-size --all", "--max-size needs a value"),
        ("prune --max-size 20X", "--max-size: '20X' is not a size"),
        ("prune --maxsize 20G", "did you mean --max-size?"),
        ("ls 'a", "cannot be read: No closing quotation"),
        ("why embed", "no cell 'embed' has run in this kernel or is stored"),
    ],
)
def test_wrong_lines(notebook, line, told):
    """A wrong line is one line that names what is right, without a traceback."""
    said = notebook.lean(line)
    assert told in said
    assert said.startswith("UsageError: ")
    assert len(said.splitlines()) == 1
