"""traitlets: objects with traits; what they say of themselves forgets who observes them: observed ones are refused."""

from __future__ import annotations

from typing import Any

import traitlets

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.origin import module_of
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


def _widget(walk: Walk, value: Any) -> bytes:
    """Digest a widget by its traits, without the number that it has in its process and what it talks to a page by."""
    walk.mark(value)
    state = dict(walk.keep(value.__getstate__()))
    traits = {name: item for name, item in state.pop("_trait_values", {}).items() if name != "comm"}
    state.pop("_model_id", None)
    return combine(
        "widget", walk.digest(type(value)), walk.digest(walk.keep(traits)), walk.digest(walk.keep(state))
    )


def _is_widget(cls: type) -> bool:
    return any(
        base.__name__ == "Widget" and module_of(base).startswith("ipywidgets.") for base in cls.__mro__
    )


class _Traitlets(FingerprintOnly):
    library = "traitlets"

    def rule(self, cls: type) -> Rule | None:
        """Leave fingerprints to what such objects say of themselves, but for widgets."""
        return _widget if _is_widget(cls) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        """Refuse what is observed, and widgets, which a page shows by a number of this process."""
        del memory
        if _is_widget(type(value)):
            kind = type(value).__qualname__
            why = f"is or holds {with_article(kind)} of ipywidgets, which works only while its kernel lives"
            raise Unstorable(
                kind, why, "make it in an uncached cell; what it gives may be used in cached ones"
            )
        _must_be_unobserved(value)
        return NotImplemented

    def content(self, value: Any) -> Any:
        """Refuse what is observed, and widgets, of whose changes their page has to hear."""
        _must_be_unobserved(value)
        if _is_widget(type(value)):
            why = f"holds {with_article(type(value).__qualname__)} that was changed in place"
            raise Unstorable(type(value).__qualname__, why, "change controls in uncached cells")
        return NotImplemented


ADAPTER = _Traitlets()
