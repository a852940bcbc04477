"""What statements and patterns bind, look up and let through, read off the syntax tree."""

from __future__ import annotations

import ast
import dis
from collections.abc import Mapping, Sequence

from lean_magic.key.syntax import below

__all__ = [
    "binding_order",
    "bound_in",
    "captures",
    "catches",
    "harmless",
    "leaves",
    "pattern_expressions",
    "stored",
    "targets",
    "walrus",
]


def binding_order(nodes: Sequence[ast.stmt], statements: Mapping[str, int]) -> dict[str, int]:
    """Give the names that a cell binds their numbers in the order it does so, as far as its text tells.

    `statements` gives the statement that first binds each; within one, names go by the stores in its bytecode.
    """
    code = compile(ast.Module(list(nodes), []), "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    steps = [step for step in dis.get_instructions(code) if step.opname in {"STORE_NAME", "STORE_GLOBAL"}]
    stores = {name: place for place, name in enumerate(dict.fromkeys(step.argval for step in steps), 1)}
    ranked = sorted(statements, key=lambda name: (statements[name], stores.get(name, 0)))
    return {name: rank for rank, name in enumerate(ranked)}


def catches(node: ast.AST) -> bool:
    """Whether a statement may swallow the NameError of an unbound name."""
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return not all(harmless(item.context_expr) for item in node.items)
    return isinstance(node, (ast.Try, ast.TryStar))


def walrus(node: ast.expr) -> set[str]:
    """Give the name that an expression surely binds as a whole: `x := f()`."""
    return {node.target.id} if isinstance(node, ast.NamedExpr) else set()


_HARMLESS = {"open", "torch.no_grad", "torch.inference_mode", "np.errstate", "warnings.catch_warnings"}


def harmless(node: ast.expr) -> bool:
    """Whether a context manager is known to let every exception out."""
    call = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(call) in _HARMLESS


def leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether a block ends by leaving it, so that nothing after it follows."""
    return bool(block) and isinstance(block[-1], (ast.Raise, ast.Continue, ast.Break))


def bound_in(node: ast.AST) -> set[str]:
    """Names that a loop may bind in an earlier round."""
    names = {name.id for name in below([node], ast.Name) if isinstance(name.ctx, ast.Store)}
    defs = below([node], ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return names | {definition.name for definition in defs}


def stored(*nodes: ast.AST) -> set[str]:
    """Name what stands as a plain target in assignment targets."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, (ast.Tuple, ast.List)):
            found |= stored(*node.elts)
        elif isinstance(node, ast.Starred):
            found |= stored(node.value)
    return found


def targets(node: ast.stmt) -> set[str]:
    """Name what a simple statement binds whenever it completes."""
    if isinstance(node, ast.Assign):
        return stored(*node.targets)
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)):
        return stored(node.target)
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.NamedExpr):
        return {node.value.target.id}
    alias = getattr(node, "name", None)  # `type X = …`
    return {alias.id} if isinstance(alias, ast.Name) else set()


def pattern_expressions(pattern: ast.pattern) -> list[ast.expr]:
    """List the values, classes and keys that a pattern looks up."""
    found: list[ast.expr] = []
    for inner in ast.walk(pattern):
        if isinstance(inner, ast.MatchValue):
            found.append(inner.value)
        elif isinstance(inner, ast.MatchClass):
            found.append(inner.cls)
        elif isinstance(inner, ast.MatchMapping):
            found += inner.keys
    return found


def captures(pattern: ast.pattern) -> set[str]:
    """Name what a pattern binds where it matches."""
    return {
        name
        for inner in ast.walk(pattern)
        for name in (getattr(inner, "name", None), getattr(inner, "rest", None))
        if isinstance(name, str)
    }
