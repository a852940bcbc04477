"""Every error lean_magic raises.

LeanMagicError
├── UsageError            a line or argument that cannot be understood        (ValueError)
├── Unfingerprintable     a value that has no digest that would mean anything (TypeError)
├── Unstorable            a value that cannot be written and read back        (TypeError)
├── Unresolvable          a name that only running the code can resolve
└── StoreError            the cache folder cannot be used                     (OSError)
    ├── NotPrivate        the folder can be written by somebody else
    └── Damaged           an entry that is not what was written

Each message says what happened, to which name, and what to do about it.
"""

__all__ = [
    "Damaged",
    "LeanMagicError",
    "NotPrivate",
    "StoreError",
    "Unfingerprintable",
    "Unresolvable",
    "Unstorable",
    "UsageError",
]


_PLAIN = ("a ", "an ", "the ", "pyplot's ", "module ")  # words, not what code says


class LeanMagicError(Exception):
    """The one class to catch for everything in this package."""


class UsageError(LeanMagicError, ValueError):
    """A magic line, an option or a setting that cannot be understood."""

    def _render_traceback_(self) -> list[str]:
        """Tell IPython to show what it says, not the lines of ours that found it."""
        return [f"UsageError: {self}"]


class _AboutValue(LeanMagicError, TypeError):
    """A value that cannot be handled: `where` it is, `why`, and the `remedy`."""

    def __init__(self, where: str, why: str, remedy: str = "") -> None:
        named = where if where.startswith(_PLAIN) else f"`{where}`"
        super().__init__(f"{named} {why}" + (f"; {remedy}" if remedy else ""))
        self.where = where
        self.why = why
        self.remedy = remedy


class Unfingerprintable(_AboutValue):
    """A value with no digest that would be equal for equal content."""


class Unstorable(_AboutValue):
    """A value that cannot be written to disk and read back as it was."""


class Unresolvable(_AboutValue):
    """A name that is known only once the code runs."""


class StoreError(LeanMagicError, OSError):
    """The cache folder cannot be used: missing rights, no space, not a folder."""


class NotPrivate(StoreError):
    """The cache folder, or one above it, can be written by another user."""


class Damaged(StoreError):
    """A manifest or payload whose digest does not fit: it is treated as absent."""
