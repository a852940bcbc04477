"""Whether two settings are the same, whatever users have put into them."""

from __future__ import annotations

from typing import Any

from lean_magic.values.fingerprint import fingerprint

__all__ = ["is_other"]


def is_other(one: Any, other: Any) -> bool:
    """Whether two values differ; where they refuse to say, as arrays inside them do, what they hold tells.

    Raises Unfingerprintable where that cannot be compared either.
    """
    try:
        return bool(one != other)
    except (ValueError, TypeError, RuntimeError):
        return fingerprint(one) != fingerprint(other)
