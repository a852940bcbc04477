"""What importing a module shows, kept to ourselves: where an entry is looked at or put back, its record has it already."""

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
