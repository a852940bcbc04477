"""`%%cached --items texts`: the one call in a cell that is given these items goes through a cached map.

The cell's own text stays as it is, and so does what it depends on; only the statements that run are changed.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lean_magic.errors import UsageError
from lean_magic.items.mapped import CachedMap

__all__ = ["NAME", "mapper", "rewritten"]

NAME = "item by item"  # what the changed call looks up: no name that a user can write
_BATCH = 256
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp)


def rewritten(nodes: Sequence[ast.stmt], items: str) -> list[ast.stmt]:
    """Give the statements of a cell with its call `f(items, …)` taken item by item.

    Raises UsageError if there is not just one.
    """
    wanted = ast.unparse(ast.parse(items, mode="eval"))
    changed = copy.deepcopy(list(nodes))
    calls = [call for node in changed for call in _calls(node) if call.args and _says(call.args[0], wanted)]
    if len(calls) != 1:
        what = "no call in this cell has it" if not calls else f"{len(calls)} calls in this cell have it"
        raise UsageError(f"%%cached: --items {items}: {what} as its first argument, and there has to be one")
    call = calls[0]
    if len(call.args) > 1 or any(keyword.arg is None for keyword in call.keywords):
        raise UsageError(
            f"%%cached: --items {items}: write the other arguments of {ast.unparse(call.func)}() by name"
        )
    name = ast.copy_location(ast.Name(NAME, ast.Load()), call.func)
    call.func = ast.copy_location(ast.Call(name, [call.func], []), call.func)
    return changed


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Give the calls that run as the cell runs, not those inside functions that it defines."""
    if isinstance(node, _INNER):
        return
    if isinstance(node, ast.Call):
        yield node
    for inner in ast.iter_child_nodes(node):
        yield from _calls(inner)


def _says(node: ast.expr, wanted: str) -> bool:
    return ast.unparse(node) == wanted


def mapper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function that computes only the items that are new."""

    def mapped(items: Any, /, **options: Any) -> Any:
        asked = options.get("batch_size")
        size = max(asked, _BATCH) if type(asked) is int else _BATCH
        try:
            return CachedMap(function, batch_size=size)(items, **options)
        except UsageError as error:
            raise UsageError(f"%%cached --items: {str(error).removeprefix('cached_map: ')}") from None

    return mapped
