"""How each kind of Python's own objects is fingerprinted.

`_PLAIN` holds immutable values, which have no identity; `rule_for` gives the rule
for everything else: Python's containers, code (values/code_rules.py), the
adapters of known libraries, and last the object's own reduced form.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import gc
import io
import json.scanner
import logging
import os
import pathlib
import random
import re
import struct
import sys
import threading
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from lean_magic.values import code_rules, logger_rules, many, over_rules
from lean_magic.values.adapters import adapters_for
from lean_magic.values.built_enums import enum_member, is_enum
from lean_magic.values.class_rules import class_rule
from lean_magic.values.fingerprint import TOGETHER, Rule, Together, Walk, combine, leaf, register
from lean_magic.values.global_generators import digest_of_global
from lean_magic.values.known_live import live_rule
from lean_magic.values.plain import each, note_path, ordered, whole
from lean_magic.values.reduced import attributes, reduced, set_on_member
from lean_magic.values.stand_ins import SCANS
from lean_magic.values.yielding import generator_rule

__all__ = ["rule_for"]

_cached: dict[type, Rule] = {}


def rule_for(cls: type) -> Rule:
    """Find the rule for objects of exactly this class."""
    rule = _RULES.get(cls) or _cached.get(cls)
    if rule is None:
        rule = _find(cls)
        _cached[cls] = rule
    return rule


def _find(cls: type) -> Rule:
    if issubclass(cls, io.IOBase) and not issubclass(cls, (io.StringIO, io.BytesIO)):
        return over_rules.file_rule
    live = enum_member if is_enum(cls) else live_rule(cls)
    if live is not None:
        return live
    known = (rule for kinds, rule in _BY_BASE if issubclass(cls, kinds))
    told = (adapter.rule(cls) for adapter in adapters_for(cls))
    # Classes are known by their metaclass, unless a library says more of those that it makes.
    found = (*told, *known) if issubclass(cls, type) else (*known, *told)
    return next((rule for rule in found if rule is not None), reduced)


def _together_for(cls: type) -> Together | None:
    """Find how many objects of exactly this class are digested in one go; None if one by one."""
    rule = rule_for(cls)  # which brings what is known about its library
    return TOGETHER.get(cls) or (many.together_for(cls) if rule is reduced else None)


def _tagged(tag: str, write: Callable[[Any], bytes]) -> Rule:
    return lambda _, value: leaf(tag, write(value))


def _float(value: float) -> bytes:
    return struct.pack("<d", value)


def _int(value: int) -> bytes:
    return b"%d" % value if value.bit_length() < 4096 else hex(value).encode()


def _text(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def _str(walk: Walk, value: str) -> bytes:
    note_path(walk, value)
    return leaf("str", _text(value))


def _tuple(walk: Walk, value: tuple[Any, ...]) -> bytes:
    return whole(walk, value) or combine("tuple", each(walk, value))


def _alias(walk: Walk, value: Any) -> bytes:
    """Digest such as `list[str]` or `int | None`, of which there are many, all alike."""
    about = getattr(value, "__origin__", None), value.__args__, getattr(value, "__unpacked__", False)
    return combine("alias", type(value).__name__.encode(), walk.digest(about))


def _frozenset(walk: Walk, value: frozenset[Any]) -> bytes:
    return _members(walk, "frozenset", value)


def _members(walk: Walk, tag: str, value: Any) -> bytes:
    members = ordered(value)
    if members is not None:
        return combine(tag, b"", each(walk, members))
    return combine(tag, walk.unordered(value))


def _list(walk: Walk, value: list[Any]) -> bytes:
    walk.mark(value)
    return whole(walk, value) or combine("list", each(walk, value))


def _dict(walk: Walk, value: dict[Any, Any]) -> bytes:
    walk.mark(value)
    return whole(walk, value) or combine("dict", each(walk, list(value)), each(walk, list(value.values())))


def _set(walk: Walk, value: set[Any]) -> bytes:
    walk.mark(value)
    return _members(walk, "set", value)


def _view(walk: Walk, value: Any) -> bytes:
    """Digest the keys, values or items of a dict, in order."""
    walk.mark(value)
    return combine(type(value).__name__, walk.digests(walk.keep(list(value))))


def _bytearray(walk: Walk, value: bytearray) -> bytes:
    walk.mark(value)
    return leaf("bytearray", bytes(value))


def _memoryview(walk: Walk, value: memoryview) -> bytes:
    walk.mark(value)
    try:
        value.format  # noqa: B018  which a released one does not tell
    except ValueError:
        raise walk.fail(value, "was released", "release it where it was made, or use `with`") from None
    about = leaf(value.format, str(value.shape).encode()), leaf("", value.tobytes())
    return combine("memoryview", *about, *([leaf("read only", b"")] if value.readonly else []))


def _enum_member(walk: Walk, value: enum.Enum) -> bytes:
    walk.mark(value)
    if not hasattr(value, "_name_"):
        raise walk.fail(value, "holds a member that its enum does not know", "make it inside the cell")
    pieces = [walk.digest(type(value)), walk.digest(value._name_ or ""), walk.digest(value._value_)]
    pieces += [walk.digest(name) + walk.digest(item) for name, item in set_on_member(value).items()]
    return combine("enum", *pieces)


def _proxy(walk: Walk, value: types.MappingProxyType[Any, Any]) -> bytes:
    held = next(iter(gc.get_referents(value)), value)
    inner = _dict(walk, walk.keep(dict(value))) if hasattr(held, "keys") else walk.digest(held)
    return combine("mappingproxy", inner)


def _weak(walk: Walk, value: weakref.ref[Any]) -> bytes:
    walk.weak.append(value)
    return combine("weakref", walk.digest(value()))


def _weak_set(walk: Walk, value: weakref.WeakSet[Any]) -> bytes:
    walk.mark(value)
    held = list(value)
    walk.weak += map(weakref.ref, held)  # which are not kept, since it tells when one goes
    return combine("weak set", walk.unordered(held), attributes(walk, value, _OF_WEAK_SET))


_OF_WEAK_SET = frozenset({"data", "_remove", "_pending_removals", "_iterating"})


def _environment(walk: Walk, value: Any) -> bytes:
    """Digest the environment of the process, of which only what a cell reads counts, as it reads it."""
    if value is os.environ or value is getattr(os, "environb", None):
        return leaf("environment", b"text" if value is os.environ else b"bytes")
    return reduced(walk, value)


def _type_variable(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    names = (
        "__name__",
        "__bound__",
        "__constraints__",
        "__covariant__",
        "__contravariant__",
        "__supertype__",
    )
    said = [walk.digest(getattr(value, name, None)) for name in names]
    return combine("type variable", leaf("", type(value).__name__.encode()), *said)


def _pattern(walk: Walk, value: re.Pattern[Any]) -> bytes:
    return combine("pattern", walk.digest(value.pattern), walk.digest(value.flags))


def _match(walk: Walk, value: re.Match[Any]) -> bytes:
    walk.mark(value)
    where = value.pos, value.endpos, value.regs
    return combine("match", walk.digest(value.re), walk.digest(value.string), walk.digest(where))


def _range(walk: Walk, value: range) -> bytes:
    return combine("range", *map(walk.digest, (value.start, value.stop, value.step)))


def _slice(walk: Walk, value: slice) -> bytes:
    return combine("slice", *map(walk.digest, (value.start, value.stop, value.step)))


def _zoned(walk: Walk, value: Any) -> bytes:
    """Dates and times: their text, their zone, and which side of a clock change they are on."""
    zone = getattr(value, "tzinfo", None)
    fold = getattr(value, "fold", 0)
    told: Any = repr(zone) if zone is None or isinstance(zone, datetime.timezone) else zone
    zones: Any = sys.modules.get("zoneinfo")
    if zones is not None and isinstance(zone, zones.ZoneInfo) and zone.key is not None:
        told = f"ZoneInfo {zone.key}"
    text = value.isoformat() if zone is None else value.replace(tzinfo=None).isoformat()
    where = leaf("zone", told.encode()) if type(told) is str else walk.digest(told)
    return combine("time", leaf(type(value).__name__, f"{text} {fold}".encode()), where)


def _partial(walk: Walk, value: functools.partial[Any]) -> bytes:
    """Digest a partial by its parts; whether it has an empty `__dict__` yet is no content."""
    walk.mark(value)
    parts = value.func, value.args, value.keywords
    return combine("partial", *map(walk.digest, parts), attributes(walk, value))


def _random(walk: Walk, value: random.Random) -> bytes:
    return digest_of_global(value) or reduced(walk, value)


def _path(walk: Walk, value: pathlib.PurePath) -> bytes:
    walk.texts.add(str(value))
    walk.name(str(value))
    return leaf(f"path {type(value).__name__}", _text(value))


def _scanner(walk: Walk, value: Any) -> bytes:
    """Digest a scanner of JSON by what it was told."""
    walk.mark(value)
    return combine("scanner", walk.digests([getattr(value, name) for name in SCANS]))


_PLAIN: dict[type, Rule] = {
    type(None): _tagged("None", lambda _: b""),
    type(Ellipsis): _tagged("Ellipsis", lambda _: b""),
    type(NotImplemented): _tagged("NotImplemented", lambda _: b""),
    bool: _tagged("bool", lambda value: b"\1" if value else b"\0"),
    int: _tagged("int", _int),
    float: _tagged("float", _float),
    complex: _tagged("complex", lambda value: struct.pack("<dd", value.real, value.imag)),
    str: _str,
    bytes: _tagged("bytes", bytes),
    tuple: _tuple,
    frozenset: _frozenset,
    range: _range,
    slice: _slice,
    re.Pattern: _pattern,
    struct.Struct: _tagged("struct", lambda value: value.format.encode()),
    datetime.date: _zoned,
    datetime.time: _zoned,
    datetime.datetime: _zoned,
    datetime.timedelta: _tagged("timedelta", lambda value: repr(value).encode()),
    decimal.Decimal: _tagged("decimal", lambda value: repr(value.as_tuple()).encode()),
    pathlib.PurePosixPath: _path,
    pathlib.PureWindowsPath: _path,
    pathlib.PosixPath: _path,
    pathlib.WindowsPath: _path,
    types.GenericAlias: _alias,
    types.UnionType: _alias,
}

_BY_BASE: tuple[tuple[Any, Rule], ...] = (
    (enum.Enum, _enum_member),
    (type, class_rule),
    (BaseException, over_rules.error_rule),
    (threading.Thread, over_rules.thread_rule),
    (logging.Logger, logger_rules.logger_rule),
    ((logging.Handler, logging.Formatter), logger_rules.settings_rule),
    (types.ModuleType, code_rules.module_rule),
)

_RULES: dict[type, Rule] = {
    list: _list,
    dict: _dict,
    set: _set,
    bytearray: _bytearray,
    type({}.keys()): _view,
    type({}.values()): _view,
    type({}.items()): _view,
    memoryview: _memoryview,
    types.MappingProxyType: _proxy,
    types.FunctionType: code_rules.function_rule,
    types.MethodType: code_rules.method_rule,
    types.BuiltinFunctionType: code_rules.builtin_rule,
    types.MethodWrapperType: code_rules.builtin_rule,
    types.WrapperDescriptorType: code_rules.descriptor_rule,
    types.MethodDescriptorType: code_rules.descriptor_rule,
    types.ClassMethodDescriptorType: code_rules.descriptor_rule,
    types.GetSetDescriptorType: code_rules.descriptor_rule,
    types.MemberDescriptorType: code_rules.descriptor_rule,
    types.CodeType: code_rules.code_rule,
    types.CellType: code_rules.cell_rule,
    property: code_rules.property_rule,
    staticmethod: code_rules.wrapped_rule,
    classmethod: code_rules.wrapped_rule,
    json.scanner.make_scanner: _scanner,
    types.GeneratorType: generator_rule,
    types.CoroutineType: over_rules.live_rule,
    types.AsyncGeneratorType: over_rules.live_rule,
    types.FrameType: over_rules.live_rule,
    types.TracebackType: over_rules.live_rule,
    re.Match: _match,
    random.Random: _random,
    weakref.ref: _weak,
    weakref.WeakSet: _weak_set,
    functools.partial: _partial,
    type(os.environ): _environment,
    typing.TypeVar: _type_variable,
    typing.ParamSpec: _type_variable,
    typing.TypeVarTuple: _type_variable,
    typing.NewType: _type_variable,
    type(threading.Lock()): over_rules.constant_rule,
    type(threading.RLock()): over_rules.constant_rule,
    type(functools.lru_cache(lambda: 0)): code_rules.lru_rule,
}

# Of modules that a kernel may never load: module → (class, rule).
_LATE: dict[str, tuple[str, Rule]] = {
    "fractions": ("Fraction", _tagged("fraction", _text)),
    "uuid": ("UUID", _tagged("uuid", lambda value: value.bytes)),
}

register(_PLAIN, _LATE, rule_for, _together_for)
