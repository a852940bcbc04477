"""Magics and shell escapes inside a cell: which are harmless, and what code they carry.

IPython rewrites them to calls on `get_ipython()` before the cell is parsed.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from lean_magic.key.syntax import below

__all__ = ["ShellCall", "shell_call"]

# Settings of the session: run again on a hit, since they cost nothing and say nothing.
_SETTINGS = {"matplotlib", "config", "load_ext", "reload_ext", "autoreload", "precision", "pylab"}
# These run the code they are given, once, in the user's namespace.
_WRAPPERS = {"time", "capture"}
_NAMES = {"run_line_magic", "run_cell_magic", "system", "getoutput", "magic"}


@dataclass(slots=True, repr=False, eq=False)
class ShellCall:
    """One magic or escape: its name, its line, and the statements it runs (empty if none)."""

    name: str
    line: str
    replayed: bool
    known: bool
    body: list[ast.stmt] = field(default_factory=list)
    binds: list[str] = field(default_factory=list)


def shell_call(node: ast.stmt) -> ShellCall | None:
    """Recognise a statement that is, or assigns, a magic or a shell escape."""
    value = node.value if isinstance(node, (ast.Expr, ast.Assign)) else None
    call = _call(value) or next(filter(None, map(_call, below([node], ast.Call))), None)
    if call is None or isinstance(node, (ast.If, ast.For, ast.While, ast.With, ast.FunctionDef)):
        return None
    method, arguments = call
    binds = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
    if method not in {"run_line_magic", "run_cell_magic"} or not arguments:
        return ShellCall("!", " ".join(arguments), replayed=False, known=False, binds=binds)
    name, *rest = arguments
    body = _parse(rest[-1]) if name in _WRAPPERS and rest else []
    if name == "capture" and rest:
        binds = [word for word in rest[0].split() if word.isidentifier()]
    known = name in _SETTINGS or bool(body)
    sign = "%%" if method == "run_cell_magic" else "%"
    return ShellCall(sign + name, rest[0] if rest else "", name in _SETTINGS, known, body or [], binds)


def _call(node: ast.AST | None) -> tuple[str, list[str]] | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _NAMES):
        return None
    owner = node.func.value
    if not (isinstance(owner, ast.Call) and getattr(owner.func, "id", "") == "get_ipython"):
        return None
    return node.func.attr, [str(arg.value) for arg in node.args if isinstance(arg, ast.Constant)]


def _parse(text: str) -> list[ast.stmt] | None:
    try:
        return ast.parse(text).body
    except SyntaxError:
        return None
