"""Fingerprints of code: functions, methods, modules and what wraps them.

The user's own code (notebook, local files) counts by what it says and what it
carries: defaults, closure, attributes, bases, metaclass. The names it looks up
are noted as `Ref`s for the caller to follow. Installed code counts by its name,
and its distribution by version.
"""

from __future__ import annotations

import builtins
import functools
import re
import sys
import types
import typing
from typing import Any

from lean_magic.values.code import code_digest, facts
from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.global_generators import name_of
from lean_magic.values.memo import remembers
from lean_magic.values.naming import importable, named
from lean_magic.values.origin import is_own, module_of, origin

__all__ = [
    "builtin_rule",
    "cell_rule",
    "code_rule",
    "descriptor_rule",
    "function_rule",
    "lru_rule",
    "method_rule",
    "module_rule",
    "property_rule",
    "wrapped_rule",
]


def function_rule(walk: Walk, value: types.FunctionType) -> bytes:
    """Digest a Python function, noting the globals its code looks up."""
    if _installed(value):
        walk.functions.add(value.__name__)
        return named(walk, "function", value)
    walk.mark(value)
    walk.use_module(str(value.__globals__.get("__name__", "")))
    if is_own(value):
        note_code(walk, value.__code__, value.__globals__)
    return combine(
        "function",
        code_digest(value.__code__),
        walk.digest(value.__defaults__),
        walk.digest(walk.keep(value.__kwdefaults__)),
        combine("closure", *[walk.digest(cell) for cell in _closure(value)]),
        _annotations(walk, value),
        _attributes(walk, value.__dict__),
        *_renamed(walk, value),
    )


def _renamed(walk: Walk, value: types.FunctionType) -> list[bytes]:
    """Digest the names and the documentation of a function where they are not those its code gave it."""
    code, wrapped = value.__code__, value.__dict__.get("__wrapped__", value)
    if code.co_filename == "<string>" or not is_own(
        value
    ):  # as `namedtuple` makes them, with texts of its own
        return []
    first = code.co_consts[0] if code.co_consts and isinstance(code.co_consts[0], str) else None
    said = value.__name__, value.__qualname__.rpartition(".")[2], value.__doc__
    lent = (getattr(wrapped, name, None) for name in ("__name__", "__name__", "__doc__"))
    if said == (code.co_name, code.co_name, first) or (wrapped is not value and said == tuple(lent)):
        return []
    return [walk.digest(said)]


def _installed(value: types.FunctionType) -> bool:
    """Whether code and name are both somebody else's (a wrapper may borrow the name of what it wraps)."""
    return not is_own(value) and not origin(str(value.__module__)).own and importable(value)


def note_code(walk: Walk, code: types.CodeType, space: dict[str, Any]) -> None:
    """Note every global that `code`, or code inside it, looks up in `space`."""
    found = facts(code)
    walk.codes.append(code)
    for name, chains in found.loads.items():
        for chain in chains:
            walk.refer(space, name, chain)
    package = str(space.get("__package__") or "")
    for imported in found.imports:
        walk.refer(space, f"import {'.' * imported.level}{imported.module}", (package, *imported.names))


def _annotations(walk: Walk, value: Any) -> bytes:
    notes = value.__annotations__ if sys.version_info < (3, 14) else getattr(value, "__annotations__", {})
    space = getattr(value, "__globals__", {})
    return combine(
        "annotations", *[walk.digest(name) + _note(walk, note, space) for name, note in notes.items()]
    )


def _note(walk: Walk, note: Any, space: dict[str, Any]) -> bytes:
    """Digest an annotation by how it is spelled, and by what of the user's it names."""
    if type(note) is str:
        for word in set(_WORD.findall(note)):
            if isinstance(space.get(word), (type, types.FunctionType)):
                walk.refer(space, word)
    return leaf("", _spelled(note)) + b"".join([walk.digest(one) for one in _own_in(note)])


_WORD = re.compile(r"[^\W\d]\w*")


