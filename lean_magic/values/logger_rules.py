"""Fingerprints of loggers: by all that decides what becomes of a message."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.origin import is_own
from lean_magic.values.reduced import attributes

__all__ = ["keepers", "logger_rule", "loggers", "set_up", "settings_rule"]

_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})
_SAID = frozenset({"formatter", "filters", "_style"})


def logger_rule(walk: Walk, value: logging.Logger) -> bytes:
    """Digest a logger by its switches, filters and handlers, and by the loggers above it."""
    walk.mark(value)
    switches = (type(value).__qualname__, value.name, value.level, value.propagate, value.disabled)
    above = value.parent if value.propagate else None
    return combine("logger", walk.digests((switches, value.filters, value.handlers, above)))


def settings_rule(walk: Walk, value: Any) -> bytes:
    """Digest a handler or formatter: the user's own by all it holds, an installed one by its settings.

    A handler's lock has no content. A stream is known by name alone, but for one in memory: what is logged
    there can be read by the cells after.
    """
    walk.mark(value)
    stream = getattr(value, "stream", None)
    place = leaf("stream", f"{type(stream).__qualname__} {getattr(stream, 'name', '')}".encode())
    if isinstance(stream, (io.StringIO, io.BytesIO)) and not stream.closed:
        place = walk.digest(stream)
    inner = {"lock", "stream"}
    if not is_own(type(value)):
        inner |= {name for name, item in vars(value).items() if type(item) not in _SCALARS} - _SAID
    return combine("handler", walk.digest(type(value)), place, attributes(walk, value, frozenset(inner)))


def loggers() -> dict[str, logging.Logger]:
    """Give all loggers by name; that of the root is empty."""
    known = {"": logging.root, **logging.Logger.manager.loggerDict}
    return {name: one for name, one in known.items() if isinstance(one, logging.Logger)}


def set_up(
    counts: Callable[[str, logging.Logger], bool],
) -> dict[str, tuple[list[Any], list[Any], bool, bool]]:
    """Give handlers, filters, whether it propagates and is disabled, of the loggers that count and are not as usual."""
    return {
        name: (list(one.handlers), list(one.filters), one.propagate, one.disabled)
        for name, one in loggers().items()
        if counts(name, one) and (one.handlers or one.filters or not one.propagate or one.disabled)
    }


def keepers() -> dict[str, int]:
    """Count what handlers of libraries keep of messages, as those of pytest and unittest do, by logger and class."""
    return {
        f"{type(handler).__qualname__} on logger {name or 'root'}": sum(map(_size, kept))
        for name, one in loggers().items()
        for handler in one.handlers
        if not is_own(type(handler))
        and (kept := [vars(handler)[word] for word in _KEPT & vars(handler).keys()])
    }


_KEPT = frozenset({"buffer", "queue", "records", "watcher"})


def _size(kept: Any) -> int:
    if isinstance(kept, tuple):  # of lists
        return sum(map(_size, kept))
    return len(kept) if hasattr(kept, "__len__") else int(kept.qsize()) if hasattr(kept, "qsize") else 0
