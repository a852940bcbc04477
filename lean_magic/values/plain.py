"""Collections of Python's own plain values, digested in one go rather than one by one.

`marshal.dumps(value, 2)` depends on content alone for exact built-in types: version 2 knows neither references
nor interned strings (https://docs.python.org/3/library/marshal.html). It writes any buffer object as plain bytes,
so the types of all elements are looked at first; and sets come out of it in any order, so they are sorted.
Which way a collection is digested depends on its content only.
"""

from __future__ import annotations

import itertools
import marshal
import os
from collections.abc import Iterable, Sequence
from typing import Any

from lean_magic.values.fingerprint import Walk, combine, leaf

__all__ = ["SCALARS", "each", "note_path", "ordered", "whole"]

SCALARS = frozenset({str, int, float, bool, bytes, complex, type(None)})
_NESTS = frozenset({list, tuple, dict})
_NESTED = SCALARS | _NESTS
_ORDERED = frozenset({str, int, bytes})
_LEVELS = 16
_WORDS = 10_000  # texts that are kept as names to look up
_FEW = 1000
_PATHS = 10_000  # texts that are taken for paths without asking the disk


def whole(walk: Walk, value: Any) -> bytes | None:
    """Digest a list, tuple or dict of plain values, nested or not, that has its number already.

    None where anything in it is of another kind, or some list or dict in it is met a second time.
    """
    numbers = _numbers(value) if type(value) is not dict else None
    if numbers is not None:
        return leaf("plain", numbers)
    found = _levels(walk, value)
    if found is None:
        return None
    nests, texts = found
    walk.mark_all(nests)
    content = marshal.dumps(value, 2)
    _note(walk, texts, content)
    return leaf("plain", content)


def _numbers(values: list[Any] | tuple[Any, ...]) -> bytes | None:
    """Write a long list of nothing but floats, or of nothing but ints of 32 bits; None for any other.

    What was written tells whether it is one, sooner than the types of all elements do: each is a letter and four
    bytes, or eight, and nothing else is written with that letter, so a letter at every such step leaves no room.
    """
    size = len(values)
    some = values[:: max(size // _FEW, 1)]
    kinds = set(map(type, some))
    if size < _FEW or len(kinds) > 1 or not kinds <= _WIDTHS.keys():
        return None
    kind = kinds.pop()
    if kind is int and not all(-_INT <= one < _INT for one in some):
        return None
    letter, width = _WIDTHS[kind]
    try:
        content = marshal.dumps(values, 2)
    except ValueError:
        return None
    fits = len(content) == _HEAD + size * width
    return content if fits and content[_HEAD::width] == letter * size else None


_HEAD = 5  # bytes: what it is, and how many
_INT = 1 << 31
_WIDTHS = {int: (b"i", 5), float: (b"g", 9)}


def each(walk: Walk, values: Sequence[Any]) -> bytes:
    """Digest the elements of a list of any kinds: the plain ones in one go, the others in their order."""
    kinds = set(map(type, values))
    if kinds.isdisjoint(SCALARS):
        return combine("each", walk.digests(values))
    rest: list[tuple[int, Any]] = []
    plain = list(values)
    if not kinds <= SCALARS:
        rest = [(place, item) for place, item in enumerate(values) if type(item) not in SCALARS]
        plain = [item if type(item) in SCALARS else None for item in values]
    content = marshal.dumps(plain, 2)
    if str in kinds:
        _note(walk, plain if len(kinds) == 1 else [item for item in plain if type(item) is str], content)
    places = marshal.dumps([place for place, _ in rest], 2)
    others = walk.digests([item for _, item in rest])
    return combine("some", leaf("plain", content), leaf("places", places), others)


def ordered(values: Iterable[Any]) -> list[Any] | None:
    """Give the members of a set in the order of their values; None where their kinds have none in common."""
    kinds = set(map(type, values))
    return sorted(values) if len(kinds) == 1 and kinds <= _ORDERED else None


def _levels(walk: Walk, value: Any) -> tuple[list[Any], list[str]] | None:
    """Give the lists and dicts inside a value and its texts, level by level; None if it is not plain throughout."""
    nests: list[Any] = []
    texts: list[str] = []
    level = [value]
    for _ in range(_LEVELS):
        inside = _inside(level)
        kinds = set(map(type, inside))
        if not kinds <= _NESTED:
            return None
        if str in kinds:
            texts += inside if len(kinds) == 1 else [item for item in inside if type(item) is str]
        if kinds.isdisjoint(_NESTS):
            return nests, texts
        level = [item for item in inside if type(item) in _NESTS]
        nests += [item for item in level if type(item) is not tuple]
        if not walk.unmet(nests):
            return None
    return None


def _inside(level: list[Any]) -> Sequence[Any]:
    if len(level) == 1 and type(level[0]) is not dict:
        return level[0]  # type: ignore[no-any-return]
    inside = [*itertools.chain.from_iterable(level)]
    inside += itertools.chain.from_iterable(one.values() for one in level if type(one) is dict)
    return inside


def note_path(walk: Walk, text: str) -> None:
    """Note a text that may name a file, which code in C may open unseen, or hold names to look up."""
    if len(walk.words) < 10 * _WORDS:  # a long list leaves room for the texts after it
        walk.words.add(text)
    walk.name(text)
    if _may_be_path(text):
        walk.texts.add(text)


def _may_be_path(text: str) -> bool:
    return len(text) < 4096 and ("." in text or os.sep in text) and "\n" not in text


def _note(walk: Walk, texts: list[str], content: bytes) -> None:
    """Note many texts, of which `content` is all: as words and names the first ones, as paths all that may be one."""
    if len(walk.words) < _WORDS:
        few = len(texts) <= _FEW  # a query may be long; many long texts are not queries
        walk.words.update(text for text in texts[:_WORDS] if few or len(text) < 1000)
    many = len(texts) > _PATHS
    near = _near(texts, content) if many else texts
    walk.texts.update(text for text in near if _may_be_path(text))
    walk.name(*texts[:_FEW], *(near if many else ()))  # not all, so that those met later are kept, too


def _near(texts: list[str], content: bytes) -> list[str]:
    """Give, of a great many texts, the paths whose first step is there: in the working folder or in the root.

    A single word among so many names nothing: folders of any name lie around.
    """
    sep = os.sep
    here, found = os.listdir(), list[str]()
    if b"." in content:
        found += {name for name in here if "." in name}.intersection(texts)
    if sep.encode() in content:
        starts, root = {"", ".", "..", "~", *here}, {"", *os.listdir(sep)}
        below = [text for text in texts if sep in text and text.partition(sep)[0] in starts]
        found += [text for text in below if text[0] != sep or text.split(sep, 2)[1] in root]
    return [text for text in found if text.strip("~./")]  # else a sign in a vocabulary
