"""In-place change of objects that existed before the cell."""

from __future__ import annotations

from typing import Any

from lean_magic.effects.recorder import Record, Run
from lean_magic.errors import Unfingerprintable, Unstorable
from lean_magic.values import Walk

__all__ = ["Mutation", "changed"]


class Mutation:
    """Fingerprints what the cell reached once more and compares."""

    name = "mutation"

    def begin(self, run: Run) -> None:
        """Nothing to do: the key already holds the digests of everything reached."""

    def end(self, run: Run) -> Record:
        """Find what changed in place. Raises Unstorable naming it."""
        names = changed(run.walk)
        if names:
            raise Unstorable(names[0], "was changed in place", "bind a changed copy to a new name")
        return Record()

    def cancel(self, run: Run) -> None:
        """Nothing to stop."""

    def still_holds(self, observed: Any, run: Run) -> str:
        """In-place change observes nothing."""
        del observed, run
        return ""

    def replay(self, record: Record, run: Run) -> None:
        """Nothing to put back."""


def changed(before: Walk) -> list[str]:
    """Name the parts of a walk whose content is no longer what it was."""
    again = Walk()
    again.spaces.update(before.spaces)
    return [part for part, (value, digest) in before.values.items() if _differs(again, part, value, digest)]


def _differs(walk: Walk, part: str, value: Any, digest: str) -> bool:
    try:
        return walk.fingerprint(part, value).digest != digest
    except Unfingerprintable:
        return True
