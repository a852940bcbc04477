"""The line of `%%cached`."""

import pytest

from lean_magic.errors import UsageError
from lean_magic.options import parse_options


def test_everything_at_once():
    """All options can stand on one line, in any order, repeatable ones repeated."""
    options = parse_options(
        "name --ttl 12h --depends 'a + b' --depends c --ignore d --drop=e --refresh --quiet"
    )
    assert (options.label, options.ttl) == ("name", 43200.0)
    assert (options.depends, options.ignore, options.drop) == (("a + b", "c"), ("d",), ("e",))
    assert (options.refresh, options.quiet, options.readonly, options.off) == (True, True, False, False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--rfresh", "did you mean --refresh"),
        ("--depend x", "did you mean --depends"),
        ("--ttl", "needs a value"),
        ("--ttl soon", "--ttl: 'soon' is not a duration"),
        ("--ignore a.b", "name of a variable"),
        ("--depends 'a +'", "Python expression"),
        ("one two", "one NAME only"),
        ("'open", "cannot be read"),
    ],
)
def test_mistakes(line, words):
    """A mistake gives one error that says what is wrong and names the nearest right thing."""
    with pytest.raises(UsageError, match=words):
        parse_options(line)
