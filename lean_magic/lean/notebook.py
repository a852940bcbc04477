"""The two verbs that are live in a notebook: `%lean gpu`, and `%lean` alone, which opens the cache browser.

Each display has its text, too, for where widgets are not shown: a saved page, a document made of the notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lean_magic import clock, views
from lean_magic.lean import look
from lean_magic.lean.gpu import gpu
from lean_magic.lean.page import Page, publish
from lean_magic.lean.request import parse
from lean_magic.ledger import totals
from lean_magic.views import can_show

if TYPE_CHECKING:
    from lean_magic.lean.place import Place
    from lean_magic.runner import Runner

__all__ = ["browse", "can_show", "show_gpu"]


def show_gpu(runner: Runner, place: Place) -> None:
    """Show this kernel's GPUs, live. Raises StoreError."""
    from lean_magic.views.card import Saved
    from lean_magic.views.gpu import GpuView

    per_hour, _ = look.price(place.settings)
    records = list(place.ledger.read())
    today, total = (totals(records, since).seconds_saved for since in (look.midnight(clock.time()), None))
    view = GpuView(runner.shell, place.ledger, Saved(today, total, per_hour), place.settings.price_per_hour)
    publish(runner.shell, gpu(runner, place), views.bundle(view.widget))
    view.start()


def browse(runner: Runner, place: Place) -> None:
    """Show the cache browser. Raises StoreError."""
    from lean_magic.views.browser import Browser, Cache

    per_hour, source = look.price(place.settings)
    told = [look.savings(place, parse(["savings"])), look.ls(place, parse(["ls"]))]
    cache = Cache(place.settings, place.store, place.ledger, lambda: _last(runner), per_hour, source)
    page = Page([block for page in told for block in page.blocks])
    publish(runner.shell, page, views.bundle(Browser(cache).widget))


def _last(runner: Runner) -> str:
    from lean_magic.lean.why import last

    return last(runner.last).html() if runner.last is not None else ""
