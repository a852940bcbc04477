"""What earlier runs tell about a cell: the nearest entry, the ledger's line, the status line on screen."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from lean_magic import clock
from lean_magic.host import new_id
from lean_magic.key import Key
from lean_magic.ledger import Ledger, Record
from lean_magic.outcome import Bypass, Hit, Miss, Outcome
from lean_magic.store import LocalStore, Manifest

__all__ = ["Notice", "nearest", "publisher", "record", "show_line"]

_LOOKED_AT = 200  # entries and ledger lines: reasons are worth a glance, not a search


def nearest(store: LocalStore, ledger: Ledger, key: Key, label: str, cell_id: str) -> Manifest | None:
    """Find the entry most like the present: of the same code, else of the same cell or label."""
    entries = [entry for entry, _ in zip(store.list(key.family), range(_LOOKED_AT), strict=False)]
    if not entries:
        entries = list(_earlier(store, ledger, label, cell_id))[:1]
    return max(entries, key=lambda entry: (*_likeness(entry, key), entry.created), default=None)


def _likeness(entry: Manifest, key: Key) -> tuple[int, int]:
    """Say how many parts are equal and, among entries that agree in this, how many have the same name."""
    common = entry.parts.keys() & key.parts.keys()
    equal = sum(entry.parts[name].digest == key.parts[name].digest for name in common)
    return equal, 2 * len(common) - len(entry.parts)


def _earlier(store: LocalStore, ledger: Ledger, label: str, cell_id: str) -> Iterator[Manifest]:
    """Give entries that the same cell had under other code, newest first."""
    if not label and not cell_id:
        return
    for line in reversed(list(ledger.read(last=_LOOKED_AT))):
        same = (label and line.get("label") == label) or (cell_id and line.get("cell_id") == cell_id)
        if same and line.get("family") and line.get("outcome") != "bypass":
            yield from store.get(line["family"], line["key"])


def record(outcome: Outcome, key: Key | None, label: str, cell_id: str) -> Mapping[str, Any]:
    """Make the ledger's line for an outcome."""
    kind = "hit" if isinstance(outcome, Hit) else "miss" if isinstance(outcome, Miss) else "bypass"
    reasons = (
        outcome.reasons
        if isinstance(outcome, Miss)
        else (outcome.reason,)
        if isinstance(outcome, Bypass)
        else ()
    )
    return Record(
        time=clock.time(),
        outcome=kind,
        label=label,
        cell_id=cell_id,
        family=key.family if key else "",
        key=key.digest if key else "",
        entry=getattr(outcome, "entry", ""),
        seconds=outcome.seconds,
        saved=outcome.saved if isinstance(outcome, Hit) else 0.0,
        reasons=reasons,
    ).to_json()


_STYLE = (
    "color: var(--jp-ui-font-color2, #707070); font-size: 0.9em; "
    "font-family: var(--jp-ui-font-family, sans-serif)"
)


def show_line(shell: Any, line: str, kind: str = "status") -> None:
    """Show one line of a kind: quiet grey text in a notebook, plain text in a terminal."""
    _publish(shell, data=_rich(shell, line, kind), metadata={})


# By shell. A publisher holds its shell, which would live for ever if it were held here.
_publishers: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def publisher(shell: Any) -> Any:
    """Give what shows to the user what a shell publishes, also while `%%capture` keeps what a cell shows."""
    now = shell.display_pub
    if type(now).__name__ != "CapturingDisplayPublisher":
        _publishers[shell] = weakref.ref(now)
    return _publishers.get(shell, lambda: now)() or now


def _publish(shell: Any, **told: Any) -> None:
    """Show what is no output of the cell's."""
    shows = publisher(shell)
    captured = shows is not shell.display_pub and not hasattr(shell, "kernel")
    with contextlib.redirect_stdout(sys.__stdout__) if captured else contextlib.nullcontext():
        shows.publish(**told)


def _rich(shell: Any, line: str, kind: str = "status") -> dict[str, str]:
    if not hasattr(shell, "kernel"):
        return {"text/plain": line}
    import html

    rich = f'<div class="lean-magic-{kind} tex2jax_ignore mathjax_ignore" style="{_STYLE}">{html.escape(line)}</div>'
    return {"text/plain": line, "text/html": rich}


class Notice:
    """One line that changes while something is waited for; a terminal shows its first form alone."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._id = ""

    def show(self, line: str) -> None:
        """Show the line in the place of the one before."""
        known = bool(self._id)
        self._id = self._id or new_id()
        if known and not hasattr(self._shell, "kernel"):
            return
        options = {"transient": {"display_id": self._id}, "update": known}
        _publish(self._shell, data=_rich(self._shell, line, "notice"), metadata={}, **options)
