"""What is found again by its module and name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lean_magic.values.fingerprint import Walk, leaf
from lean_magic.values.origin import module_of, origin

__all__ = ["importable", "named"]


def importable(obj: Any) -> bool:
    """Whether importing `obj.__module__` and following `obj.__qualname__` finds this very object."""
    found: Any = sys.modules.get(module_of(obj))
    for name in str(getattr(obj, "__qualname__", "?")).split("."):
        found = getattr(found, name, None)
    return found is obj


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
