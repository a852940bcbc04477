"""Silence while a module is imported for an entry: what the import shows is in the entry's record already."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

__all__ = ["silence"]


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Show nothing of what is written to stdout and stderr inside."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
