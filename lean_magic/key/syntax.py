"""The syntax tree of a cell: its nodes by their kind, and a digest blind to layout.

Each statement is walked once, however many look through it.
"""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lean_magic.values.fingerprint import leaf

__all__ = ["below", "compiled", "digest_of"]


def below(nodes: Iterable[ast.AST], *kinds: type[ast.AST]) -> Iterator[Any]:
    """Give the nodes of some kinds in statements, these themselves included: statement by statement."""
    for node in nodes:
        found = _by_kind(node)
        for kind in kinds:
            yield from found.get(kind, ())


@functools.lru_cache(maxsize=256)
def _by_kind(node: ast.AST) -> dict[type[ast.AST], list[ast.AST]]:
    """Sort the nodes below one as `ast.walk` would meet them, which takes twice as long."""
    found: dict[type[ast.AST], list[ast.AST]] = {}
    todo = [node]
    for inner in todo:  # which grows on the way
        found.setdefault(type(inner), []).append(inner)
        for name in inner._fields:
            value = getattr(inner, name, None)
            if isinstance(value, ast.AST):
                todo.append(value)
            elif isinstance(value, list):
                todo += [one for one in value if isinstance(one, ast.AST)]
    return found


@functools.lru_cache(maxsize=256)
def compiled(node: ast.stmt) -> types.CodeType:
    """Compile one statement, in which `await` may stand; raises SyntaxError where it makes no sense."""
    module = ast.Module([node], [])
    code = compile(module, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    assert isinstance(code, types.CodeType)
    return code


def digest_of(nodes: Sequence[ast.stmt], *, quiet: bool) -> str:
    """Digest what a cell says; `quiet` tells that it does not show its last value."""
    module = ast.Module(list(nodes), [])
    marked = any(constant.kind for constant in below(nodes, ast.Constant))
    dumped = ast.dump(_Plain().visit(module) if marked else module)
    return leaf("quiet cell" if quiet else "cell", dumped.encode("utf-8", "surrogatepass")).hex()


class _Plain(ast.NodeTransformer):
    """Forgets what makes no difference: the `u` before a string."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.copy_location(ast.Constant(node.value), node) if node.kind else node
