"""Tracebacks of caught exceptions ↔ their steps: code, instruction and line.

A frame cannot be made, only entered: each step is entered again by code that does
nothing but raise at the same place of the same file, so that the traceback prints as
it did. The variables of the frames are gone. (The way is that of the `tblib` project,
https://github.com/ionelmc/python-tblib, with the columns kept as well.)
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable

__all__ = ["retraced", "steps"]

Step = tuple[types.CodeType, int, int]


class _Here(Exception):
    """Raised in the place of the error."""


def steps(trace: types.TracebackType | None) -> list[Step]:
    """List the steps of a traceback, the outermost first."""
    found = []
    while trace is not None:
        found.append((trace.tb_frame.f_code, trace.tb_lasti, trace.tb_lineno))
        trace = trace.tb_next
    return found


def retraced(kept: Iterable[Step]) -> types.TracebackType | None:
    """Build a traceback of such steps."""
    trace = None
    for code, position, line in reversed(list(kept)):
        entered = _enter(code, position, line)
        trace = types.TracebackType(trace, entered.tb_frame, entered.tb_lasti, line)
    return trace


def _enter(code: types.CodeType, position: int, line: int) -> types.TracebackType:
    raising = ast.Raise(ast.Name("error", ast.Load()))
    for node in (raising, raising.exc):
        _locate(node, code, position, line)
    module = ast.fix_missing_locations(ast.Module([raising], []))
    trace = None
    stub = compile(module, code.co_filename, "exec").replace(
        co_name=code.co_name, co_qualname=code.co_qualname
    )
    try:
        exec(stub, {"error": _Here, "__name__": "__main__"})  # noqa: S102  our own two words
    except _Here as error:
        trace = error.__traceback__
    if trace is None or trace.tb_next is None:
        raise AssertionError("the stub does nothing but raise")
    return trace.tb_next


def _locate(node: ast.AST | None, code: types.CodeType, position: int, line: int) -> None:
    places = list(code.co_positions())
    first, last, column, end = places[position // 2] if position // 2 < len(places) else (line, line, 0, 0)
    told = {
        "lineno": first or line,
        "end_lineno": last or line,
        "col_offset": column or 0,
        "end_col_offset": end or 0,
    }
    for name, value in told.items():
        setattr(node, name, value)
