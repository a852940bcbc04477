"""The content of a mutable object apart from its identity, to be put back into the live one.

`content_of` gives something that can be stored in the object's stead; `put` makes
the live object hold it, so that everybody who refers to it sees the change.
"""

from __future__ import annotations

import array
import datetime
import decimal
import enum
import functools
import io
import logging
import types
from collections.abc import Callable
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.adapters import adapters_for
from lean_magic.values.class_rules import members, registered
from lean_magic.values.containers import OPEN
from lean_magic.values.dispatchers import forget, is_dispatcher
from lean_magic.values.iterators import ITERATORS
from lean_magic.values.memory import Plain
from lean_magic.values.open_files import OPEN_FILES
from lean_magic.values.origin import is_a, is_own
from lean_magic.values.reduced import (
    dict_of,
    held_by,
    is_plain,
    set_on_member,
    shapes_itself,
)
from lean_magic.values.slots import is_slot, slot_names, slots_of
from lean_magic.words import with_article

__all__ = [
    "Anew",
    "content_of",
    "put",
]


def content_of(value: Any) -> Any:
    """Give the content of `value`. Raises Unstorable for what cannot be changed back in place."""
    known = _kind_of(type(value))
    if known is not None:
        is_all = is_a(value, _WHOLE)
        return known[0](value), {} if is_all else held_by(value), {} if is_all else slots_of(value)
    for adapter in adapters_for(type(value)):
        content = adapter.content(value)
        if content is not NotImplemented:
            return content
    if is_plain(type(value)):
        return _state(value)
    raise _refused(value)


def _refused(value: Any) -> Unstorable:
    why = f"holds {with_article(type(value).__qualname__)} that was changed in place"
    return Unstorable(type(value).__qualname__, why, "bind a changed copy to a new name")


def _kind_of(cls: type) -> _Ways | None:
    """Give how the content of a class of Python's own is taken and given, or of one made from it."""
    if cls not in _known:
        _known[cls] = next((ways for kind, ways in _KINDS.items() if issubclass(cls, kind)), None)
    return _known[cls]


_known: dict[type, _Ways | None] = {}


def put(live: Any, content: Any) -> None:
    """Make `live` hold `content`."""
    known = _kind_of(type(live))
    if known is not None:
        known[1](live, content[0])
        if not is_a(live, _WHOLE):
            _put_attributes(live, content[1], whole=True)
            _put_slots(live, content[2], whole=True)
        return
    for adapter in adapters_for(type(live)):
        if adapter.write_back(live, content):
            return
    cls, whole, state, slots = content
    if type(live) is not cls:
        live.__class__ = cls
    if not whole and hasattr(live, "__setstate__"):
        live.__setstate__({**state, **slots})
        return
    _put_attributes(live, state, whole=whole)
    _put_slots(live, slots, whole=whole)


def _put_slots(live: Any, slots: dict[str, Any], *, whole: bool) -> None:
    for name in slot_names(type(live)):
        if name in slots:
            object.__setattr__(live, name, slots[name])
        elif whole and is_slot(type(live), name) and hasattr(live, name):
            object.__delattr__(live, name)


class Anew:
    """The content of an array given other memory in place; `was`: where it lay, if that is held, and what it holds."""

    was: tuple[Any, Plain] | None = None

    def __init__(self, content: Any, left_behind: Callable[[], Any] | None = None) -> None:
        if left_behind is not None and (old := left_behind()) is not None:
            self.was = old, Plain(left_behind())
        data, *more = content
        self.content = data.value if isinstance(data, Plain) else data, *more


def _state(value: Any) -> tuple[type, bool, dict[str, Any], dict[str, Any]]:
    """Give (class, whether it is all, attributes, slots)."""
    custom = getattr(type(value), "__getstate__", None)
    if custom is not getattr(object, "__getstate__", None) and not shapes_itself(type(value)):
        told = _told(value)
        if isinstance(told, dict):
            slots = {name: told[name] for name in slots_of(value) if name in told}
            return type(value), False, {name: told[name] for name in told if name not in slots}, slots
    return type(value), True, held_by(value), slots_of(value)


def _told(value: Any) -> Any:
    """Ask an object for its state. Raises Unstorable, whatever its own code raises."""
    try:
        return value.__getstate__()
    except (RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError) as error:
        why = f"holds {with_article(type(value).__qualname__)} that was changed in place and cannot be taken apart"
        raise Unstorable(type(value).__qualname__, why, "bind a changed copy to a new name") from error


def _put_attributes(live: Any, state: dict[str, Any], *, whole: bool) -> None:
    if not state and not held_by(live):
        return
    present = dict_of(live)
    for name in [name for name in present if whole and name not in state]:
        del present[name]
    present.update(state)
    if whole and list(present) != list(state):
        ordered = {name: present[name] for name in state}
        present.clear()
        present.update(ordered)


def _give_array(live: array.array[Any], content: array.array[Any]) -> None:
    array.array.__setitem__(live, slice(None), content)


def _take_fixed(value: Any) -> None:
    """Of what cannot be changed, only the attributes are content, where it has any."""
    if not type(value).__dictoffset__:
        raise _refused(value)


