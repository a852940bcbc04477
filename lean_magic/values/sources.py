"""Where the text of a stored function is found again, so that `inspect.getsource` and tracebacks work.

The function of a cell that is replayed is the one its present text compiles to,
with the present line numbers; for code from elsewhere the stored text is
registered with `linecache` under the stored name.
"""

from __future__ import annotations

import linecache
import os
import types

from lean_magic.values.code import code_digest, nested

__all__ = ["Sources", "find_code", "source_of", "sources_of"]

# (name, digest) of code in the present cell → the code objects themselves: two lambdas may say the same.
Sources = dict[tuple[str, bytes], list[types.CodeType]]


def source_of(code: types.CodeType) -> tuple[str, str]:
    """Give the file name of `code` and, where no such file is on disk, the text it was compiled from."""
    name = code.co_filename
    return name, "" if os.path.exists(name) else "".join(linecache.getlines(name))


def sources_of(compiled: list[types.CodeType]) -> Sources:
    """Index every function and class body inside freshly compiled cell code."""
    found: Sources = {}
    for code in (inner for whole in compiled for inner in nested(whole)):
        found.setdefault((code.co_qualname, code_digest(code)), []).append(code)
    return found


def find_code(stored: types.CodeType, source: tuple[str, str], present: Sources) -> types.CodeType:
    """Give the present cell's own code for a stored one, or the stored one with its text registered."""
    name, text = source
    if text and name not in linecache.cache:
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    same = present.get((stored.co_qualname, code_digest(stored)), [stored])
    return min(same, key=lambda code: abs(code.co_firstlineno - stored.co_firstlineno))
