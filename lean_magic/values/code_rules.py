"""Fingerprints of code: functions, methods, classes, modules and what wraps them.

The user's own code (notebook, local files) counts by what it says and what it
carries: defaults, closure, attributes, bases, metaclass. The names it looks up
are noted as `Ref`s for the caller to follow. Installed code counts by its name,
and its distribution by version.
"""

from __future__ import annotations

import abc
import contextlib
import operator
import re
import sys
import types
from pathlib import Path
from typing import Any

from lean_magic.values.code import code_digest, facts
from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.global_generators import name_of
from lean_magic.values.memo import remembers
from lean_magic.values.origin import IMMUTABLE, is_own, module_of, origin

__all__ = [
    "builtin_rule",
    "cell_rule",
    "class_rule",
    "code_rule",
    "descriptor_rule",
    "function_rule",
    "lru_rule",
    "members",
    "method_rule",
    "module_rule",
    "property_rule",
    "registered",
    "wrapped_rule",
]

# Written by Python or by use, not by the author of a class.
_SKIPPED = frozenset({
    "__dict__", "__weakref__", "__slotnames__", "__module__", "__firstlineno__", "__static_attributes__",
    "__abstractmethods__",
    "_abc_impl", "__subclasshook__", "__annotate__", "__annotate_func__", "__annotations_cache__", "__classcell__",
    "_value2member_map_", "_hashable_values_", "_unhashable_values_", "_unhashable_values_map_",
})  # fmt: skip


# What pydantic builds of a class and its annotations, at first use.
_BUILT = re.compile(
    "__pydantic_(core_schema|validator|serializer|complete|setattr_handlers|parent_namespace)__|__signature__"
)


def importable(obj: Any) -> bool:
    """Whether importing `obj.__module__` and following `obj.__qualname__` finds this very object."""
    found: Any = sys.modules.get(module_of(obj))
    for name in str(getattr(obj, "__qualname__", "?")).split("."):
        found = getattr(found, name, None)
    return found is obj


def _named(walk: Walk, tag: str, obj: Any) -> bytes:
    module = module_of(obj)
    walk.use_module(module)
    return leaf(tag, f"{module}:{obj.__qualname__} {_built(module)}".encode())


def _built(module: str) -> str:
    """Digest the file of a local module written in C, which has no code to look at."""
    path = str(getattr(sys.modules.get(module), "__file__", None) or "")
    if not origin(module).own or path.endswith((".py", ".pyc")) or not Path(path).is_file():
        return ""
    return leaf("built", Path(path).read_bytes()).hex()


def function_rule(walk: Walk, value: types.FunctionType) -> bytes:
    """Digest a Python function, noting the globals its code looks up."""
    if _installed(value):
        return _named(walk, "function", value)
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
    return combine(
        "annotations", *[walk.digest(name) + leaf("", _spelled(note)) for name, note in notes.items()]
    )


def _spelled(note: Any) -> bytes:
    """Spell an annotation, without the addresses that some spellings have."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(note)).encode("utf-8", "backslashreplace")


def _attributes(walk: Walk, names: dict[str, Any]) -> bytes:
    kept = sorted(names.keys() - _CACHES)
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
    if owner is None or isinstance(owner, types.ModuleType):
        return _named(walk, "builtin", value)
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
    return combine("lru_cache", walk.digest(value.__wrapped__), walk.digest(walk.keep(parameters)))


def class_rule(walk: Walk, value: type) -> bytes:
    """Digest a class: installed ones by name, the user's own by all they say."""
    known = walk.patched.get(value)
    if known is not None:
        return known
    if not is_own(value):
        if importable(value):
            return _installed_class(walk, value)
        walk.use_module(module_of(value))
        if value.__flags__ & IMMUTABLE:
            return _named(walk, "built class", value)
    walk.mark(value)
    bases = getattr(value, "__orig_bases__", value.__bases__)
    return combine(
        "class",
        walk.digest(value.__qualname__),
        walk.digest(type(value)),
        walk.digest(value.__bases__),
        walk.digest(bases if bases is not value.__bases__ else None),
        *[walk.digest(name) + walk.digest(member) for name, member in members(value)],
        *([walk.unordered(kin)] if (kin := registered(value)) else []),
        *([] if value.__name__ == value.__qualname__.rpartition(".")[2] else [walk.digest(value.__name__)]),
    )