def _give_fixed(live: Any, content: None) -> None:
    del live, content


def _take_function(value: types.FunctionType) -> Any:
    named = {name: getattr(value, name) for name in _NAMED}
    return (value.__code__, value.__defaults__, value.__kwdefaults__), named, dict(value.__annotations__)


_NAMED = ("__name__", "__qualname__", "__doc__", "__module__")


def _give_function(live: types.FunctionType, content: Any) -> None:
    (live.__code__, live.__defaults__, live.__kwdefaults__), named, notes = content
    for name, said in named.items():
        setattr(live, name, said)
    live.__annotations__.clear()
    live.__annotations__.update(notes)
    if is_dispatcher(live):
        forget(live)


def _take_stream(value: Any) -> Any:
    if value.closed:
        raise Unstorable(type(value).__qualname__, "was closed in place", "close it where it was made")
    return value.__getstate__()  # its text, line ends and position


def _give_stream(live: Any, content: Any) -> None:
    live.__setstate__(content)


def _take_cell(value: types.CellType) -> list[Any]:
    try:
        return [value.cell_contents]
    except ValueError:
        return []


def _give_cell(live: types.CellType, content: list[Any]) -> None:
    if content:
        live.cell_contents = content[0]
    else:
        del live.cell_contents


def _take_error(value: BaseException) -> Any:
    solid: Any = next(one for one in type(value).__mro__ if not is_own(one))
    if solid.__basicsize__ != BaseException.__basicsize__:  # it holds more than can be set again
        raise _refused(value)
    return value.args, (value.__cause__, value.__context__, value.__traceback__), value.__suppress_context__


def _give_error(live: BaseException, content: Any) -> None:
    live.args, (live.__cause__, live.__context__, live.__traceback__), suppressed = content
    live.__suppress_context__ = suppressed  # setting the cause sets it, too


def _take_logger(value: logging.Logger) -> Any:
    return value.level, value.propagate, value.disabled, list(value.handlers), list(value.filters)


def _give_logger(live: logging.Logger, content: Any) -> None:
    live.setLevel(content[0])  # clears what loggers below have cached
    live.propagate, live.disabled = content[1:3]
    live.handlers[:], live.filters[:] = content[3:]


def _take_handler(value: logging.Handler) -> dict[str, Any]:
    return {name: item for name, item in vars(value).items() if name not in {"lock", "stream"}}


def _give_handler(live: logging.Handler, content: dict[str, Any]) -> None:
    vars(live).update(content)


def _take_member(value: enum.Enum) -> dict[str, Any]:
    if not hasattr(value, "_name_"):  # something else whose class was set to an enum
        raise _refused(value)
    return set_on_member(value)


def _give_member(live: enum.Enum, content: dict[str, Any]) -> None:
    for name in set_on_member(live).keys() - content.keys():
        del vars(live)[name]
    vars(live).update(content)


def _take_class(value: Any) -> Any:
    kept = dict(members(value))
    in_order = {name: kept[name] for name in vars(value) if name in kept}
    return in_order, registered(value), (value.__name__, value.__qualname__, value.__bases__)


def _give_class(live: Any, kept: tuple[dict[str, Any], list[type], tuple[str, str, Any]]) -> None:
    content, kin, (name, qualname, bases) = kept
    if (live.__name__, live.__qualname__, live.__bases__) != (name, qualname, bases):
        live.__name__, live.__qualname__, live.__bases__ = name, qualname, bases
    for one in kin:
        live.register(one)  # a second time does nothing
    for name in [name for name, _ in members(live) if name not in content]:
        delattr(live, name)
    present = [name for name in vars(live) if name in content and not name.startswith("__")]
    if present != [name for name in content if not name.startswith("__")][: len(present)]:
        for name in present:
            delattr(live, name)
    for name, member in content.items():
        if vars(live).get(name) is not member:
            setattr(live, name, member)


_FIXED = (
    tuple, frozenset, str, bytes, int, float, complex, functools.partial,
    datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, type(functools.lru_cache(len)),
)  # fmt: skip
# Kinds whose content holds the attributes.
_WHOLE = (type, enum.Enum, logging.Logger, logging.Handler)
_Ways = tuple[Callable[[Any], Any], Callable[[Any, Any], None]]
_KINDS: dict[type, _Ways] = {
    enum.Enum: (_take_member, _give_member),
    **OPEN,
    array.array: (lambda value: array.array.__getitem__(value, slice(None)), _give_array),
    BaseException: (_take_error, _give_error),
    types.FunctionType: (_take_function, _give_function),
    types.CellType: (_take_cell, _give_cell),
    io.StringIO: (_take_stream, _give_stream),
    io.BytesIO: (_take_stream, _give_stream),
    **OPEN_FILES,
    logging.Logger: (_take_logger, _give_logger),
    logging.Handler: (_take_handler, _give_handler),
    type: (_take_class, _give_class),
    **ITERATORS,
    **dict.fromkeys(_FIXED, (_take_fixed, _give_fixed)),
}
