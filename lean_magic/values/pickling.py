"""One graph of objects → one pickle stream and its large buffers; `reading` is the way back.

On top of cloudpickle, which writes functions and classes of the notebook by
value, four things a cache needs:

- objects that exist before the cell, now and at a replay, are written as their
  mark in the walk of the key, so that a replay finds the live one;
- functions live on the live globals of the notebook, not on a frozen copy, and
  closures keep sharing their variables;
- a class read back is a new class, as if its statement had run again;
- things that are over (closed files, finished iterators) come back as over.
"""

from __future__ import annotations

import functools
import io
import marshal
import pickle
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cloudpickle

from lean_magic.errors import Unstorable
from lean_magic.values.adapters import Adapter, adapters_for
from lean_magic.values.built_enums import is_enum, reduced_member
from lean_magic.values.class_members import reduced_class
from lean_magic.values.code import facts
from lean_magic.values.containers import may_forget, way_of, with_attributes
from lean_magic.values.dispatchers import chosen_from, is_dispatcher
from lean_magic.values.known_live import live_reducer
from lean_magic.values.leftovers import REDUCERS, exception, late_reducer, reduced_file
from lean_magic.values.memory import Memory, Plain
from lean_magic.values.naming import held_by_library, importable, written_by_name
from lean_magic.values.origin import is_a, is_own
from lean_magic.values.over import finished_thread
from lean_magic.values.reading import Code, Space
from lean_magic.values.reduced import (
    fill_attributes,
    held_by,
    intercepts,
    is_left_to_python,
    needs_arguments,
    shapes_itself,
    share_attributes,
    shares_dict,
    taken_apart,
)
from lean_magic.values.singletons import (
    kept_of,
    may_share_kept_dict,
    reduced_singleton,
    reduced_with_kept_dict,
)
from lean_magic.values.slots import slots_of
from lean_magic.values.sources import source_of

__all__ = ["IdWriter", "Writer"]

_EMPTY = "<empty>"


