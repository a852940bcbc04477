"""numba: compiled functions, by what they were made of: the function of the user's, live, and how to compile it."""

from __future__ import annotations

import types
import weakref
from typing import Any

from numba.core.dispatcher import Dispatcher

from lean_magic.errors import Unfingerprintable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine, fingerprint
from lean_magic.values.origin import module_of

__all__ = ["ADAPTER"]


def _function(walk: Walk, value: Any) -> bytes:
    """Digest a compiled function; for which types it was compiled by use is none of its content."""
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    _must_be_up_to_date(value)
    return combine("compiled", walk.digests((type(value), *_made_of(value))))


def _must_be_up_to_date(value: Any) -> None:
    """Refuse a function for which globals still are what they were when it was compiled. Raises Unfingerprintable."""
    function = value.py_func
    names = function.__code__.co_names if value.overloads or value in _compiled_with else ()
    now = {name: function.__globals__[name] for name in names if name in function.__globals__}
    known = _compiled_with.setdefault(value, now) if names else now
    changed = (name for name in known if known[name] is not now.get(name))
    other = [name for name in changed if fingerprint(known[name]) != fingerprint(now.get(name))]
    if other:
        why = f"was compiled by numba with another `{other[0]}`, which it keeps"
        raise Unfingerprintable(function.__name__, why, f"define `{function.__name__}` again")


def _compiled(value: Any) -> dict[Any, dict[str, Any]]:
    """Say for which types a function was compiled, or stands for one that was, and with which plain globals."""
    space, names = value.py_func.__globals__, value.py_func.__code__.co_names
    now = {name: space[name] for name in names if type(space.get(name)) in _PLAIN}
    return {**_frozen.get(value, {}), **dict.fromkeys(value.overloads, now)}


def _freeze(value: Any, told: dict[Any, dict[str, Any]]) -> None:
    """Let a function be compiled for these types, once it is called, with the globals that it was compiled with."""
    if not told:
        return
    compiler, before = value._compiler, value._compiler.compile  # noqa: SLF001  nothing public tells the globals
    _compiled_with[value] = {name: one for names in told.values() for name, one in names.items()}
    _frozen[value] = {**_frozen.get(value, {}), **told}

    def compiled(args: Any, *more: Any) -> Any:
        if tuple(args) not in told:
            return before(args, *more)
        own = compiler.py_func
        space = {**own.__globals__, **told[tuple(args)]}
        compiler.py_func = types.FunctionType(
            own.__code__, space, own.__name__, own.__defaults__, own.__closure__
        )
        compiler.py_func.__kwdefaults__ = own.__kwdefaults__
        try:
            return before(args, *more)
        finally:
            compiler.py_func = own

    compiler.compile = compiled


_PLAIN = {bool, int, float, complex, str, tuple}
_frozen: weakref.WeakKeyDictionary[Any, dict[Any, dict[str, Any]]] = weakref.WeakKeyDictionary()
# Compiled function → the globals it reads, as they were when it was first seen compiled.
_compiled_with: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()


def _made_of(value: Any) -> tuple[Any, ...]:
    compiles = value._can_compile  # noqa: SLF001
    kinds = [] if compiles else [result.signature.args for result in value.overloads.values()]
    return value.py_func, dict(value.locals), dict(value.targetoptions), kinds


def _make(cls: Any, function: Any, local: dict[str, Any], options: dict[str, Any], kinds: list[Any]) -> Any:
    made = cls(function, local, options)
    for kind in kinds:
        made.compile(kind)
    if kinds:
        made.disable_compile()
    return made


class _Numba(FingerprintOnly):
    library = "numba"

    def rule(self, cls: type) -> Rule | None:
        return _function if issubclass(cls, Dispatcher) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        """Take a compiled function apart here: numba writes down the globals as they are at the moment."""
        del memory
        if not isinstance(value, Dispatcher):
            return NotImplemented
        told = _compiled(value) if value._can_compile else {}  # noqa: SLF001
        return _make, (type(value), *_made_of(value)), told or None, None, None, _freeze

    def compiled(self, value: Any) -> dict[Any, dict[str, Any]]:
        """Say for which types a function was compiled, and with which plain globals, which it keeps."""
        return _compiled(value) if isinstance(value, Dispatcher) else {}

    def freeze(self, value: Any, told: dict[Any, dict[str, Any]]) -> None:
        """Let a function keep them as one does that was compiled."""
        _freeze(value, told)


ADAPTER = _Numba()
