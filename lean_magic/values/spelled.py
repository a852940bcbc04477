"""What texts spell of the local modules that are loaded, and of the notebook: `lib.Model`, `lib:Model`."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterable, Iterator

from lean_magic.values.origin import origin

__all__ = ["spelled_in"]


def spelled_in(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name what texts spell of the local modules that are loaded: `lib.Model`, `lib:Model`."""
    may = [text for text in texts if len(text) < _LONG and ("." in text or ":" in text)]
    for text in may:
        yield from filter(None, map(_member, _spelled(tuple(sys.modules)).findall(text)))


_LONG = 10_000  # characters: no name of something


def _member(spelled: str) -> tuple[str, str] | None:
    """Split the name of something that a loaded local module holds; None for any other text."""
    module, *rest = re.split("[.:]", spelled)
    while rest and f"{module}.{rest[0]}" in sys.modules:
        module = f"{module}.{rest.pop(0)}"
    return (module, rest[0]) if rest and rest[0] in vars(sys.modules[module]) else None


@functools.lru_cache(maxsize=2)
def _spelled(loaded: tuple[str, ...]) -> re.Pattern[str]:
    """Make the pattern of names in local modules, of those that are loaded."""
    tops = sorted({name.partition(".")[0] for name in loaded})
    own = "|".join(re.escape(top) for top in tops if origin(top).own)
    return re.compile(rf"\b(?<!\.)(?:{own})(?:[.:][^\W\d]\w*)+")
