"""A list of all entries in one file, so that a folder of a hundred thousand can be looked over in an instant.

    root/index      + ENTRY FAMILY KEY CREATED SIZE      a line for each entry stored
                    - ENTRY                              and for each one deleted

It only saves time: what it names is looked up before it is shown, families are compared with the folder, and if it is
missing, every manifest is read and it is written anew. Lines go out in one write each, as the ledger's do.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from lean_magic.store.folder import new_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Index", "Line"]


class Line(NamedTuple):
    """An entry as the index knows it: `created` in seconds since the epoch, `size` in bytes of its payload."""

    entry: str
    family: str
    key: str
    created: float
    size: int


class Index:
    """The index in the file `path`. No method raises for a file that cannot be used: there is none then."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, line: Line) -> None:
        """Note that an entry was stored, if there is an index."""
        self._append(f"+ {line.entry} {line.family} {line.key} {line.created!r} {line.size}\n")

    def remove(self, entry: str) -> None:
        """Note that an entry was deleted."""
        self._append(f"- {entry}\n")

    def forget(self) -> None:
        """Remove the index; it is written anew when it is asked for."""
        with suppress(OSError):
            self.path.unlink()

    def read(self) -> dict[str, Line] | None:
        """Give the entries by their ids; None if there is no index, or none that can be read."""
        try:
            text = self.path.read_text("ascii")
            return _entries(text.splitlines())
        except (OSError, ValueError):
            return None

    def write(self, lines: Iterable[Line]) -> None:
        """Write the index anew."""
        with suppress(OSError), new_file(self.path) as file:
            for line in lines:
                text = f"+ {line.entry} {line.family} {line.key} {line.created!r} {line.size}\n"
                file.write(text.encode("ascii"))

    def _append(self, text: str) -> None:
        # Never makes the file: one that starts in the middle would pass for complete.
        with suppress(OSError):
            number = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0))
            try:
                whole = os.write(number, text.encode("ascii")) == len(text)
            finally:
                os.close(number)
            if not whole:  # a full disk
                self.forget()


def _entries(lines: list[str]) -> dict[str, Line]:
    """Read lines; raises ValueError for one that is none, such as the end of a file that was cut."""
    found: dict[str, Line] = {}
    for words in map(str.split, lines):
        if len(words) == 6 and words[0] == "+":
            found[words[1]] = Line(words[1], words[2], words[3], float(words[4]), int(words[5]))
        elif len(words) == 2 and words[0] == "-":
            found.pop(words[1], None)
        else:
            raise ValueError(words)
    return found
