"""The widgets: pressing, typing and looking, as a front end would do it, without one."""

import time
from types import SimpleNamespace

import pytest

pytest.importorskip("ipywidgets")

from lean_magic.errors import StoreError  # noqa: E402
from lean_magic.ledger import Ledger  # noqa: E402
from lean_magic.settings import LeanMagic  # noqa: E402
from lean_magic.views.browser import Browser, Cache  # noqa: E402
from lean_magic.views.card import Saved  # noqa: E402
from lean_magic.views.gpu import GpuView  # noqa: E402


class Shelf:
    """A store in memory; `stuck` makes deleting fail."""

    def __init__(self, entries):
        self.entries, self.stuck = entries, False

    def list(self):
        """Yield the entries."""
        yield from self.entries

    def delete(self, entry):
        """Delete one."""
        if self.stuck:
            raise StoreError("the disk is <stuck>")
        self.entries.remove(entry)


@pytest.fixture
def browse(tmp_path, manifest):
    """Yield a browser over 23 entries, the first of them without a label."""
    entries = [
        manifest(
            f"{n:04x}", f"{n:x}", label=f"cell{n}" if n else "", source=f"x = {n}", created=float(n), size=n
        )
        for n in range(23)
    ]
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.append({"time": time.time(), "outcome": "hit", "entry": "0005", "saved": 60.0})
    return Browser(Cache(LeanMagic(), Shelf(entries), ledger, lambda: "<b>last</b>", 2.0, "a price"))


def shown(browser):
    """Return the ids of the entries on the page."""
    return [row.item.entry.entry for row in browser._rows if row.item is not None]


def test_pages(browse):
    """Ten entries are on a page, newest first, and the buttons turn it as far as there are any."""
    assert shown(browse)[0] == "0016"
    assert "1–10 of 23 entries" in browse._count.value
    assert browse._before.disabled
    for _ in range(2):
        browse._after.click()
    assert shown(browse) == ["0002", "0001", "0000"]
    assert browse._after.disabled
    assert browse._rows[3].widget.layout.display == "none"
    browse._before.click()
    assert len(shown(browse)) == 10


def test_filter_and_order(browse):
    """What is typed chooses entries from the first page on, and another order sorts them."""
    browse._after.click()
    browse._filter.value = "cell1"
    assert len(shown(browse)) == 10
    assert shown(browse)[0] == "0013"
    browse._filter.value = "cell5"
    assert "1 entry" in browse._count.value
    assert browse._after.layout.display == "none"
    browse._filter.value = "nowhere"
    assert "No entry has that" in browse._none.value
    browse._filter.value = ""
    browse._order.value = "most hits"
    assert shown(browse)[0] == "0005"


def test_pin(browse):
    """A pin is a label in the settings of this kernel; a second press takes it back, and without a label there is none."""
    row = browse._rows[0]
    row._pinned.click()
    assert browse._cache.settings.pinned == ["cell22"]
    assert "mod-active" in row._pinned._dom_classes
    assert "c.LeanMagic.pinned = [&#x27;cell22&#x27;]" in browse._message.value
    row._pinned.click()
    assert browse._cache.settings.pinned == []
    assert "mod-active" not in row._pinned._dom_classes
    browse._filter.value = "0000"
    assert row._pinned.disabled
    assert "%%cached NAME" in row._pinned.tooltip


def test_delete_asks_once_more(browse):
    """The first press asks, the second deletes; any other press in between keeps the entry."""
    first, second = browse._rows[:2]
    first._trash.click()
    assert first._trash.description == "Delete"
    second._trash.click()
    assert first._trash.description == ""
    second._pinned.click()
    assert second._trash.description == ""
    assert len(browse._cache.store.entries) == 23
    first._trash.click()
    first._trash.click()
    assert "0016" not in {entry.entry for entry in browse._cache.store.entries}
    assert shown(browse)[0] == "0015"
    assert "22 entries" in browse._count.value
    assert first._trash.description == ""
    assert "Deleted cell22" in browse._message.value


def test_delete_that_fails(browse):
    """An entry that cannot be deleted stays, and the reason is told, escaped."""
    browse._cache.store.stuck = True
    for _ in range(2):
        browse._rows[0]._trash.click()
    assert shown(browse)[0] == "0016"
    assert "the disk is &lt;stuck&gt;" in browse._message.value


def test_read_again(browse, manifest):
    """What was stored meanwhile is seen once the cache is read again."""
    browse._cache.store.entries.append(manifest("ffff", "ff", label="new", created=99.0))
    browse._tools.children[-1].click()
    assert shown(browse)[0] == "ffff"
    assert "<b>last</b>" in browse._last.value


def test_an_empty_cache(tmp_path):
    """A cache without anything in it says so, and how to begin."""
    browser = Browser(Cache(LeanMagic(), Shelf([]), Ledger(tmp_path / "none"), lambda: ""))
    assert "No entry is stored yet" in browser._none.value
    assert "Nothing saved yet" in browser._top.value


# -- the GPUs ------------------------------------------------------------------------------


class Events:
    """The events of a shell."""

    def __init__(self):
        self.callbacks = []

    def register(self, _event, callback):
        """Add one."""
        self.callbacks.append(callback)

    def unregister(self, _event, callback):
        """Take one away."""
        self.callbacks.remove(callback)


@pytest.fixture
def view(tmp_path, cuda):
    """Yield a view of one GPU; it is closed afterwards."""
    shell = SimpleNamespace(events=Events())
    view = GpuView(shell, Ledger(tmp_path / "ledger.jsonl"), Saved(60.0, 120.0, 2.0))
    yield view
    view.close()


def test_the_card_follows_the_kernel(view, cuda):
    """A change is drawn; no change is no message, for that would make an idle kernel look active."""
    assert "8.0 <small>GiB" in view._card.value
    messages = []
    view._card.observe(lambda change: messages.append(change["new"]), "value")
    view.look()
    assert messages == []
    cuda.held[0] = 16 << 30
    view.look()
    assert len(messages) == 1
    assert "16.0 <small>GiB" in messages[0]
    assert "<polyline" in messages[0]


def test_live_and_paused(view):
    """It is live once it is started, and the button pauses it and goes on; nothing is left behind."""
    assert not view.refresh.is_live
    view.start()
    assert view.refresh.is_live
    assert view._switch.description == "live"
    assert len(view._shell.events.callbacks) == 1
    view._switch.value = False
    assert not view.refresh.is_live
    assert view._shell.events.callbacks == []
    assert "figures are from before" in view._told.value


def test_it_sleeps_unseen_and_wakes(view):
    """Where nobody looked it pauses, and goes on when somebody does; one who paused it by hand is not woken."""
    view.start()
    view._end()
    assert not view.refresh.is_live
    view.widget._view_count = 1
    assert view.refresh.is_live
    view._switch.value = False
    view.widget._view_count = 2
    assert not view.refresh.is_live


def test_savings_follow_the_ledger(view):
    """After a cell that was cached the savings are summed up anew; after another nothing is read."""
    view.start()
    view._ledger.append({"time": time.time() + 1, "outcome": "hit", "saved": 3600.0})
    for _ in range(2):
        view._ran(None)
    view.look()
    assert "1 h 1 min" in view._card.value
    assert "1 h 2 min" in view._card.value
