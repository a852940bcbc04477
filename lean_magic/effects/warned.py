"""Which warnings modules have shown already, and so do not show again at the same place.

Python keeps that in each module, and forgets all of it when a filter is set or `catch_warnings` is entered, by
counting a version up. IPython forgets that of the notebook before each cell.
"""

from __future__ import annotations

import functools
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["Asked", "again", "place_of", "put_back", "shown", "spelled", "told", "version"]

_REGISTRY = "__warningregistry__"
_Shown = dict[str, dict[Any, Any]]


class _Question(Warning):
    """Is never shown: it only makes Python tell which version counts now."""


def version() -> int:
    """Tell how often Python has forgotten what was shown."""
    asked: dict[Any, Any] = {}
    item: Any = ("ignore", None, _Question, None, 0)
    filters: Any = warnings.filters
    filters.insert(0, item)
    try:
        warnings.warn_explicit("", _Question, "", 0, registry=asked)
    finally:
        filters.remove(item)
    return int(asked.get("version", 0))


def shown(now: int) -> _Shown:
    """Give what each module has shown that is not forgotten in the version `now`."""
    found: _Shown = {}
    for name, module in list(sys.modules.items()):
        registry = vars(module).get(_REGISTRY) if isinstance(module, types.ModuleType) else None
        if name != "__main__" and type(registry) is dict and registry.get("version") == now:
            found[name] = {place: kind for place, kind in registry.items() if place != "version"}
    return found


class _Text(str):
    """The text of a warning, which tells when it is compared: Python does so with one that is to be shown."""

    __slots__ = ("asked", "place")
    asked: Asked
    place: tuple[str, str]

    def __eq__(self, other: object) -> bool:
        is_same = str.__eq__(self, other)
        if is_same is True:
            self.asked.note(*self.place)
        return is_same

    __hash__ = str.__hash__


class Asked:
    """Which warnings a cell gave that were not shown, since they had been; `by_module` spells them."""

    def __init__(self) -> None:
        self.by_module: dict[str, set[str]] = {}

    def note(self, module: str, spelled: str) -> None:
        """Note one warning."""
        self.by_module.setdefault(module, set()).add(spelled)

    def begin(self, known: _Shown) -> None:
        """Let the texts of the warnings that are known tell from now on."""
        for name in known:
            _rewrite(name, functools.partial(self._telling, name))

    def end(self, known: _Shown) -> None:
        """Let plain texts stand there again."""
        for name in known:
            _rewrite(name, self._plain)

    def _telling(self, name: str, place: Any) -> Any:
        if type(place) is not tuple or type(place[0]) is not str:
            return place
        text = _Text(place[0])
        text.asked, text.place = self, (name, place_of(*place))
        return text, *place[1:]

    def _plain(self, place: Any) -> Any:
        is_own = type(place) is tuple and type(place[0]) is _Text and place[0].asked is self
        return (str(place[0]), *place[1:]) if is_own else place


def _rewrite(name: str, rewritten: Callable[[Any], Any]) -> None:
    """Write the keys of a module's registry anew."""
    registry = vars(sys.modules.get(name, object)).get(_REGISTRY)
    if type(registry) is dict:
        items = [(rewritten(place), kind) for place, kind in registry.items()]
        registry.clear()
        registry.update(items)


def told(before: tuple[int, _Shown]) -> tuple[bool, _Shown]:
    """Say whether Python has forgotten since, and what was shown that is remembered now."""
    now = version()
    known = before[1] if now == before[0] else {}
    new = {
        name: {place: kind for place, kind in places.items() if place not in known.get(name, {})}
        for name, places in shown(now).items()
    }
    return now != before[0], {name: places for name, places in new.items() if places}


def spelled(places: Iterable[Any]) -> list[str]:
    """Write down what a module has shown: line, kind and text of each warning."""
    return sorted(place_of(*place) for place in places)


def place_of(text: Any, kind: type[Warning], line: int) -> str:
    """Write down one warning."""
    return f"{line} {kind.__module__}.{kind.__qualname__} {text}"


def again(new: Mapping[str, Mapping[Any, Any]], known: _Shown) -> set[str]:
    """Say which of the warnings that a run has shown are known, and so would not be shown again."""
    return {
        one for name, places in new.items() for one in spelled(places.keys() & known.get(name, {}).keys())
    }


def put_back(forgot: bool, new: Mapping[str, Mapping[Any, Any]], undo: Callable[..., Any]) -> None:
    """Let modules remember what a run has shown."""
    if forgot:
        warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  as catch_warnings does
    now = version() if new else 0
    for name, places in new.items():
        registry = vars(sys.modules.get(name, object)).get(_REGISTRY)
        if type(registry) is not dict:
            registry = {}
            if name in sys.modules:
                setattr(sys.modules[name], _REGISTRY, registry)
        if registry.get("version") != now:
            registry.clear()
            registry["version"] = now
        undo(_forget, registry, set(places) - registry.keys())
        registry.update(places)


def _forget(registry: dict[Any, Any], places: set[Any]) -> None:
    for place in places:
        registry.pop(place, None)
