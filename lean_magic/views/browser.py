"""The cache browser, `%lean` alone in a notebook: what is stored, what it saved, and the hands to tidy it with.

It reads the store when it is opened, and when it is asked to. Rows are made once and filled again for each page.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets

from lean_magic import clock
from lean_magic.errors import LeanMagicError
from lean_magic.views import rows
from lean_magic.views.contents import ORDERS, Contents, Item, arranged, contents, named
from lean_magic.views.style import SHEET
from lean_magic.words import size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lean_magic.ledger import Ledger
    from lean_magic.settings import LeanMagic
    from lean_magic.store import Store

__all__ = ["Browser", "Cache"]

_PAGE = 10  # entries that are shown at once
_SMALL = {"width": "34px", "height": "28px"}


@dataclass(frozen=True, slots=True)
class Cache:
    """What a browser looks at: one cache, how its savings are priced, and how this kernel's last cell ended."""

    settings: LeanMagic
    store: Store
    ledger: Ledger
    last_run: Callable[[], str]  # HTML; "" before the first
    per_hour: float | None = None
    price_source: str = ""


class _Row:
    """The widgets of one entry."""

    def __init__(self, pin: Callable[[Item], None], delete: Callable[[Item], None], armed: Any) -> None:
        self.item: Item | None = None
        self._pin, self._delete, self._armed = pin, delete, armed
        self._text = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 0", min_width="0", margin="0"))
        self._pinned = ipywidgets.Button(icon="thumb-tack", layout=ipywidgets.Layout(**_SMALL)).add_class(
            "lm-pin"
        )
        self._trash = ipywidgets.Button(icon="trash", layout=ipywidgets.Layout(**_SMALL))
        self._pinned.on_click(self._press_pin)
        self._trash.on_click(self._press_delete)
        self.widget = ipywidgets.HBox([self._text, self._pinned, self._trash]).add_class("lm-row")

    def show(self, item: Item | None, cache: Cache) -> None:
        """Show an entry; None shows nothing."""
        self.item = item
        self.widget.layout.display = None if item else "none"
        if item is None:
            return
        self._text.value = rows.entry(item, cache.per_hour, clock.time())
        self.mark(cache.settings.pinned)
        self.disarm()

    def mark(self, pinned: Sequence[str]) -> None:
        """Show whether the entry is pinned."""
        label = self.item.entry.label if self.item else ""
        is_pinned = label in pinned
        self._pinned.disabled = not label
        (self._pinned.add_class if is_pinned else self._pinned.remove_class)("mod-active")
        told = f"Unpin {label}" if is_pinned else f"Pin {label}: it is never evicted"
        self._pinned.tooltip = told if label else "To pin a cell, give it a name: %%cached NAME"

    def disarm(self) -> None:
        """Let the next press on delete ask once more."""
        self._trash.description, self._trash.icon, self._trash.button_style = "", "trash", ""
        self._trash.layout.width, self._pinned.layout.display = _SMALL["width"], None
        if self.item is not None:
            self._trash.tooltip = f"Delete {named(self.item.entry)}, {size(self.item.size)}"

    def _arm(self) -> None:
        self._trash.description, self._trash.icon, self._trash.button_style = "Delete", "", "danger"
        self._trash.layout.width, self._pinned.layout.display = "70px", "none"
        self._trash.tooltip = "Press again to delete; any other button keeps it"

    def _press_pin(self, _button: Any) -> None:
        self._armed(None)
        if self.item is not None:
            self._pin(self.item)

    def _press_delete(self, _button: Any) -> None:
        if self.item is not None and self._trash.button_style == "danger":
            self._delete(self.item)
        elif self.item is not None:
            self._armed(self)
            self._arm()


