"""Where each item of a call is: who computes, what is stored of it, and how the parts make a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from lean_magic.calls import runner
from lean_magic.effects import files
from lean_magic.effects.output import aside
from lean_magic.errors import Damaged
from lean_magic.items import care
from lean_magic.items.batches import UNKNOWN
from lean_magic.items.choices import Choices
from lean_magic.items.collection import Collection, collect
from lean_magic.items.columns import Part, assemble
from lean_magic.items.digests import digest_items, pieces
from lean_magic.items.filed import recognised
from lean_magic.items.identity import Identity, identify
from lean_magic.items.index import Index, group, index_of
from lean_magic.items.rows import part_of, read, stretch
from lean_magic.progress import progress
from lean_magic.store.segments import Segments

__all__ = ["Lookup"]

_MANY, _WIDE = 1 << 18, 1 << 31  # items from which on memory for their keys counts; and for wide numbers


class Lookup:
    """The items of one call, who computes, and where each item is."""

    identity: Identity
    home: Segments
    index: Index
    rows: Any

    def __init__(self, choices: Choices, items: Any, options: Mapping[str, Any]) -> None:
        self.map = choices
        self.options = dict(options)
        self.runner = runner()
        self.items: Collection = collect(items)
        self._keys: Any = None
        self.recalled: list[Mapping[str, Any]] = []

    def look(self) -> None:
        """Find out who computes, and which items are known. Raises LeanMagicError."""
        self.identity = self.identify()
        self.home = Segments(self.runner.settings.folder, self.identity.digest)
        self.find()

    def identify(self) -> Identity:
        """Find out who computes."""
        function, planner = self.map.function, self.runner.planner
        found = identify(function, self.options, self.map.version, self.map.ignore, planner.patches)
        self.recalled = []
        if found.remembers:
            with found.whole_run() as run:
                found = found.remembering(planner.told(run))
            self.recalled = planner.remembered.recalled
        return found

    def find(self) -> None:
        """Look all items up in what is stored now."""
        self.index = index_of(self.home, self.identity)
        if self._keys is not None or len(self.items) <= _MANY or not self._found_all():
            self.rows = self.index.find(self.keys)

    @property
    def keys(self) -> Any:
        """The items' keys, digested when they are first asked for."""
        if self._keys is None:
            folder = self.runner.settings.folder
            with recognised(folder, self.items.values), self._looking() as show:
                self._keys = digest_items(self.items.values, self.identity.by_name, show)
        return self._keys

    def _found_all(self) -> bool:
        """Look up very many items piece by piece, and keep no keys; at the first that is missing give up."""
        self.rows = np.empty(len(self.items), np.int32 if self.index.count < _WIDE else np.int64)
        with self._looking() as show:
            for start, keys in pieces(self.items.values, self.identity.by_name, show):
                rows = self.index.find(keys)
                if (rows < 0).any():
                    return False
                self.rows[start : start + len(rows)] = rows
        return True

    @contextmanager
    def _looking(self) -> Iterator[Any]:
        with aside(), progress("looking items up", self.runner.settings.progress_after, " items") as show:
            yield show

    def stored(self, places: Any) -> list[Any]:
        """Give the results of known items; what vanished meanwhile is UNKNOWN."""
        found: list[Any] = [UNKNOWN] * len(places)
        with files.unwatched(), suppress(Damaged):
            self.find()
            known = np.flatnonzero(self.rows[places] >= 0)
            at = self.rows[places[known]]
            for segment, some in group(self.index.segments_of(at)):
                values = read(self.index.places[segment], at[list(some)] - self.index.start(segment)).values()
                for place, value in zip(known[list(some)].tolist(), values, strict=True):
                    found[place] = value
        return found

    def reason(self) -> str:
        """Say why nothing was found."""
        return self.index.stale or care.reason(self.home, self.identity, self.map.label)

    def together(self, held: list[Part], failed: Mapping[int, BaseException]) -> Any:
        """Put the result together from segments, and from what could not be stored."""
        parts = list(self._parts())
        parts += held
        if sum(len(part.to) for part in parts) < len(self.rows) and not failed:
            raise Damaged(f"items vanished from {self.home.folder} while they were read")
        if not parts:
            raise next(iter(failed.values()))
        return assemble(parts, len(self.rows), self.identity.device)

    def _parts(self) -> Iterator[Part]:
        """Give what each segment has for the result; stretches as ranges, which take no room."""
        found = None if (self.rows >= 0).all() else np.flatnonzero(self.rows >= 0)
        rows = self.rows if found is None else self.rows[found]
        for segment, some in group(self.index.segments_of(rows)):
            places = slice(some.start, some.stop) if isinstance(some, range) else some
            here = stretch(rows[places] - self.index.start(segment))
            to = some if found is None else stretch(found[places])
            yield part_of(self.index.places[segment], here, to)

    def _held(self, keys: Any) -> tuple[Any, Any]:
        missing = np.flatnonzero(self.rows < 0)
        rows = Index.of(keys).find(self.keys[missing])
        return missing[rows >= 0], rows[rows >= 0]
