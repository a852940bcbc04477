"""What functions of libraries give back to a cell that the library keeps: a cell that changes it is not stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from lean_magic.effects.recorder import Run
from lean_magic.errors import Unfingerprintable, Unstorable
from lean_magic.values import fingerprint
from lean_magic.values.kept import Found, kept_in, may_change

__all__ = ["Inside"]


class _State(NamedTuple):
    """One object as it was: what can be compared of it, and its digest where something in the code may change it."""

    found: Found
    content: Any
    digest: str


class Inside:
    """Compares what libraries keep before and after a cell."""

    def __init__(self, run: Run) -> None:
        self._before = {
            label: {id(one.value): _state(one, run) for one in found} for label, found in _found(run)
        }

    def must_be_unchanged(self, run: Run) -> None:
        """Refuse what was changed, and what was made and may have been changed since. Raises Unstorable."""
        held = set(map(id, run.namespace.values()))
        for label, found in _found(run):
            before = self._before.get(label, {})
            if before.keys() - {id(one.value) for one in found}:
                raise _changed(label)
            for one in found:
                state = before.get(id(one.value))
                made = [one.value] if state is None else _added(state)
                if any(id(new) in held or may_change(run.said, new) for new in made):
                    raise Unstorable(
                        label, "is made by this cell inside a library", "call it in a cell before"
                    )
                if state is not None and not _is_same(state):
                    raise _changed(label)


def _found(run: Run) -> Iterator[tuple[str, list[Found]]]:
    for label, kept in kept_in(run.said, run.walk.spaces.values()).items():
        yield label, kept.found()


def _state(one: Found, run: Run) -> _State:
    """Take down what there is now; what fills by itself may get more items."""
    content = one.items() if one.fills and isinstance(one.value, (dict, list)) else one.value
    if one.fills and not one.may_change(run.said):
        return _State(one, content, "")
    digest = _digest(content)
    if not digest and one.may_change(run.said):
        raise Unfingerprintable(
            type(one.value).__qualname__, "is kept by a library, and may be changed here", _REMEDY
        )
    return _State(one, content, digest)


def _added(state: _State) -> list[Any]:
    """Give the items that a container which fills by itself has got."""
    now = state.found.items() if state.content is not state.found.value else {}
    return [item for key, item in now.items() if key not in state.content]


def _is_same(state: _State) -> bool:
    if state.content is not state.found.value:
        now = state.found.items()
        if any(now.get(key, _GONE) is not item for key, item in state.content.items()):
            return False
    return not state.digest or _digest(state.content) == state.digest


_GONE = object()
_REMEDY = "change it in an uncached cell"


def _digest(value: Any) -> str:
    try:
        return fingerprint(value)
    except Unfingerprintable:
        return ""


def _changed(label: str) -> Unstorable:
    return Unstorable(label, "was changed inside a library", _REMEDY)