class Browser:
    """The widget and what it shows; `widget` is to be displayed."""

    def __init__(self, cache: Cache) -> None:
        self._cache, self._contents, self._from = cache, Contents(), 0
        self._rows = [_Row(self._pin, self._delete, self._disarm) for _ in range(_PAGE)]
        self._top, self._last, self._message = (ipywidgets.HTML() for _ in range(3))
        self._heads, self._none = ipywidgets.HTML(rows.HEADS), ipywidgets.HTML()
        self._make_tools()
        self._make_pages()
        list_ = ipywidgets.VBox([self._heads, *(row.widget for row in self._rows), self._none])
        sheet = ipywidgets.HTML(SHEET).add_class("lm-sheet")
        self.widget = ipywidgets.VBox(
            [sheet, self._top, self._last, self._tools, list_, self._pages, self._message]
        ).add_class("lm-view")
        self.read()

    def _make_tools(self) -> None:
        wide = ipywidgets.Layout(flex="1 1 90px", width="auto", min_width="0")
        placeholder = "filter by label, code or id"
        self._filter = ipywidgets.Text(placeholder=placeholder, layout=wide, continuous_update=True)
        self._filter.tooltip = "Filter the entries"
        self._order = ipywidgets.Dropdown(options=list(ORDERS), layout=ipywidgets.Layout(width="132px"))
        self._order.tooltip = "Order of the entries"
        again = ipywidgets.Button(
            icon="refresh", tooltip="Read the cache again", layout=ipywidgets.Layout(width="34px")
        )
        self._filter.observe(self._chosen, "value")
        self._order.observe(self._chosen, "value")
        again.on_click(lambda _button: self.read())
        self._tools = ipywidgets.HBox([self._filter, self._order, again]).add_class("lm-tools")

    def _make_pages(self) -> None:
        small = {"layout": ipywidgets.Layout(width="34px")}
        self._count = ipywidgets.HTML(layout=ipywidgets.Layout(flex="1 1 auto", width="auto"))
        self._before = ipywidgets.Button(icon="chevron-left", tooltip="The entries before", **small)
        self._after = ipywidgets.Button(icon="chevron-right", tooltip="The entries after", **small)
        self._before.on_click(lambda _button: self._turn(-_PAGE))
        self._after.on_click(lambda _button: self._turn(_PAGE))
        self._pages = ipywidgets.HBox([self._count, self._before, self._after]).add_class("lm-pages")

    # -- what is shown -------------------------------------------------------------------

    def read(self) -> None:
        """Read store and ledger, and show what they hold now."""
        cache = self._cache
        today = datetime.datetime.now().astimezone().date()
        try:
            self._contents = contents(cache.store.list(), cache.ledger.read(), today)
        except LeanMagicError as error:
            self._say(str(error), bad=True)
            return
        self._top.value = rows.top(self._contents, cache.per_hour, cache.price_source)
        self._last.value = rows.last_run(cache.last_run())
        self._say("")
        self._show()

    def _show(self) -> None:
        found = arranged(self._contents.items, self._filter.value, self._order.value)
        last = max((len(found) - 1) // _PAGE * _PAGE, 0)
        self._from = min(self._from, last)
        page = found[self._from : self._from + _PAGE]
        for position, row in enumerate(self._rows):
            row.show(page[position] if position < len(page) else None, self._cache)
        self._say_count(found)
        self._before.disabled, self._after.disabled = self._from == 0, self._from == last
        shown = None if len(found) > _PAGE else "none"
        self._before.layout.display = self._after.layout.display = shown

    def _say_count(self, found: Sequence[Item]) -> None:
        having = "has that in its label, code or id" if self._contents.items else "is stored yet"
        self._none.value = "" if found else f'<div class="lm-none">No entry {having}.</div>'
        self._heads.layout.display = None if found else "none"
        held = size(sum(item.size for item in found))
        entries = "1 entry" if len(found) == 1 else f"{len(found):,} entries"
        span = f"{self._from + 1}–{min(self._from + _PAGE, len(found))} of " if len(found) > _PAGE else ""
        budget = f", of {size(self._cache.settings.budget)} that the cache may hold"
        self._count.value = f'<span class="lm-small">{span}{entries}, {held}{budget}</span>' if found else ""

    def _say(self, text: str, *, bad: bool = False) -> None:
        self._message.value = rows.message(text, bad=bad)

    # -- what is pressed -----------------------------------------------------------------

    def _chosen(self, _change: Any) -> None:
        self._from = 0
        self._show()

    def _turn(self, by: int) -> None:
        self._from = max(self._from + by, 0)
        self._show()

    def _disarm(self, kept: _Row | None) -> None:
        for row in self._rows:
            if row is not kept:
                row.disarm()

    def _pin(self, item: Item) -> None:
        """Pin the entries of a label, or let them go; for the settings have pins by label."""
        settings, label = self._cache.settings, item.entry.label
        if label in settings.pinned:
            settings.pinned = [other for other in settings.pinned if other != label]
            self._say(f"{label} is not pinned any more: it may be evicted when the cache is full.")
        else:
            settings.pinned = [*settings.pinned, label]
            kept = f"c.LeanMagic.pinned = {settings.pinned!r} in ipython_config.py pins it in every kernel"
            self._say(f"{label} is pinned in this kernel, which never evicts it; {kept}.")
        for row in self._rows:
            row.mark(settings.pinned)

    def _delete(self, item: Item) -> None:
        try:
            self._cache.store.delete(item.entry)
        except LeanMagicError as error:
            self._disarm(None)
            self._say(str(error), bad=True)
            return
        left = [other for other in self._contents.items if other is not item]
        was = self._contents
        self._contents = Contents(left, was.days, was.hits, was.saved)
        self._show()
        self._say(f"Deleted {named(item.entry)}, {size(item.size)}; its cell runs the next time.")
