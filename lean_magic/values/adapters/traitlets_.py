"""traitlets: objects with traits; what they say of themselves forgets who observes them: observed ones are refused."""

from __future__ import annotations

from typing import Any

import traitlets

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule
from lean_magic.words import with_article

__all__ = ["ADAPTER"]


def _must_be_unobserved(value: Any) -> None:
    """Refuse an object that somebody observes, but for its own class. Raises Unstorable."""
    if not isinstance(value, traitlets.HasTraits):
        return
    notifiers: Any = vars(value).get("_trait_notifiers", {})
    handlers = (one for kinds in notifiers.values() for known in kinds.values() for one in known)
    if any(not isinstance(one, traitlets.ObserveHandler) for one in handlers):
        why = f"holds {with_article(type(value).__qualname__)} that is observed"
        raise Unstorable(type(value).__qualname__, why, "observe and change it in uncached cells")


class _Traitlets(FingerprintOnly):
    library = "traitlets"

    def rule(self, cls: type) -> Rule | None:
        """Leave fingerprints to what such objects say of themselves."""
        del cls
        return None

    def reduce(self, value: Any, memory: Any) -> Any:
        """Refuse what is observed."""
        del memory
        _must_be_unobserved(value)
        return NotImplemented

    def content(self, value: Any) -> Any:
        """Refuse what is observed."""
        _must_be_unobserved(value)
        return NotImplemented


ADAPTER = _Traitlets()
