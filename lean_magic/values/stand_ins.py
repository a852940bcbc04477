"""Objects that stand for others: views of dicts, proxies, the context of decimals, parameters of types.

Each is put back as standing for the same object, whose changes it goes on to show.
"""

from __future__ import annotations

import collections
import gc
import json.scanner
import struct
import sys
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.naming import importable
from lean_magic.values.origin import is_own

__all__ = ["SCANS", "STAND_INS", "known_places", "reduced_context"]


def _dict_view(obj: Any) -> Any:
    """Take what `d.keys()` and the like give apart into the dict and what was asked of it."""
    owner = next((one for one in gc.get_referents(obj) if isinstance(one, dict)), None)
    if owner is None:
        return NotImplemented
    kind: Any = collections.OrderedDict if type(obj).__name__.startswith("odict") else dict
    return getattr(kind, type(obj).__name__.rpartition("_")[2]), (owner,)


def _mapping_proxy(obj: types.MappingProxyType[Any, Any]) -> Any:
    """Take a read-only view of a mapping apart; that of a class's own attributes is left to cloudpickle."""
    owner = next(iter(gc.get_referents(obj)), None)
    is_class = "__dict__" in obj and "__module__" in obj
    return NotImplemented if owner is None or is_class else (types.MappingProxyType, (owner,))


def _weak(obj: weakref.ref[Any]) -> Any:
    """Take a weak reference apart. Raises Unstorable for one that calls code of the user's when its object goes."""
    if obj.__callback__ is not None and is_own(obj.__callback__):
        raise Unstorable("weakref", "calls back when its object goes", "make it in an uncached cell")
    return weakref.ref, (obj(),)


def _weak_proxy(obj: Any) -> Any:
    """Take a weak proxy apart. Raises Unstorable for one whose object is gone."""
    try:
        return weakref.proxy, (obj.__init__.__self__,)
    except ReferenceError as error:
        raise Unstorable(
            "weakref.proxy", "stands for an object that is gone", "delete it in the cell"
        ) from error


def _parameter(obj: Any) -> Any:
    """Take a ParamSpec or TypeVarTuple of the notebook apart."""
    if importable(obj) and obj.__module__ != "__main__":
        return NotImplemented
    return _make_parameter, (type(obj), obj.__name__, obj.__module__)


def _make_parameter(kind: Any, name: str, module: str) -> Any:
    made = kind(name)
    made.__module__ = module
    return made


def _new_type(obj: Any) -> Any:
    """Take a `typing.NewType` of the notebook apart."""
    if importable(obj) and obj.__module__ != "__main__":
        return NotImplemented
    return _make_new_type, (obj.__name__, obj.__supertype__, obj.__module__)


def _make_new_type(name: str, kind: Any, module: str) -> Any:
    make: Any = typing.NewType
    made = make(name, kind)
    made.__module__ = module
    return made


def reduced_context(obj: Any) -> Any:
    """Give the reduced form of the decimal context that is in force; NotImplemented for any other object."""
    decimal: Any = sys.modules.get("decimal")
    if decimal is None or type(obj) is not decimal.Context or obj is not decimal.getcontext():
        return NotImplemented
    return decimal.getcontext, ()


# What a scanner of JSON, which is C, reads from the decoder it is made for.
SCANS = ("strict", "object_hook", "object_pairs_hook", "parse_float", "parse_int", "parse_constant")


def _scanner(obj: Any) -> Any:
    return _make_scanner, tuple(getattr(obj, name) for name in SCANS)


def _make_scanner(*told: Any) -> Any:
    return json.scanner.make_scanner(types.SimpleNamespace(**dict(zip(SCANS, told, strict=True))))  # type: ignore[arg-type]


def known_places() -> dict[int, tuple[str, str]]:
    """Give objects of the process that code compares with `is` or goes on to change: by id, (module, name)."""
    found: dict[int, tuple[str, str]] = {}
    for module, name in _PLACES:
        value = getattr(sys.modules.get(module), name, None)
        if value is not None:
            found[id(value)] = (module, name)
    return found


_PLACES = (
    ("math", "nan"),
    ("numpy", "nan"),
    ("argparse", "SUPPRESS"),
    ("sys", "path"),
    ("sys", "modules"),
    ("sys", "argv"),
    ("warnings", "filters"),
    ("matplotlib", "rcParams"),
    ("matplotlib", "rcParamsDefault"),
)
_EMPTY: dict[Any, Any] = {}
_ORDERED: collections.OrderedDict[Any, Any] = collections.OrderedDict()
STAND_INS: dict[type, Callable[[Any], Any]] = {
    **{
        type(view): _dict_view
        for kind in (_EMPTY, _ORDERED)
        for view in (kind.keys(), kind.values(), kind.items())
    },
    types.MappingProxyType: _mapping_proxy,
    weakref.ref: _weak,
    weakref.ProxyType: _weak_proxy,
    weakref.CallableProxyType: _weak_proxy,
    typing.NewType: _new_type,
    typing.ParamSpec: _parameter,
    json.scanner.make_scanner: _scanner,
    struct.Struct: lambda value: (struct.Struct, (value.format,)),
    **({typing.TypeVarTuple: _parameter} if hasattr(typing, "TypeVarTuple") else {}),
}
