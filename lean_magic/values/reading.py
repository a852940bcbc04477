"""One pickle stream and its large buffers → a graph of objects, on the live objects and namespaces of a kernel.

Apart from `pickling`, for a kernel that only replays never writes, and what that needs takes long to load.
"""

from __future__ import annotations

import functools
import importlib
import marshal
import pickle
import types
from collections.abc import Callable, Mapping
from typing import Any

from lean_magic.values.marks import is_inner
from lean_magic.values.memory import LayoutChanged
from lean_magic.values.sources import Sources, find_code

__all__ = ["Code", "First", "Reader", "Space"]


class Space:
    """Stands for the globals of a module until the stream is read."""

    def __init__(self, name: str) -> None:
        self.name = name


class Code:
    """Stands for a code object until the stream is read; see Reader.find_class."""

    def __init__(self, content: bytes, source: tuple[str, str]) -> None:
        self.content = content
        self.source = source


class First:
    """Stands for a value that is made use of as soon as it is read, for what comes after needs that."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> Any:
        return First, (self.value,)


class Reader(pickle.Unpickler):
    """Read one graph onto the live objects and namespaces."""

    def __init__(
        self, file: Any, objects: Mapping[str, Any], spaces: Mapping[str, dict[str, Any]], **more: Any
    ) -> None:
        self._sources: Callable[[], Sources] = more.pop("sources", dict)
        self._use: Callable[[Any], Any] = more.pop("use", lambda value: value)
        super().__init__(file, **more)
        self._objects = objects
        self._live = spaces

    def persistent_load(self, pid: Any) -> Any:
        """Find a live object by its mark, or a namespace by its name."""
        kind, name = pid
        if kind == "name":
            return self._live["__main__"][name]
        if kind == "global":
            return self._held(*name)
        if kind == "dict":
            return self._kept(*name)
        if kind != "live":
            return self._space(name)
        if name not in self._objects and is_inner(name):
            raise LayoutChanged("a table lies in memory in another way than when the entry was made")
        return self._objects[name]

    def find_class(self, module: str, name: str) -> Any:
        """Find a class or function by name; stand-ins are resolved against the live kernel."""
        if module == __name__ and name == "Space":
            return self._space
        if module == __name__ and name == "Code":
            return self._code
        if module == __name__ and name == "First":
            return self._use
        return super().find_class(module, name)

    def _kept(self, mark: str, attribute: str) -> Any:
        """Find what a live object keeps its content in."""
        held = object.__getattribute__(self._objects[mark], "__dict__")
        if attribute and attribute not in held:
            raise LayoutChanged("an object keeps its content in another way than when the entry was made")
        return held[attribute] if attribute else held

    def _held(self, module: str, name: str) -> Any:
        first, *rest = name.split(".")
        space = self._space(module)
        # Some modules load a name of theirs when they are first asked for it.
        value = space[first] if first in space else getattr(importlib.import_module(module), first)
        return functools.reduce(getattr, rest, value)

    def _space(self, name: str) -> dict[str, Any]:
        live = self._live.get(name)
        return live if live is not None else vars(importlib.import_module(name))

    @functools.cached_property
    def _present(self) -> Sources:
        return self._sources()

    def _code(self, content: bytes, source: tuple[str, str]) -> types.CodeType:
        return find_code(marshal.loads(content), source, self._present)  # noqa: S302  as trusted as the pickle it is in