class Writer(cloudpickle.Pickler):
    """Write one graph; `known` maps the id of each live object to its mark."""

    def __init__(
        self,
        file: io.BytesIO,
        known: Mapping[int, str],
        spaces: Mapping[int, str],
        buffers: Callable[[pickle.PickleBuffer], bool],
        named: Mapping[int, str],
        memory: Memory,
        places: Mapping[int, tuple[str, str]],
        dicts: Mapping[int, tuple[str, str]],
    ) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffers)
        self._known = known
        self._spaces = spaces
        self._named = named
        self._places = places
        self._dicts = dicts
        self._met = known.keys() | spaces.keys() | named.keys() | places.keys() | self._dicts.keys()
        self.used: set[str] = set()
        self.fresh: frozenset[int] = frozenset()
        self.shares = False
        self._memory = memory
        self._plain: set[int] = set()
        self._cells: set[int] = set()
        self._foreign: dict[int, _Foreign] = {}
        # Nothing in it refers to the writer: what is written has to be free to go at once.
        self._ways: dict[type, tuple[_Way, ...]] = {}

    def is_kept(self, obj: Any, kept: Mapping[int, Any]) -> bool:
        """Whether a library keeps an object since before the cell."""
        return id(obj) in kept and id(obj) not in self.fresh

    def persistent_id(self, obj: Any) -> Any:
        """Write live objects as their mark and namespaces as their module's name."""
        if id(obj) not in self._met:  # as is almost everything
            return None
        mark = self._known.get(id(obj))
        if mark is not None:
            return "live", mark
        name = self._named.get(id(obj))
        if name is not None:
            self.used.add(name)
            return "name", name
        space = self._spaces.get(id(obj)) if type(obj) is dict else None
        if space is not None:
            return "space", space
        place = self._places.get(id(obj))
        if place is not None:
            return "global", place
        owner = self._dicts.get(id(obj))
        return None if owner is None else ("dict", owner)

    def reducer_override(self, obj: Any) -> Any:
        """Choose how to take `obj` apart; NotImplemented leaves it to pickle."""
        own = _REDUCERS.get(type(obj))
        if own is not None and (form := own(self, obj)) is not NotImplemented:
            return form
        if is_a(obj, type):
            return reduced_class(super().reducer_override(obj), obj)
        ways = self._ways.get(type(obj))
        if ways is None:
            ways = self._ways[type(obj)] = tuple(_ways_for(type(obj), self.shares))
        for way in ways:
            form = way(self, obj)
            if form is not NotImplemented:
                return form
        return super().reducer_override(obj)

    def adapted(self, adapter: Adapter, obj: Any) -> Any:
        """Take an object of a library apart as its adapter does."""
        return adapter.reduce(obj, None if id(obj) in self._plain else self._memory)

    def function(self, obj: types.FunctionType) -> Any:
        """Take a function apart so that it will live on the live globals."""
        if importable(obj) and obj.__module__ != "__main__":
            return NotImplemented
        if hasattr(obj, "_lean_magic_stands_for"):
            module, name = obj._lean_magic_stands_for  # noqa: SLF001  of ours, for the time of a run
            return getattr, (_modules()[module], name)
        if is_dispatcher(obj):
            return chosen_from(obj)
        if not is_own(obj) and (place := held_by_library(obj)) is not None:
            return place
        cells = obj.__closure__ or ()
        self._cells.update(map(id, cells))
        state = {
            "cells": tuple((cell, _content(cell)) for cell in cells),
            "defaults": obj.__defaults__,
            "kwdefaults": obj.__kwdefaults__,
            "annotations": dict(obj.__annotations__),
            "attributes": dict(obj.__dict__),
            "names": (obj.__name__, obj.__qualname__, obj.__module__, obj.__doc__),
        }
        made = obj.__code__, self._home(obj, state), tuple(cells)
        return _make_function, made, state, None, None, _fill_function

    def _home(self, obj: types.FunctionType, state: dict[str, Any]) -> Any:
        """Say whose globals a function will live on; those that are no module's are written, as far as it uses them."""
        space, name = obj.__globals__, str(obj.__globals__.get("__name__"))
        module = _modules().get(name)
        if id(space) in self._spaces or (module is not None and vars(module) is space):
            return Space(self._spaces.get(id(space), name))
        state["globals"] = {used: space[used] for used in facts(obj.__code__).loads if used in space}
        return self._foreign.setdefault(id(space), _Foreign(space))

    def cell(self, obj: types.CellType) -> Any:
        """Take a closure's variable apart; one of a known function is filled by that function."""
        if id(obj) in self._cells or _content(obj) == _EMPTY:
            return types.CellType, ()
        return types.CellType, (obj.cell_contents,)

    def code(self, obj: types.CodeType) -> Any:
        """Write a code object with the source it was compiled from."""
        return Code, (marshal.dumps(obj), source_of(obj))

    def plain(self, obj: Plain) -> Any:
        """Write an array by its content, though a live one lies there."""
        self._plain.add(id(obj.value))
        return Plain, (obj.value,)

    def space(self, obj: Space) -> Any:
        """Write a module's globals by the module's name."""
        return Space, (obj.name,)


class IdWriter(Writer):
    """Refuses to write the `id()` of an object, which is another one's, or nobody's, in a later kernel."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._numbers: set[int] = set()

    def persistent_id(self, obj: Any) -> Any:
        """Take down numbers that are large enough."""
        if type(obj) is int and obj > _SMALLEST_ID:
            self._numbers.add(obj)
        return super().persistent_id(obj)

    def dump(self, obj: Any) -> None:
        """Write a graph. Raises Unstorable if it holds the id of an object that it holds, or of a live one."""
        super().dump(obj)
        held = self._known.keys() | {id(one) for _, one in self.memo.copy().values()}
        if not self._numbers.isdisjoint(held):
            raise Unstorable(
                "the cell", "keeps the `id()` of an object, which has another one in a later kernel"
            )


_SMALLEST_ID = 1 << 20


class _Foreign:
    """Stands for globals that are no module's."""

    def __init__(self, space: dict[str, Any]) -> None:
        self.own = {name: space[name] for name in ("__name__", "__package__") if name in space}

    def __reduce__(self) -> Any:
        return dict, (self.own,)


