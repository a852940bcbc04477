"""Beautiful Soup: pages by their text, and tags by the page they are a part of and the way to them."""

from __future__ import annotations

from typing import Any

import bs4

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine

__all__ = ["ADAPTER"]


def _page(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("page", walk.digests((type(value), bool(value.is_xml), value.decode())))


def _tag(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    page, way = _place(value)
    inside = page if page is not value else None
    return combine("tag", walk.digests((type(value), value.decode(), way)), walk.digest(inside))


def _place(tag: Any) -> tuple[Any, list[int]]:
    """Give the outermost tag around one, and the way to it: places among the contents."""
    way: list[int] = []
    while tag.parent is not None:
        way.append(next(place for place, one in enumerate(tag.parent.contents) if one is tag))
        tag = tag.parent
    return tag, way[::-1]


def _at(page: Any, way: list[int]) -> Any:
    for place in way:
        page = page.contents[place]
    return page


class _Soup(FingerprintOnly):
    library = "bs4"

    def rule(self, cls: type) -> Rule | None:
        if issubclass(cls, bs4.BeautifulSoup):
            return _page
        return _tag if issubclass(cls, bs4.Tag) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        """Take a tag apart into its page, which is parsed again, and the way to it."""
        del memory
        if not isinstance(value, bs4.Tag) or isinstance(value, bs4.BeautifulSoup):
            return NotImplemented
        page, way = _place(value)
        return (_at, (page, way)) if isinstance(page, bs4.BeautifulSoup) else NotImplemented

    def content(self, value: Any) -> Any:
        if isinstance(value, bs4.Tag):
            why = "is a part of a page that was changed in place"
            raise Unstorable(type(value).__name__, why, "parse and change it in one cell")
        return NotImplemented


ADAPTER = _Soup()
