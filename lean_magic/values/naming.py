"""What is found again by its module and name."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Walk, leaf
from lean_magic.values.origin import inside_extension, is_a, module_of, origin

__all__ = ["can_be_imported", "held_by_library", "importable", "named", "written_by_name"]


def importable(obj: Any) -> bool:
    """Whether importing `obj.__module__` and following `obj.__qualname__` finds this very object."""
    found: Any = sys.modules.get(module_of(obj))
    for name in str(getattr(obj, "__qualname__", "?")).split("."):
        found = getattr(found, name, None)
    return found is obj


def held_by_library(obj: Any) -> tuple[Any, tuple[Any, str]] | None:
    """Say where a library holds a function or class that is not found by its own name: how to get it, by what.

    That is the module it says to be of, or another of the same package, or the least deep that holds it under its name.
    """
    said, own_name = module_of(obj), str(obj.__name__)
    inner = None if said in sys.modules else inside_extension(said.rpartition(".")[2])
    if inner is not None and getattr(inner, own_name, None) is obj:
        return getattr, (inner, own_name)
    packages = {said.partition(".")[0], *(_OF_BUILTINS if said == "builtins" else ())}
    known = {name: one for name, one in list(sys.modules.items()) if is_a(one, types.ModuleType)}
    near = [name for name in known if name.partition(".")[0] in packages]
    for module in sorted(near, key=lambda name: (name != said, name.count("."), name)):
        name = next((name for name, held in list(vars(known[module]).items()) if held is obj), None)
        if name is not None and not origin(module).own:
            return _held, (module, name)
    holders = [name for name, one in known.items() if vars(one).get(own_name) is obj and not origin(name).own]
    best = min(holders, key=lambda name: (name.count("."), name), default=None)
    return None if best is None else (_held, (best, own_name))


_OF_BUILTINS = ("types", "_collections_abc")  # which hold the classes that Python itself makes objects of


def _held(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _inner(package: str, name: str) -> Any:
    importlib.import_module(package)
    return inside_extension(name)


def can_be_imported(name: str, module: types.ModuleType) -> bool:
    """Whether importing a name anew would load this very module, and not one that was loaded by hand."""
    parent = sys.modules.get(name.rpartition(".")[0])
    if "." in name and parent is None:
        return False
    where = getattr(parent, "__path__", None)
    specs = (finder.find_spec(name, where) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    spec = next(filter(None, specs), None)
    return spec is not None and spec.origin == getattr(module, "__file__", None)


def written_by_name(module: types.ModuleType) -> Any:
    """Leave a module to pickle, which writes what an import finds by its name, and of others what they hold.

    Raises Unstorable for one that was loaded by hand: its functions live in it, and would live in a copy.
    """
    if inside_extension(module.__name__) is module:
        return _inner, (origin(module.__name__).package, module.__name__)
    own = vars(module)
    lives = any(is_a(one, types.FunctionType) and one.__globals__ is own for one in own.values())
    is_there = sys.modules.get(module.__name__) is module
    if lives and origin(module.__name__).own and not (is_there and can_be_imported(module.__name__, module)):
        why = "was loaded by hand, not by an import"
        raise Unstorable(f"module {module.__name__}", why, "load it in an uncached cell, before")
    return NotImplemented


def named(walk: Walk, tag: str, obj: Any) -> bytes:
    """Digest something installed by the name that finds it."""
    module = module_of(obj)
    walk.use_module(module)
    return leaf(tag, f"{module}:{obj.__qualname__} {_built(module)}".encode())


def _built(module: str) -> str:
    """Digest the file of a local module written in C, which has no code to look at."""
    path = str(getattr(sys.modules.get(module), "__file__", None) or "")
    if not origin(module).own or path.endswith((".py", ".pyc")) or not Path(path).is_file():
        return ""
    return leaf("built", Path(path).read_bytes()).hex()
