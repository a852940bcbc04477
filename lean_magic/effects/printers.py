"""Functions that show objects of some class in the notebook, as `sympy.init_printing()` registers them."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from lean_magic.errors import Unfingerprintable
from lean_magic.values import fingerprint

__all__ = ["named", "printers"]


def printers(shell: Any) -> list[str]:
    """Name the functions that show objects of some class, as far as somebody registered them with the shell."""
    found = (
        (mime, cls, function)
        for mime, formatter in shell.display_formatter.formatters.items()
        for held in (formatter.type_printers, formatter.deferred_printers)
        for cls, function in held.items()
        if not _home(function).startswith(_OWN_PRINTERS)
    )
    return sorted(f"{mime} {named(cls)}: {named(function)}" for mime, cls, function in found)


_OWN_PRINTERS = ("IPython.", "matplotlib_inline.")


def _home(function: Any) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    return str(getattr(inner, "__module__", ""))


def named(value: Any) -> str:
    """Name a class or function, and what it is made of where that is known."""
    if isinstance(value, tuple):  # a class that is not loaded
        return ".".join(value)
    name = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    with contextlib.suppress(Unfingerprintable):
        return f"{name} {fingerprint(value)[:8]}"
    return name
