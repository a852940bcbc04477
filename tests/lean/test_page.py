"""Pages, as text and as HTML."""

import html.parser
import re
from types import SimpleNamespace

import pytest

from lean_magic import lean
from lean_magic.errors import UsageError
from lean_magic.lean.page import Code, Column, Page, Points, Table, Text, cut, publish


class Tags(html.parser.HTMLParser):
    """Checks that every tag is closed, and collects the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Note an open tag."""
        self.open.append(tag)

    def handle_endtag(self, tag):
        """Close the last one."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Collect text."""
        self.text += data


PAGE = Page(
    [
        Text("`a < b` costs $3 & $4"),
        Text("a title", title=True),
        Points(["one", "`two`"]),
        Code("if x:\n    <y>\n"),
        Table([Column("name"), Column("hits", number=True)], [["文字", "3"], ["a\nb", "12,000"]]),
    ]
)


def test_plain():
    """In a terminal a page is aligned text, wide characters included."""
    assert PAGE.plain().splitlines() == [
        "`a < b` costs $3 & $4",
        "",
        "a title",
        "  · one",
        "  · `two`",
        "  │ if x:",
        "  │     <y>",
        "name    hits",
        "文字       3",
        "a b   12,000",
    ]


def test_html():
    """In a notebook a page is escaped HTML with a theme's colours, in which dollars are no formula."""
    text = PAGE.html()
    assert "a < b costs $3 & $4" in Tags(text).text
    assert "tex2jax_ignore" in text
    assert "<code" in text
    assert "<script" not in text
    for colour in ("--jp-ui-font-color1, inherit", "--jp-border-color2, rgba("):
        assert colour in text


@pytest.mark.parametrize(("width", "shown"), [(None, "a" * 40), (30, "a" * 21 + "…"), (5, "a" * 11 + "…")])
def test_a_narrow_screen(width, shown):
    """On a narrow screen one column is shortened, but never to nothing."""
    table = Table([Column("entry"), Column("id")], [["a" * 40, "12ab56"]], bend=0)
    assert table.plain(width).splitlines()[1] == f"{shown}  12ab56"


def test_cut():
    """A text is cut where it would be too wide, with wide characters counted twice."""
    assert [cut("文字文字", width) for width in (8, 7, 4)] == ["文字文字", "文字文…", "文…"]


@pytest.mark.parametrize("kernel", [False, True])
def test_publish(kernel):
    """A notebook is given both forms, a terminal the plain one."""
    shown = []
    publisher = SimpleNamespace(publish=lambda data, metadata: shown.append((data, metadata)))
    shell = SimpleNamespace(display_pub=publisher, **({"kernel": None} if kernel else {}))
    publish(shell, PAGE)
    assert [sorted(data) for data, _ in shown] == [["text/html", "text/plain"] if kernel else ["text/plain"]]


def test_every_page_is_sound_html(notebook):
    """Every verb's page is HTML whose tags are closed, and holds what the plain one holds."""
    notebook.run(notebook.EMBED)
    place = lean.Place(notebook.runner.settings, notebook.store, notebook.runner.ledger)
    for line in ("", "ls", "why", "why embed", "show embed", "savings", "check", "prune", "clear", "config"):
        page = lean.answer(place, line.split(), notebook.runner)
        rich, plain = (re.sub(r"[\s`·│]", "", text) for text in (Tags(page.html()).text, page.plain()))
        assert rich == plain


def test_without_a_kernel(notebook):
    """`why` without a kernel is refused with the way to ask it."""
    place = lean.Place(notebook.runner.settings, notebook.store, notebook.runner.ledger, "lean-magic")
    with pytest.raises(UsageError, match="ask %lean why there"):
        lean.answer(place, ["why"])


def test_a_folder_that_cannot_be_read(notebook):
    """A cache folder that cannot be read is told in one line, with what to do."""
    notebook.folder.mkdir(mode=0o700)
    (notebook.folder / "entries").touch()
    for line in ("ls", "show x", "check", "prune", "clear --yes"):
        assert "is a file, not a folder; set LEAN_MAGIC_CACHE_DIR" in notebook.lean(line)
