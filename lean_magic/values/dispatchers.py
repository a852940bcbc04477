"""Functions made by `functools.singledispatch`, which choose among others and remember what they chose."""

from __future__ import annotations

import abc
import functools
import types
from typing import Any

__all__ = ["chosen_from", "forget", "is_dispatcher"]


def is_dispatcher(function: types.FunctionType) -> bool:
    """Whether a function is one that chooses."""
    return function.__code__.co_qualname == "singledispatch.<locals>.wrapper"


def chosen_from(dispatcher: Any) -> Any:
    """Take it apart into the functions it chooses from."""
    made = {"registry", "dispatch", "register", "_clear_cache", "__wrapped__"}
    more = {name: item for name, item in vars(dispatcher).items() if name not in made}
    state = dict(dispatcher.registry), more
    return _make_dispatcher, (dispatcher.registry[object],), state, None, None, _fill_dispatcher


def _make_dispatcher(default: Any) -> Any:
    return functools.singledispatch(default)


def _fill_dispatcher(dispatcher: Any, state: tuple[dict[type, Any], dict[str, Any]]) -> None:
    for cls, function in state[0].items():
        dispatcher.register(cls, function)
    vars(dispatcher).update(state[1])


def forget(dispatcher: Any) -> None:
    """Let it choose anew, and see what is registered with abstract classes that it knows, as `register` does."""
    dispatcher._clear_cache()  # noqa: SLF001  there is no public way
    choose = dispatcher.dispatch
    place = choose.__code__.co_freevars.index("cache_token")
    if any(hasattr(cls, "__abstractmethods__") for cls in dispatcher.registry):
        choose.__closure__[place].cell_contents = abc.get_cache_token()
