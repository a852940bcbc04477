"""Attributes set on modules and classes: `config.batch = 64`, `DataFrame.peek = peek`."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lean_magic.effects.inside import Inside
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unfingerprintable, Unstorable
from lean_magic.values import fingerprint
from lean_magic.values.handed import handed, may_set, newly_set
from lean_magic.values.origin import origin
from lean_magic.values.owners import (
    CHANGERS,
    SETTERS,
    Owner,
    containers,
    held,
    items_of,
    owner_at,
    owner_of,
    owners,
)

__all__ = ["Attributes"]

_GONE = "<gone>"
_ACCESSORS = {"Accessor", "CachedAccessor", "NameSpace"}
_REGISTERS = ("_accessor", "_namespace")  # pandas and polars hang these on their classes


class Attributes(Recorder):
    """Compares the globals of local modules, and the attributes that the code says it sets."""

    name = "attributes"

    def __init__(self) -> None:
        self._spaces: dict[str, dict[str, Any]] = {}
        self._set: dict[tuple[str, str, str], Any] = {}
        self._classes: dict[type, dict[str, Any]] = {}
        self._absent: set[str] = set()
        self._owners: list[tuple[Owner, dict[str, Any]]] = []
        self._handed: dict[int, tuple[Owner, dict[str, Any]]] = {}
        self._contents: dict[str, list[Any]] = {}
        self._inside: Inside | None = None

    def begin(self, run: Run) -> None:
        """Take down what each name and attribute stands for now."""
        self._spaces = {name: dict(space) for name, space in run.walk.spaces.items() if name != "__main__"}
        self._set = dict(_attributes(run))
        self._contents = _contents(run)
        self._inside = Inside(run)
        self._owners = [(owner, dict(vars(owner.value))) for owner in _in_reach(run)]
        self._handed = {id(owner.value): (owner, dict(vars(owner.value))) for owner in _handed(run)}
        registers = any(word.startswith("register_") and word.endswith(_REGISTERS) for word in run.words)
        self._absent = {name for name in run.packages if registers and name not in sys.modules}
        self._classes = _classes(run.packages - self._absent) if registers else {}

    def end(self, run: Run) -> Record:
        """Collect what is another object now. Raises Unstorable where it cannot be found again."""
        changed: dict[tuple[str, str, str], Any] = {}
        for module, before in self._spaces.items():
            new = dict(_difference(before, run.walk.spaces[module]))
            _must_be_found(module, new, before, run)
            changed |= {(module, "", name): value for name, value in new.items()}
        if self._absent:
            name = min(self._absent)
            raise Unstorable(
                name, "was loaded by a cell that registers something with it", "import it in a cell before"
            )
        for cls, members in self._classes.items():
            for name, value in _difference(members, vars(cls)):
                changed[cls.__module__, cls.__qualname__, name] = value
        changed |= self._unnamed() | self._passed(run)
        self._must_be_kept(run)
        if self._inside is not None:
            self._inside.must_be_unchanged(run)
        observed: list[Any] = []
        for place, value in _attributes(run):
            if place not in self._set or self._set[place] is not value:
                changed[place] = value
            else:
                # Set to what it was, or on a branch not taken: believed only where it is the same.
                observed.append([list(place), fingerprint(value, ".".join(filter(None, place)))])
        if any("@" in module for module, _, _ in changed):
            raise Unstorable(
                "the globals of a function", "were changed", "keep them in a module or in the notebook"
            )
        return Record(observed, sorted(map(list, changed)), changed)

    def _unnamed(self) -> dict[tuple[str, str, str], Any]:
        """Collect what was set by computed names."""
        found: dict[tuple[str, str, str], Any] = {}
        for owner, members in self._owners:
            for name, value in _difference(members, vars(owner.value)):
                found[owner.module, owner.path, name] = value
        return found

    def _passed(self, run: Run) -> dict[tuple[str, str, str], Any]:
        """Collect what was set on what the code handed on. Raises Unstorable where that cannot be found again."""
        found: dict[tuple[str, str, str], Any] = {}
        for owner in _handed(run):
            _, before = self._handed.get(id(owner.value), (owner, None))  # it may have been imported since
            for name in newly_set(run.said, owner, before):
                if not _is_found(owner):
                    raise Unstorable(owner.label, "was changed by this cell", "change it in an uncached cell")
                found[owner.module, owner.path, name] = vars(owner.value).get(name, _GONE)
        return found

    def _must_be_kept(self, run: Run) -> None:
        """Refuse changes in what libraries keep, such as `nltk.data.path.append(…)`. Raises Unstorable."""
        now_there = _contents(run)
        fresh = sorted(now_there.keys() - self._contents.keys())
        said = {chain[-1] for chains in run.loads.values() for chain in chains if chain}
        if fresh and (run.in_place or not said.isdisjoint(CHANGERS)):
            why = "of a library that this cell loads may have been changed"
            raise Unstorable(fresh[0], why, "import the library in a cell before")
        for label, now in now_there.items():
            before = self._contents.get(label, now)
            if len(before) != len(now) or not all(map(_is_same, before, now)):
                raise Unstorable(label, "was changed inside a library", "change it in an uncached cell")

    def cancel(self, run: Run) -> None:
        """Let the old values go."""
        del run
        self._spaces, self._classes, self._owners, self._handed, self._contents = {}, {}, [], {}, {}
        self._inside = None

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare the attributes that the run may have left alone."""
        now = dict(_attributes(run))
        for place, digest in observed or []:
            name = ".".join(filter(None, place))
            if fingerprint(now.get(tuple(place), _GONE), name) != digest:
                return f"`{name}` has other content"
        return ""

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Set them again."""
        for (module, qualname, attribute), value in record.values.items():
            owner = _module(module, run.walk.spaces)
            for step in filter(None, qualname.split(".")):
                owner = getattr(owner, step)
            undo.callback(_set, owner, attribute, held(owner, attribute, _GONE))
            _set(owner, attribute, value)


def _module(name: str, spaces: Mapping[str, dict[str, Any]]) -> Any:
    """Find a module; of one that was made by hand, what stands for it: its globals."""
    if name in spaces and vars(sys.modules.get(name, object)) is not spaces[name]:
        return _Globals(spaces[name])
    return importlib.import_module(name)


class _Globals:
    def __init__(self, space: dict[str, Any]) -> None:
        self.__dict__ = space


def _must_be_found(module: str, new: Mapping[str, Any], before: Mapping[str, Any], run: Run) -> None:
    """Refuse what a module made anew when it was loaded again: it is stored by name, which finds the old one."""
    remedy = "reload it in an uncached cell"
    former = []
    for name, value in new.items():
        is_own = isinstance(value, (types.FunctionType, type)) and value.__module__ == module
        if not is_own or value.__qualname__ != name:
            continue
        if name not in before or _content(before[name]) != _content(value):
            raise Unstorable(f"module {module}", f"was loaded again and has another `{name}` now", remedy)
        former.append(before[name])
    if former and _is_in_use(former, run):
        raise Unstorable(f"module {module}", "was loaded again while what it held before is in use", remedy)


def _handed(run: Run) -> list[Owner]:
    return handed(run.said, run.walk.spaces.values()) if may_set(run.said) else []


def _is_found(owner: Owner) -> bool:
    found = owner_at(sys.modules.get(owner.module), [*filter(None, owner.path.split("."))])
    return found is not None and found.value is owner.value


def _is_in_use(former: list[Any], run: Run) -> bool:
    """Whether modules or the notebook still have what was taken the place of, or something made of it."""
    seen = list(run.namespace.values())
    for value in list(seen):
        if type(value) in {list, tuple, set, dict}:
            seen += value.values() if type(value) is dict else value
    spaces = (vars(one) for one in list(sys.modules.values()) if isinstance(one, types.ModuleType))
    holders = set(map(id, [*seen, *spaces]))
    return any(id(one) in holders for one in (*former, *gc.get_referrers(*former)))


def _content(value: Any) -> str:
    try:
        return fingerprint(value)
    except Unfingerprintable:
        return repr(id(value))


def _is_same(one: Any, other: Any) -> bool:
    """Whether two items are one; those of a dict are pairs."""
    is_pair = type(one) is type(other) is tuple and len(one) == len(other) == 2
    return one is other or (is_pair and one[0] is other[0] and one[1] is other[1])


def _in_reach(run: Run) -> Iterator[Owner]:
    """Give the modules and classes of others that code may set attributes on without naming both."""
    if SETTERS.isdisjoint(run.words):
        return
    named = (run.namespace.get(name) for name in run.reads)
    found = [owner_of(value) for value in named if isinstance(value, (types.ModuleType, type))]
    found += [owner for owner, attribute in owners(run.sets, run.namespace) if attribute == "*"]
    for owner in {id(owner.value): owner for owner in found if owner is not None}.values():
        if not origin(owner.module).own:
            yield owner


def _classes(packages: Iterable[str]) -> dict[type, dict[str, Any]]:
    """Take down what the public classes of packages hold, where libraries keep what is registered with them."""
    modules = (sys.modules[name] for name in packages)
    found = (value for module in modules for value in vars(module).values() if isinstance(value, type))
    return {cls: dict(vars(cls)) for cls in found}


def _set(owner: Any, attribute: str, value: Any) -> None:
    if type(value) is not str or value != _GONE:
        setattr(owner, attribute, value)
        if type(value).__name__ in _ACCESSORS:
            owner._accessors.add(attribute)  # noqa: SLF001  which is how libraries know them
    elif attribute in getattr(owner, "__dict__", {}):
        delattr(owner, attribute)


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in {**before, **after}:
        if name.startswith("__") and name.endswith("__"):
            continue
        if name not in after:
            yield name, _GONE
        elif name not in before or before[name] is not after[name]:
            yield name, after[name]


def _attributes(run: Run) -> Iterator[tuple[tuple[str, str, str], Any]]:
    """Resolve what the code sets on installed modules, on importable classes, and on what libraries keep."""
    for owner, attribute in owners(run.sets, run.namespace):
        is_module = isinstance(owner.value, types.ModuleType)  # one made by hand is stored with its names
        is_found = sys.modules.get(owner.module) is owner.value if is_module else owner.module != "__main__"
        if attribute != "*" and is_found:
            yield (owner.module, owner.path, attribute), held(owner.value, attribute, _GONE)


def _contents(run: Run) -> dict[str, list[Any]]:
    """Take down what the lists, dicts and sets hold, and the like, that libraries keep and the code names."""
    found = containers(run.loads, run.namespace, more=run.in_place)
    return {owner.label: items_of(owner.value) for owner in found}
