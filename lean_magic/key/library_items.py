"""Items that the session has put into lists, dicts and sets of libraries: `mimetypes.types_map[".x"] = "a/b"`."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lean_magic.key.syntax import below
from lean_magic.values.origin import is_own, origin
from lean_magic.values.owners import CHANGERS, Owner, owner_at

__all__ = ["Items", "chain_of"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def chain_of(node: ast.expr) -> list[str]:
    """Spell `a.b.c`; empty for anything else."""
    if isinstance(node, ast.Attribute):
        before = chain_of(node.value)
        return [*before, node.attr] if before else []
    return [node.id] if isinstance(node, ast.Name) else []


class Items:
    """The containers of libraries that the cells of one session have changed."""

    def __init__(self) -> None:
        self._changed: dict[str, Owner] = {}

    def note(self, nodes: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> None:
        """Note the containers that a cell changes by name."""
        for chain in _changed(nodes):
            owner = owner_at(namespace.get(chain[0]), chain[1:]) if len(chain) > 1 else None
            is_open = owner is not None and type(owner.value) in (list, dict, set)
            if owner is not None and is_open and not origin(owner.module).own and owner.module != "sys":
                self._changed[owner.label] = owner

    def of(self, packages: set[str]) -> Iterator[tuple[str, Any]]:
        """Give what is in those of some packages now."""
        for label, owner in sorted(self._changed.items()):
            if owner.module.partition(".")[0] in packages:
                yield label, _shown(owner.value)


def _changed(nodes: Sequence[ast.stmt]) -> Iterator[list[str]]:
    for item in below(nodes, ast.Subscript):
        if not isinstance(item.ctx, ast.Load):
            yield chain_of(item.value) or [""]
    for call in below(nodes, ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in CHANGERS:
            yield chain_of(call.func.value) or [""]


def _shown(value: Any) -> list[Any]:
    """Give plain items and the user's own, and of others only what they are called."""
    items = list(value.items()) if isinstance(value, dict) else [(item,) for item in value]
    return [tuple(map(_item, item)) for item in items]


def _item(value: Any) -> Any:
    code = value if isinstance(value, (type, types.FunctionType)) else type(value)
    if isinstance(value, _PLAIN) or is_own(code):
        return value
    return f"{code.__module__}.{code.__qualname__}"
