"""What libraries keep and give back to their callers, counted as what a cell depends on."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lean_magic.errors import Unfingerprintable
from lean_magic.key.unnamed import called_from, compiled_all
from lean_magic.values import fingerprint
from lean_magic.values.code import CodeFacts, facts
from lean_magic.values.kept import Found, Kept, kept_by, kept_in

__all__ = ["KeptState", "given_back"]


class KeptState:
    """Those that the cells of one session may have changed."""

    def __init__(self) -> None:
        self._changed: dict[str, Kept] = {}

    def note(self, nodes: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> None:
        """Note what a cell, which has run, may have changed, or still holds under a name."""
        codes = called_from(dict.fromkeys(compiled_all(nodes), namespace))
        uses: dict[int, tuple[Mapping[str, Any], set[tuple[str, ...]]]] = {}
        for code, space in codes.items():
            uses.setdefault(id(space), (space, set()))[1].update(facts(code).uses)
        found = {one.label: one for space, used in uses.values() for one in kept_by(used, space)}
        if not found:
            return
        said = CodeFacts()
        for code in codes:
            said.merge(facts(code))
        held = set(map(id, namespace.values()))
        for label, kept in found.items():
            if any(_is_held(one, held) or one.may_change(said) for one in kept.found()):
                self._changed[label] = kept

    def of(self, packages: set[str]) -> Iterator[tuple[str, Any]]:
        """Give what of these packages has been changed, as it is now."""
        for label, kept in self._changed.items():
            if kept.package in packages:
                yield from _content(label, [one.value for one in kept.found()])


def _is_held(found: Found, held: set[int]) -> bool:
    """Whether something has a name in the notebook, by which later cells may change it."""
    return any(id(one) in held for one in (found.value, *found.items().values()))


def given_back(said: CodeFacts, spaces: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Give what code asks libraries for that stays, unless they make it as they are asked."""
    for label, kept in kept_in(said, spaces).items():
        yield from _content(label, [one.value for one in kept.found() if not one.fills])


def _content(label: str, values: list[Any]) -> Iterator[tuple[str, Any]]:
    """Give what can be compared: of all else nobody can tell whether it is what it was."""
    try:
        fingerprint(values)
    except Unfingerprintable:
        return
    if values:
        yield label, values[0] if len(values) == 1 else tuple(values)