def _modules() -> Mapping[str, types.ModuleType]:
    import sys

    return sys.modules


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _make_function(code: types.CodeType, space: dict[str, Any], cells: tuple[types.CellType, ...]) -> Any:
    return types.FunctionType(code, space, code.co_name, None, cells or None)


def _fill_function(function: types.FunctionType, state: dict[str, Any]) -> None:
    function.__globals__.update(state.get("globals", {}))
    for cell, content in state["cells"]:
        if content != _EMPTY if isinstance(content, str) else True:
            cell.cell_contents = content
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__annotations__ = state["annotations"]
    function.__dict__.update(state["attributes"])
    function.__name__, function.__qualname__, function.__module__, function.__doc__ = state["names"]


_Way = Callable[[Writer, Any], Any]


def _ways_for(cls: type, shares: bool) -> Iterator[_Way]:
    """Give the ways in which instances of a class may be taken apart before they are left to pickle.

    `shares`: whether something else may hold the `__dict__` of an instance.
    """
    if shares and is_left_to_python(cls):
        yield functools.partial(_ignoring, _with_its_dict)
    for reduce in filter(None, (live_reducer(cls), _way(cls), late_reducer(cls))):
        yield functools.partial(_ignoring, reduce)
    for adapter in adapters_for(cls):
        yield functools.partial(_adapted, adapter)
    if is_enum(cls):
        yield functools.partial(_ignoring, reduced_member)
    if may_share_kept_dict(cls):
        yield functools.partial(_ignoring, reduced_with_kept_dict)
    kept = kept_of(cls)
    if kept:
        yield lambda writer, obj: reduced_singleton(obj) if writer.is_kept(obj, kept) else NotImplemented
    if may_forget(cls):
        yield functools.partial(_ignoring, with_attributes)


def _adapted(adapter: Adapter, writer: Writer, obj: Any) -> Any:
    return writer.adapted(adapter, obj)


_KINDS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (io.IOBase, reduced_file),
    (BaseException, exception),
    (threading.Thread, finished_thread),
)


def _way(cls: type) -> Callable[[Any], Any] | None:
    """Choose how instances of a class are taken apart where pickle's way would run the user's code, or lose some."""
    for kind, reduce in _KINDS:
        if issubclass(cls, kind):
            return reduce
    if shares_dict(cls):
        return _with_its_dict
    is_namespace = issubclass(cls, types.SimpleNamespace) and is_own(cls)
    if is_namespace or shapes_itself(cls) or intercepts(cls) or needs_arguments(cls):
        return _bare
    return taken_apart(cls) or way_of(cls)


def _bare(obj: Any) -> Any:
    make = types.SimpleNamespace.__new__ if is_a(obj, types.SimpleNamespace) else object.__new__
    return make, (type(obj),), (held_by(obj), slots_of(obj)), None, None, fill_attributes


def _with_its_dict(obj: Any) -> Any:
    state = object.__getattribute__(obj, "__dict__"), slots_of(obj)
    return object.__new__, (type(obj),), state, None, None, share_attributes


def _ignoring(reducer: Callable[[Any], Any], writer: Writer, obj: Any) -> Any:
    del writer
    return reducer(obj)


_REDUCERS: dict[type, Callable[[Writer, Any], Any]] = {
    types.FunctionType: Writer.function,
    types.CellType: Writer.cell,
    types.CodeType: Writer.code,
    Space: Writer.space,
    Plain: Writer.plain,
    types.ModuleType: functools.partial(_ignoring, written_by_name),
    **{cls: functools.partial(_ignoring, reducer) for cls, reducer in REDUCERS.items()},
}
