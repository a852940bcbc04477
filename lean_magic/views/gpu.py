"""`%lean gpu` in a notebook: the card of this kernel in a widget, live while somebody looks."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import ipywidgets

from lean_magic import clock
from lean_magic.errors import StoreError
from lean_magic.ledger import totals
from lean_magic.views.card import Saved, card
from lean_magic.views.figures import Figures, figures
from lean_magic.views.refresh import Refresh
from lean_magic.views.style import SHEET

if TYPE_CHECKING:
    from lean_magic.ledger import Ledger

__all__ = ["GpuView"]

_LOOKED_AT = 1000  # newest lines of the ledger, after a cell that was cached
_STEP = 2.0  # seconds: a change is drawn as a step, not as a slope from the last change to this one
_KEPT = 600  # points of a line


class GpuView:
    """The widget, and what keeps it live: `widget` is to be displayed, then `start` is to be called.

    `saved` is what the ledger says now, `price` the user's own in dollars an hour, 0 for a list price.
    """

    def __init__(self, shell: Any, ledger: Ledger, saved: Saved, price: float = 0.0) -> None:
        self._shell, self._ledger, self._price = shell, ledger, price
        self._opened, self._began, self._saved = clock.time(), saved, saved
        self._size = self._ledger_size()
        self._points: dict[str, deque[tuple[float, float]]] = {}
        self._drawn: tuple[Figures, Saved] | None = None
        self._card = ipywidgets.HTML()
        self._switch = ipywidgets.ToggleButton(value=False, icon="circle-o", description="paused")
        self._switch.layout = ipywidgets.Layout(width="84px", height="26px", margin="4px 0")
        self._told = ipywidgets.HTML(layout=ipywidgets.Layout(margin="0 0 0 8px"))
        bar = ipywidgets.HBox([self._switch, self._told]).add_class("lm-live")
        sheet = ipywidgets.HTML(SHEET).add_class("lm-sheet")
        # Beginning at 0, the front end counts the views that are open.
        self.widget = ipywidgets.VBox([sheet, self._card, bar], _view_count=0).add_class("lm-view")
        self.refresh = Refresh(self.look, lambda: bool(self.widget._view_count), self._end)  # noqa: SLF001
        self._asleep = False  # paused because nobody looked, so the next who looks wakes it
        self._switch.observe(self._switched, "value")
        self.widget.observe(self._seen, "_view_count")
        self.look()

    def start(self) -> None:
        """Be live from now on."""
        self._switch.value = True

    def close(self) -> None:
        """End, and take the widgets away."""
        self._switch.value = False
        self.widget.close()

    def look(self) -> None:
        """Look once, and draw only what is other than before: each message makes a kernel look active."""
        now = figures(self._shell, self._price)
        if (now, self._saved) != self._drawn:
            self._note(now)
            self._drawn = now, self._saved
            self._card.value = card(now, self._points, self._saved)

    def _note(self, now: Figures) -> None:
        moment = clock.time()
        for gpu in now.gpus:
            points = self._points.setdefault(gpu.uuid, deque(maxlen=_KEPT))
            if points and moment - points[-1][0] > _STEP:
                points.append((moment - _STEP, points[-1][1]))
            points.append((moment, float(gpu.reserved)))

    # -- when it is live -----------------------------------------------------------------

    def _switched(self, change: Any) -> None:
        self._asleep = False
        if change["new"]:
            self._shell.events.register("post_run_cell", self._ran)
            self.refresh.start()
        else:
            self._shell.events.unregister("post_run_cell", self._ran)
            self.refresh.stop()
        self._say()

    def _end(self) -> None:
        self._switch.value = False
        self._asleep = not self.widget._view_count  # noqa: SLF001  the one way to know

    def _seen(self, change: Any) -> None:
        if change["new"] and self._asleep:
            self.start()

    def _say(self) -> None:
        live = self._switch.value
        self._switch.icon = "circle" if live else "circle-o"
        self._switch.description = "live" if live else "paused"
        self._switch.tooltip = "Stop looking" if live else "Look every two seconds, for half an hour"
        self._told.value = "" if live else '<span class="lm-small">figures are from before</span>'

    # -- what was saved ------------------------------------------------------------------

    def _ran(self, _result: Any) -> None:
        # On the kernel's own thread, after a cell: a file opened while one is recorded would look like its doing.
        size = self._ledger_size()
        if size == self._size:
            return
        self._size = size
        try:
            more = totals(self._ledger.read(last=_LOOKED_AT), since=self._opened).seconds_saved
        except StoreError:
            return
        before = self._began
        self._saved = Saved(before.today + more, before.total + more, before.per_hour)

    def _ledger_size(self) -> int:
        try:
            return self._ledger.path.stat().st_size
        except OSError:
            return 0
