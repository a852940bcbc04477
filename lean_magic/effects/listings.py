"""Folders that a cell lists, or removes with all that lies in them: observed by what else lies there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lean_magic.effects.contents import below, listing, unwatched
from lean_magic.effects.folders import crowd

__all__ = ["Listings", "differ"]

_MADE = "made"  # observed of a folder that was not there: nothing may lie in it but what the cell puts there


class Listings:
    """What one cell has seen of folders: name → [what is there, the names left out, a digest of all files there]."""

    def __init__(self) -> None:
        self.found: dict[str, list[Any]] = {}
        self.cleared: set[str] = set()

    def copy(self) -> Listings:
        """Give another that holds the same."""
        copied = Listings()
        copied.found = {name: list(seen) for name, seen in self.found.copy().items()}
        copied.cleared = self.cleared.copy()
        return copied

    def see(self, name: str, own: Collection[str]) -> list[Any]:
        """List a folder as the cell finds it, if it has not yet; what it has written itself (`own`) is left out."""
        if name not in self.found:
            mine = sorted(_inside(name, own))
            with unwatched():
                self.found[name] = [listing(name, mine), mine]
        return self.found[name]

    def leave_out(self, new: Collection[str]) -> None:
        """Take files that a library wrote unseen, and that were not there before, for the cell's own."""
        for name, found in self.found.items():
            own = set(_inside(name, new)).intersection(found[0] or ())
            if own:
                found[:2] = [[one for one in found[0] if one not in own], sorted({*found[1], *own})]

    def count(self, name: str, own: Collection[str], *, deep: bool) -> None:
        """Count all files of a folder, any of which may have been read unseen."""
        listed = self.see(name, own)
        listed[2:] = [crowd(name, listed[1], deep=deep)]

    def told(
        self, counts: Callable[[str], bool], was: Mapping[str, str], own: Collection[str]
    ) -> dict[str, Any]:
        """Give what was observed of the folders that count; `was` tells what they were before the cell."""
        folders = {
            name: found if was.get(name, "folder") else [_MADE, *found[1:]]
            for name, found in self.found.items()
            if counts(name)
        }
        cleared = {
            name: sorted(path for path in own if path.startswith(name + os.sep))
            for name in self.cleared
            if counts(name)
        }
        return {"folders": folders, "cleared": cleared}


def _inside(folder: str, paths: Collection[str]) -> list[str]:
    return [os.path.basename(path) for path in paths if (os.path.dirname(path) or ".") == folder]


def differ(observed: Mapping[str, Any]) -> str:
    """Compare what was observed of folders with the present; gives the reason if it differs, else ""."""
    for name, own in observed["cleared"].items():
        if not set(map(os.path.normpath, below(name))) <= set(own):
            return f"folder {name} has other files, which are to be removed"
    for name, (there, own, *others) in observed["folders"].items():
        now = listing(name, own)
        same = not now if there == _MADE else now == there
        if not same or any(one != crowd(name, own, deep=one[0]) for one in others):
            return f"folder {name} has other files"
    return ""
