"""The command `lean-magic`: the verbs of `%lean`, but for `why`, in a terminal and without IPython.

    lean-magic ls|show|savings|check|prune|clear|config …

It ends with 0; with 1 if something is wrong or was not done (`check`, `clear` without --yes); with 2 for
a line that cannot be understood.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import TYPE_CHECKING

from lean_magic import __version__
from lean_magic.errors import LeanMagicError, UsageError
from lean_magic.lean import answer
from lean_magic.lean.place import Place
from lean_magic.ledger import Ledger
from lean_magic.settings import LeanMagic
from lean_magic.store import LocalStore

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_COMMAND = "lean-magic"


def main(words: Sequence[str] | None = None) -> int:
    """Answer one command line; gives the exit status."""
    words = sys.argv[1:] if words is None else words
    if list(words) == ["--version"]:
        return _write(f"{_COMMAND} {__version__}")
    try:
        page = answer(_place(), words)
    except LeanMagicError as error:
        told = str(error) if str(error).startswith(_COMMAND) else f"{_COMMAND}: {error}"
        sys.stderr.write(f"{told}\n")
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130  # as shells say it
    written = _write(page.plain(shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    return written or int(not page.ok)


def _place() -> Place:
    settings = LeanMagic()
    return Place(settings, LocalStore(settings.folder), Ledger(settings.folder / "ledger.jsonl"), _COMMAND)


def _write(text: str) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no "→" shows "?"
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # as in `lean-magic ls | head`: Python must not fail once more as it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
