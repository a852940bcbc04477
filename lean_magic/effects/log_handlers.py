"""Handlers of the root logger that show messages on the front end's streams, as `logging.basicConfig()` makes them."""

from __future__ import annotations

import logging
import sys
from typing import Any, NamedTuple

__all__ = ["plain_handlers", "put_handlers", "told"]

_STYLES = {logging.PercentStyle: "%", logging.StrFormatStyle: "{", logging.StringTemplateStyle: "$"}
_FORMATS = {"_style", "_fmt", "datefmt"}  # what a formatter holds


class _Told(NamedTuple):
    """All there is to know of such a handler."""

    stream: str
    level: int
    format: tuple[str | None, str | None, str] | None


def plain_handlers() -> list[_Told]:
    """Describe those that are on the root logger."""
    return [found for found in map(told, logging.root.handlers) if found is not None]


def told(handler: logging.Handler) -> _Told | None:
    """Describe a handler; None if there may be more to it than a stream of the front end, a level and a format."""
    if type(handler) is not logging.StreamHandler or handler.filters or handler.name:
        return None
    stream = next((name for name in ("stdout", "stderr") if handler.stream is getattr(sys, name)), None)
    formatter = handler.formatter
    if stream is None:
        return None
    if formatter is None:
        return _Told(stream, handler.level, None)
    style = _STYLES.get(type(formatter._style))  # noqa: SLF001  there is no public way to ask
    is_plain = type(formatter) is logging.Formatter and set(vars(formatter)) == _FORMATS
    if style is None or not is_plain or getattr(formatter._style, "_defaults", None):  # noqa: SLF001
        return None
    return _Told(stream, handler.level, (formatter._fmt, formatter.datefmt, style))  # noqa: SLF001


def put_handlers(wanted: list[_Told]) -> None:
    """Make the root logger have these, and no others of this kind."""
    for handler in list(logging.root.handlers):
        found = told(handler)
        if found is not None and found not in wanted:
            logging.root.removeHandler(handler)
    for one in wanted:
        if one not in plain_handlers():
            logging.root.addHandler(_made(one))


def _made(one: _Told) -> logging.Handler:
    handler = logging.StreamHandler(getattr(sys, one.stream))
    handler.setLevel(one.level)
    if one.format is not None:
        style: Any = one.format[2]
        handler.setFormatter(logging.Formatter(one.format[0], one.format[1], style))
    return handler
