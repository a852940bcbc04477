"""numba: compiled functions, by what they were made of: the function of the user's, live, and how to compile it."""

from __future__ import annotations

import types
import weakref
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
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
    """Refuse a function for which what it reads still is what it was when it was compiled. Raises Unfingerprintable."""
    if not value.overloads and value not in _compiled_with:
        return
    now = _reads(value)
    known = _compiled_with.setdefault(value, {name: _seen(one) for name, one in now.items()})
    other = [name for name in known if name not in now or _is_other(known[name], now[name])]
    if other:
        name = value.py_func.__name__
        why = f"was compiled by numba with another `{other[0]}`, which it keeps"
        raise Unfingerprintable(name, why, f"define `{name}` again")


def _reads(value: Any) -> dict[str, Any]:
    """Give what a compiled function reads from outside: globals, and variables of functions around it."""
    function = value.py_func
    space = function.__globals__
    found = {name: space[name] for name in function.__code__.co_names if name in space}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    return found | {name: cell.cell_contents for name, cell in cells if cell != types.CellType()}


def _constant(value: Any) -> Any:
    """Copy what numba copies when it compiles: plain values, and arrays unless they are large; else nothing."""
    if type(value) is tuple:
        inner = tuple(map(_constant, value))
        return _NOTHING if any(one is _NOTHING for one in inner) else inner
    if type(value) is np.ndarray:
        return value.copy() if value.nbytes <= _LARGE else _NOTHING
    return value if type(value) in _PLAIN else _NOTHING


def _seen(value: Any) -> tuple[Any, str]:
    """Give something that a function reads, and its digest if it is copied."""
    return value, "" if _constant(value) is _NOTHING else fingerprint(value)


def _is_other(known: tuple[Any, str], now: Any) -> bool:
    value, digest = known
    return fingerprint(now) != (digest or fingerprint(value)) if digest or value is not now else False


def _compiled(value: Any) -> dict[Any, dict[str, Any]]:
    """Say for which types a function was compiled, or stands for one that was, and with which constants."""
    told = {name: _constant(one) for name, one in _reads(value).items()}
    now = {name: one for name, one in told.items() if one is not _NOTHING}
    return {**_frozen.get(value, {}), **dict.fromkeys(value.overloads, now)}


def _freeze(value: Any, told: dict[Any, dict[str, Any]]) -> None:
    """Let a function be compiled for these types, once it is called, with the globals that it was compiled with."""
    if not told:
        return
    compiler, before = value._compiler, value._compiler.compile  # noqa: SLF001  nothing public tells the globals
    _compiled_with[value] = {name: _seen(one) for names in told.values() for name, one in names.items()}
    _frozen[value] = {**_frozen.get(value, {}), **told}

    def compiled(args: Any, *more: Any) -> Any:
        if tuple(args) not in told:
            return before(args, *more)
        own = compiler.py_func
        space = {**own.__globals__, **told[tuple(args)]}
        kept = zip(own.__code__.co_freevars, own.__closure__ or (), strict=False)
        cells = tuple(types.CellType(space[name]) if name in told[tuple(args)] else one for name, one in kept)
        compiler.py_func = types.FunctionType(own.__code__, space, own.__name__, own.__defaults__, cells)
        compiler.py_func.__kwdefaults__ = own.__kwdefaults__
        try:
            return before(args, *more)
        finally:
            compiler.py_func = own

    compiler.compile = compiled


_PLAIN = {bool, int, float, complex, str}
_LARGE = 10**6  # bytes; of a larger array the function reads what lies there now
_NOTHING = object()
_frozen: weakref.WeakKeyDictionary[Any, dict[Any, dict[str, Any]]] = weakref.WeakKeyDictionary()
# Function → what it reads, as it was when it was first seen compiled, or last seen before.
_compiled_with: weakref.WeakKeyDictionary[Any, dict[str, tuple[Any, str]]] = weakref.WeakKeyDictionary()
_last_seen: weakref.WeakKeyDictionary[Any, dict[str, tuple[Any, str]]] = weakref.WeakKeyDictionary()


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


def _functions(values: Collection[Any]) -> Iterator[Any]:
    kinds = {cls: issubclass(cls, Dispatcher) for cls in set(map(type, values))}
    return (value for value in values if kinds[type(value)])


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

    def look(self, values: Collection[Any]) -> None:
        """Note what functions read that are not compiled yet, before a cell that may call them."""
        for value in _functions(values):
            if not value.overloads and value not in _compiled_with:
                _last_seen[value] = {name: _seen(one) for name, one in _reads(value).items()}

    def notice(self, values: Collection[Any]) -> None:
        """Note what those were compiled with that a cell has called; if it changed that, nobody can tell."""
        for value in _functions(values):
            if value.overloads and value not in _compiled_with:
                before, now = _last_seen.pop(value, {}), _reads(value)
                is_sure = all(name in now and not _is_other(before[name], now[name]) for name in before)
                _compiled_with[value] = {
                    name: _seen(one) if is_sure else (_NOTHING, "unknown") for name, one in now.items()
                }

    def compiled(self, value: Any) -> dict[Any, dict[str, Any]]:
        """Say for which types a function was compiled, and with which plain globals, which it keeps."""
        return _compiled(value) if isinstance(value, Dispatcher) else {}

    def freeze(self, value: Any, told: dict[Any, dict[str, Any]]) -> None:
        """Let a function keep them as one does that was compiled."""
        _freeze(value, told)


ADAPTER = _Numba()