def _installed_class(walk: Walk, cls: type) -> bytes:
    """Digest an installed class by name, and what of the user's own hangs on it or its bases."""
    walk.patched[cls] = name = combine("installed class", _named(walk, "class", cls))
    found = [
        walk.digest(label) + walk.digest(member)
        for base in cls.__mro__
        if not is_own(base)
        for label, member in _patches(base)
    ]
    if found:
        walk.patched[cls] = combine("patched class", name, *found)
    return walk.patched[cls]


def _patches(cls: type) -> list[tuple[str, Any]]:
    """List the members of an installed class that the user wrote; looked at again where a member is another."""
    held = vars(cls)
    if len(held) < _MANY:
        return [pair for pair in held.items() if _is_patch(pair[1])]
    members = list(held.values())
    known, places = _judged.get(cls, ([], []))
    if len(known) != len(members) or not all(map(operator.is_, known, members)):
        places = [place for place, member in enumerate(members) if _is_patch(member)]
        _judged[cls] = (members, places)
    names = list(held) if places else []
    return [(names[place], members[place]) for place in places]


_MANY = 4  # members; the central classes of pandas and torch have hundreds
_judged: dict[type, tuple[list[Any], list[int]]] = {}


def _is_patch(member: Any) -> bool:
    """Whether a member of an installed class was written by the user: a function, an accessor."""
    if type(member) in _NEVER_OWN:
        return False
    if isinstance(member, property):
        member = member.fget or member.fset
    elif isinstance(member, (staticmethod, classmethod)):
        member = member.__func__
    else:
        # An accessor of pandas; a partialmethod.
        with contextlib.suppress(AttributeError):
            inner = object.__getattribute__(member, "__dict__")
            member = inner.get("_accessor", inner.get("func", member))
    code = member if isinstance(member, (types.FunctionType, type)) else type(member)
    return code.__module__ is not None and is_own(code)  # a library's generated methods may have no module


_NEVER_OWN = frozenset({
    str, int, float, bool, tuple, dict, list, set, frozenset, type(None), types.BuiltinFunctionType,
    types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType,
})  # fmt: skip


def registered(cls: type) -> list[type]:
    """List the classes registered with an abstract base class."""
    if not isinstance(cls, abc.ABCMeta) or "_abc_impl" not in vars(cls):
        return []
    found = (reference() for reference in abc._get_dump(cls)[0])  # type: ignore[attr-defined]  # noqa: SLF001
    return [one for one in found if one is not None]


def members(cls: type) -> list[tuple[str, Any]]:
    """List what a class's own body and later assignments put into it, in name order."""
    hidden = _SKIPPED | {"__parameters__", "__orig_bases__"}
    doc = {"__doc__"} if cls.__dict__.get("__doc__") is None else set()
    if "__attrs_attrs__" in cls.__dict__:
        hidden |= {"__hash__"}  # attrs writes a number into it that is another in each process
    members = [
        (name, member)
        for name, member in cls.__dict__.items()
        if name not in hidden | doc and not _BUILT.fullmatch(name) and not isinstance(member, _SLOT)
    ]
    return sorted(members, key=lambda item: item[0])


_SLOT = types.MemberDescriptorType  # made from `__slots__`, unless something else was set in its place


def module_rule(walk: Walk, value: types.ModuleType) -> bytes:
    """Digest a module met as a value: its name; its content is followed by name."""
    kind = origin(value.__name__)
    if kind.own and value.__name__ != "__main__":
        walk.refer(vars(value), "*")
    walk.use_module(value.__name__)
    return leaf("module", value.__name__.encode())
