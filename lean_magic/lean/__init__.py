"""The verbs of `%lean`: each reads the store or the ledger and answers with a page.

request   a line → a verb, its operand and options; a wrong word is told with the nearest right one
look      ls, savings, config: they change nothing
entry     show
tidy      check, prune, clear
why       why a cell ran; it needs a kernel
gpu       what this kernel holds of each GPU; it needs a kernel
notebook  the two that are live where a front end shows widgets: gpu, and `%lean` alone
page      sentences, code and tables, as plain text or as HTML
"""

from __future__ import annotations

from shlex import split  # as it is now: code of the user's may replace it
from typing import TYPE_CHECKING

from lean_magic.errors import UsageError
from lean_magic.lean import entry, look, tidy
from lean_magic.lean.page import Page, publish
from lean_magic.lean.place import Place
from lean_magic.lean.request import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lean_magic.lean.request import Request
    from lean_magic.runner import Runner

__all__ = ["answer", "run"]

_VERBS: dict[str, Callable[[Place, Request], Page]] = {
    "ls": look.ls,
    "show": entry.show,
    "savings": look.savings,
    "config": look.config,
    "check": tidy.check,
    "prune": tidy.prune,
    "clear": tidy.clear,
    "help": look.overview,
}


def run(runner: Runner, line: str) -> None:
    """Answer one line of `%lean` on the screen. Raises UsageError, StoreError."""
    place = Place(runner.settings, runner.store, runner.ledger)
    words = _words(line)
    from lean_magic.lean import notebook  # a terminal command can do without

    if not words and notebook.can_show(runner.shell):
        notebook.browse(runner, place)
    elif words == ["gpu"] and notebook.can_show(runner.shell):
        notebook.show_gpu(runner, place)
    else:
        publish(runner.shell, answer(place, words, runner))


def answer(place: Place, words: Sequence[str], runner: Runner | None = None) -> Page:
    """Answer one verb with its operand and options; `why` and `gpu` need a runner. Raises UsageError, StoreError."""
    request = parse(words, place.command)
    name = request.verb.name
    if name in _VERBS:
        return _VERBS[name](place, request)
    if runner is None:
        raise UsageError(
            f"{place.command}: {name} needs the kernel that runs the cell; ask %lean {name} there"
        )
    if name == "gpu":
        from lean_magic.lean.gpu import gpu

        return gpu(runner, place)
    from lean_magic.lean.why import why  # it needs IPython, which a terminal command can do without

    return why(runner, place, request)


def _words(line: str) -> list[str]:
    try:
        return split(line)
    except ValueError as error:
        raise UsageError(f"%lean: {line!r} cannot be read: {error}") from None
