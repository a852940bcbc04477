"""Which warnings modules have shown already, and so do not show again at the same place.

Python keeps that in each module, and forgets all of it when a filter is set or `catch_warnings` is entered, by
counting a version up. IPython forgets that of the notebook before each cell.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["again", "place_of", "put_back", "shown", "spelled", "told", "version"]

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