def _own_in(note: Any) -> list[Any]:
    """List the user's classes, functions and objects that an annotation is made of."""
    inner = [*typing.get_args(note), *getattr(note, "__metadata__", ())]
    code = note if isinstance(note, (type, types.FunctionType)) else type(note)
    own = [note] if is_own(code) else []
    return own + [found for one in inner if one is not note for found in _own_in(one)]


def _spelled(note: Any) -> bytes:
    """Spell an annotation, without the addresses that some spellings have."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(note)).encode("utf-8", "backslashreplace")


def _attributes(walk: Walk, names: dict[str, Any]) -> bytes:
    kept = [name for name in names if name not in _CACHES]
    return combine("attributes", *[walk.digest(name) + walk.digest(names[name]) for name in kept])


# What `functools.singledispatch` keeps of its earlier calls.
_CACHES = frozenset({"dispatch_cache", "cache_token", "_clear_cache"})


def _closure(value: types.FunctionType) -> list[types.CellType]:
    """Give the variables of a closure, but for those in which the standard library keeps earlier calls."""
    cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
    dispatcher = value.__code__.co_qualname.startswith("singledispatch.<locals>.")
    return [cell for name, cell in cells if not (dispatcher and name in _CACHES)]


def cell_rule(walk: Walk, value: types.CellType) -> bytes:
    """Digest a closure's variable, which may still be empty."""
    walk.mark(value)
    try:
        content = value.cell_contents
    except ValueError:
        return combine("empty cell")
    return combine("cell", walk.digest(content))


def method_rule(walk: Walk, value: types.MethodType) -> bytes:
    """Digest a bound method: the function and the object it is bound to."""
    if name_of(value.__self__) is not None:
        return leaf("global generator's", value.__qualname__.encode())
    walk.mark(value)
    return combine("method", walk.digest(value.__func__), walk.digest(value.__self__))


def builtin_rule(walk: Walk, value: types.BuiltinFunctionType) -> bytes:
    """Digest a function written in C: by name, with the object it is bound to."""
    owner = value.__self__
    walk.functions.add(f"builtins.{value.__name__}" if owner is builtins else value.__name__)
    if owner is None or isinstance(owner, types.ModuleType):
        return named(walk, "builtin", value)
    if name_of(owner) is not None:
        return leaf("global generator's", value.__qualname__.encode())
    walk.mark(value)
    return combine("builtin method", leaf("", value.__qualname__.encode()), walk.digest(owner))


def descriptor_rule(walk: Walk, value: Any) -> bytes:
    """Digest a slot or method of a class written in C."""
    module = module_of(value.__objclass__)
    walk.use_module(module)
    return leaf("descriptor", f"{module}:{value.__qualname__}".encode())


def code_rule(walk: Walk, value: types.CodeType) -> bytes:
    """Digest a bare code object."""
    del walk
    return code_digest(value)


def property_rule(walk: Walk, value: property) -> bytes:
    """Digest a property by its three functions."""
    return combine("property", walk.digests((value.fget, value.fset, value.fdel, value.__doc__)))


def wrapped_rule(walk: Walk, value: staticmethod[Any, Any] | classmethod[Any, Any, Any]) -> bytes:
    """Digest a static or class method by what it wraps."""
    return combine(type(value).__name__, walk.digest(value.__func__))


def lru_rule(walk: Walk, value: Any) -> bytes:
    """Digest a function under `functools.lru_cache`: what it remembers is no content."""
    walk.mark(value)
    if remembers(value):
        walk.memos.append(value)
    parameters = value.cache_parameters()
    own = {name: item for name, item in vars(value).items() if name not in _WRAPPED}
    more = [_attributes(walk, own)] if own else []
    return combine("lru_cache", walk.digest(value.__wrapped__), walk.digest(walk.keep(parameters)), *more)


_WRAPPED = {*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"}


def module_rule(walk: Walk, value: types.ModuleType) -> bytes:
    """Digest a module met as a value: its name; its content is followed by name."""
    kind = origin(value.__name__)
    if kind.own and value.__name__ != "__main__":
        walk.refer(vars(value), "*")
    walk.use_module(value.__name__)
    return leaf("module", value.__name__.encode())
