"""What the views draw: sound HTML and SVG, escaped, in the colours of the theme."""

import datetime
import re

import pytest

from lean_magic.ledger import Record
from lean_magic.views import rows
from lean_magic.views.card import Saved, card, restart
from lean_magic.views.chart import bars, line, money
from lean_magic.views.contents import Contents, Day, Item
from lean_magic.views.figures import Figures, Gpu
from lean_magic.views.style import SHEET
from lean_magic.words import gib

FIRST = datetime.date(2026, 5, 1)


def days(*seconds):
    """Return days in a row that saved so many seconds each."""
    return [Day(FIRST + datetime.timedelta(n), one, int(one > 0)) for n, one in enumerate(seconds)]


def test_bars(tags):
    """Each day is a bar as tall as what it saved; a day with little is still seen, one with nothing is not."""
    drawn = bars(days(0.0, 3600.0, 1.0, 1800.0), per_hour=4.0)
    heights = [float(tall) for tall in re.findall(r'lm-bar"[^>]* height="([\d.]+)"', drawn)]
    assert heights == [0.0, 96.0, 2.5, 48.0]
    told = tags(drawn).text
    assert "2 May: 1 h saved · ≈ $4.00 · 1 hit" in told
    assert "1 May: nothing saved" in told
    assert 'aria-label="Saved in the last 4 days: 1 h 30 min, most on one day 1 h"' in drawn


@pytest.mark.parametrize("seconds", [[], [0.0], [0.0, 0.0, 0.0], [5.0]])
def test_bars_of_little(tags, seconds):
    """No day, or nothing saved, is drawn too."""
    tags(bars(days(*seconds)))


def test_line(tags):
    """A line ends at the right with the newest value, and leaves out what is too long ago."""
    drawn = line([(0.0, 9.0), (70.0, 5.0), (100.0, 10.0)], 60.0, 10.0, 'a "label"')
    assert re.search(r'polyline points="([^"]+)"', drawn)[1] == "50.00,51.50 100.00,4.00"
    assert "&quot;label&quot;" in drawn
    tags(drawn)
    tags(line([], 60.0, 0.0, ""))


def test_money():
    """An amount is an estimate, and never a zero where it is only small or not known."""
    assert [money(amount) for amount in (None, 0.0, 0.001, 1234.5)] == [
        "",
        "≈ $0.00",
        "< $0.01",
        "≈ $1,234.50",
    ]


def test_entry(tags, manifest, nasty):
    """An entry shows its figures, why it ran and its code, all of it escaped."""
    ran = Record(900.0, "miss", seconds=72.0, reasons=(f"`{nasty}` changed", "second"))
    item = Item(
        manifest("ab12cd34ef", label=nasty, source=f"# {nasty}", size=38_000_000), 3, 7200.0, 990.0, ran
    )
    read = tags(rows.entry(item, 3.0, 1000.0))
    assert "img" not in read.names
    for told in (
        nasty,
        "38 MB",
        "2 h",
        "≈ $6.00",
        "ran 1 min 12 s",
        "second",
        "10 s ago",
        "%lean show ab12cd34",
    ):
        assert told in read.text


def test_entry_without_a_past(tags, manifest):
    """An entry that the ledger does not know says so, with a dash for what was not saved."""
    read = tags(rows.entry(Item(manifest(source="y = 2")), None, 1000.0))
    assert "—" in read.text
    assert "not since it was made" in read.text
    assert "$" not in read.text


def test_a_run_that_was_not_stored(manifest):
    """A run that was not stored is told apart from one that was."""
    ran = Record(0.0, "bypass", seconds=2.0, reasons=("`f` is an open file",))
    assert rows.why(Item(manifest(), ran=ran)) == "ran 2.0 s, not stored: `f` is an open file"


def test_top(tags):
    """The top tells time, money and hits beside the chart, or how to begin."""
    read = tags(rows.top(Contents((), days(60.0), 2, 7200.0), 2.0, "a <price>"))
    assert "2 h" in read.text
    assert "≈ $4.00 · 2 hits" in read.text
    assert "svg" in read.names
    assert "Nothing saved yet" in tags(rows.top(Contents(), None, "")).text


def test_message(tags, nasty):
    """A message is escaped; none is no element."""
    assert tags(rows.message(nasty, bad=True)).text == nasty
    assert rows.message("") == ""
    assert rows.last_run("") == ""


GPU = Gpu("GPU-1", 40 << 30, 30 << 30, 0, "NVIDIA H100 80GB HBM3", 80 << 30, 4.0)


def test_card(tags):
    """The card shows what is held, used and kept of each GPU, what that costs, and what of the notebook is cached."""
    points = {"GPU-1": [(0.0, 1.0), (9.0, 2.0)]}
    read = tags(card(Figures((GPU,), cells=11, cached=9, restart=40.0), points, Saved(60.0, 7200.0, 4.0)))
    for told in ("GPU 0 · H100 80GB HBM3", "40.0 GiB", "30.0 GiB", "10.0 GiB", "of 80.0 GiB", "≈ $2.00/h"):
        assert told in read.text
    assert "9 of 11 cells cached, a restart takes ≈ 40.0 s" in read.text
    assert "1 min (≈ $0.07) today, 2 h (≈ $8.00) in total" in read.text
    assert "polyline" in read.names


def test_card_of_what_is_hardly_known(tags, nasty):
    """A GPU of which little is known shows no figure that is made up, and its name is escaped."""
    read = tags(card(Figures((Gpu("GPU-1", 5 << 20, 9 << 20, name=nasty),)), {}, Saved()))
    assert "img" not in read.names
    assert "5 MiB" in read.text
    assert "$" not in read.text
    assert " of " not in read.text


def test_card_without_a_gpu(tags):
    """Without a GPU the card says why, and is no blank."""
    read = tags(card(Figures(why="No <GPU>."), {}, Saved()))
    assert "No <GPU>." in read.text
    assert "no GPU memory" in read.text


@pytest.mark.parametrize(("count", "said"), [(0, "0 MiB"), ((1 << 30) - 1, "1.0 GiB"), (5 << 20, "5 MiB")])
def test_sizes(count, said):
    """Memory is said in powers of 1024, as drivers do."""
    assert gib(count) == said


def test_restart():
    """Before the first cell nothing is said of a restart; one cell is one."""
    assert restart(Figures()) == ""
    assert restart(Figures(cells=1, cached=0, restart=3.0)) == "0 of 1 cell cached, a restart takes ≈ 3.0 s"


def test_the_sheet_touches_nothing_else():
    """Every rule begins with a class of ours, and every colour of a theme has one to fall back on."""
    plain = re.sub(r"/\*.*?\*/", "", SHEET, flags=re.DOTALL)
    for selectors in re.findall(r"(?:^|\}|\{)\s*([^{}@]+)\{", plain.removeprefix("<style>")):
        assert all(".lm-" in selector for selector in selectors.split(",")), selectors
    assert all("," in use for use in re.findall(r"var\(--jp-[^)]*\)?", plain))
