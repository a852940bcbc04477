"""Code that asks who else holds an object, as what compares it does, or what more it is a part of."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from lean_magic.key.syntax import below

__all__ = ["asks_who_holds"]


def asks_who_holds(nodes: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> str | None:
    """Say why a cell cannot be watched that resizes an array, counts references, or leaves a view; else None."""
    for node in below(nodes, ast.Call, ast.Attribute, ast.Name):
        match node:
            case ast.Call(func=ast.Attribute(ast.Name(name), "resize"), keywords=options):
                if _is_array(namespace.get(name)) and "refcheck" not in {option.arg for option in options}:
                    return (
                        f"`{name}.resize()` refuses while anything else refers to the array, and lean_magic would;"
                        f" use `np.resize`, or `refcheck=False`"
                    )
            case ast.Attribute(ast.Name(name), "base") if _is_inside(namespace.get(name), nodes, namespace):
                return f"`{name}.base` is more than `{name}`, and only `{name}` is compared; name the whole array"
            case ast.Attribute(attr="getrefcount") | ast.Name("getrefcount"):
                return "`getrefcount` counts who refers to an object, lean_magic too; call it in an uncached cell"
    return None


def _is_inside(value: Any, nodes: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> bool:
    """Whether an array is a part of a larger one that the code does not name."""
    if not _is_array(value) or not _is_array(value.base) or value.base.nbytes <= value.nbytes:
        return False
    return all(namespace.get(name.id) is not value.base for name in below(nodes, ast.Name))


def _is_array(value: Any) -> bool:
    return (type(value).__module__, type(value).__name__) == ("numpy", "ndarray")
