"""Clients of services on the network: httpx, what it connects by, and SDKs that are built on it (OpenAI, Anthropic).

They count by how they were set up. That they have been used, which leaves connections open, is no content: what a
service answers is not seen by anybody. They are not stored: nobody can open their connections again.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.origin import module_of
from lean_magic.values.reduced import attributes, held_by
from lean_magic.words import with_article

__all__ = ["ADAPTER"]

_SSL = (
    "protocol", "verify_mode", "check_hostname", "options", "minimum_version", "maximum_version", "verify_flags",
)  # fmt: skip
_POOL = frozenset({"_connections", "_requests", "_optional_thread_lock", "_network_backend"})


def _secure(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    told = [int(getattr(value, name)) for name in _SSL]
    return combine("ssl", walk.digest(type(value)), walk.digest(told))


def _pool(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    backend = walk.digest(type(vars(value).get("_network_backend")))
    return combine("pool", walk.digest(type(value)), backend, attributes(walk, value, _POOL))


def _client(walk: Walk, value: Any) -> bytes:
    """Digest a client of httpx; cookies count only where they are the user's to see, not those that an SDK is given."""
    walk.mark(value)
    plain = module_of(type(value)).partition(".")[0] in _HTTPX
    rest = attributes(walk, value, frozenset({"_state"} if plain else {"_state", "_cookies"}))
    return combine("client", walk.digest(type(value)), leaf("closed", bytes([_is_closed(value)])), rest)


def _cookies(walk: Walk, value: Any) -> bytes:
    """Digest a jar of cookies, or what it accepts cookies by, but for when it was last asked."""
    walk.mark(value)
    return combine(
        "cookies", walk.digest(type(value)), attributes(walk, value, frozenset({"_now", "_cookies_lock"}))
    )


def _is_closed(value: Any) -> bool:
    return getattr(vars(value).get("_state"), "name", "") == "CLOSED"


def _sdk(walk: Walk, value: Any) -> bytes:
    """Digest a client of an SDK, but for the parts of it that it makes when they are first asked for."""
    walk.mark(value)
    return combine(
        "sdk", walk.digest(type(value)), attributes(walk, value, frozenset({"_platform", *_lazy(value)}))
    )


def _lazy(value: Any) -> list[str]:
    cls = type(value)
    return [
        name
        for name in held_by(value)
        if isinstance(inspect.getattr_static(cls, name, None), functools.cached_property)
    ]


_HTTPX = frozenset({"httpx", "httpx2"})
_CORE = frozenset({"httpcore", "httpcore2"})
_POOLS = frozenset({"ConnectionPool", "AsyncConnectionPool"})


def _rule(cls: type) -> Rule | None:
    for base in cls.__mro__:
        package, name = module_of(base).partition(".")[0], base.__name__
        if package == "http":
            return _cookies if name in _JARS else None
        if package == "ssl":
            return _secure if name == "SSLContext" else None
        if package in _CORE and name in _POOLS:
            return _pool
        if package in _HTTPX and name == "BaseClient":
            return _client
        if package in _SDKS and name == "BaseClient":
            return _sdk
    return None


_JARS = frozenset({"CookieJar", "DefaultCookiePolicy"})
_SDKS = frozenset({"openai", "anthropic"})


class _Clients:
    library = "http"

    def rule(self, cls: type) -> Rule | None:
        return _rule(cls)

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if _rule(type(value)) in (None, _cookies):
            return NotImplemented
        why = "is or holds a client of a service on the network"
        raise Unstorable(
            type(value).__qualname__, why, "make it in an uncached cell; cells that use it may be cached"
        )

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        del value
        return None

    def content(self, value: Any) -> Any:
        """Give the settings of a client, and its cookies. Raises Unstorable for what it connects by, or if closed."""
        rule = _rule(type(value))
        if rule in (None, _cookies):
            return NotImplemented
        if rule in (_secure, _pool) or _is_closed(value):
            kind = type(value).__qualname__
            why = f"holds {with_article(kind)} that was set or closed by the cell"
            raise Unstorable(kind, why, "set up and close clients in uncached cells")
        left_out = {*_LIVE, *_lazy(value)}
        return {name: item for name, item in vars(value).items() if name not in left_out}

    def write_back(self, live: Any, stored: Any) -> bool:
        if _rule(type(live)) in (None, _cookies):
            return False
        vars(live).update(stored)
        return True


_LIVE = frozenset({"_state", "_transport", "_mounts", "_client", "_platform"})
ADAPTER = _Clients()
