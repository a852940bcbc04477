"""How our wrappers around functions are pickled: by their name, as functions are, and by cloudpickle by value.

Pickle refuses a function in whose place a wrapper of it stands. So a small function stands beside it, which holds it
and is found by the wrapper's name: pickle writes that name, cloudpickle (of notebooks and programs) what it holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["beside", "reduced"]

_NAME = "_beside"  # the attribute of a wrapper that `beside` is put into


def beside(wrapper: Any, function: Callable[..., Any]) -> Callable[[], Callable[..., Any]]:
    """Give a function that gives the function; `_beside` of the wrapper has to hold it."""

    def held() -> Callable[..., Any]:
        return function

    held.__module__ = str(getattr(wrapper, "__module__", "?"))
    held.__qualname__ = f"{getattr(wrapper, '__qualname__', '?')}.{_NAME}"
    return held


def reduced(wrapper: Any, make: Callable[..., Any], function: Any, options: Mapping[str, Any]) -> Any:
    """Give the reduced form of a wrapper that `make(function, options)` would make again."""
    held = vars(wrapper)[_NAME]
    if _at(held.__module__, held.__qualname__) is not held:
        return make, (function, options)
    return _found, (held, make, options)


def _found(held: Callable[[], Any], make: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """Give the wrapper that stands at the name, or another one where it does not."""
    there = _at(held.__module__, held.__qualname__.rpartition(".")[0])
    return there if getattr(there, _NAME, None) is held else make(held(), options)


def _at(module: str, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
