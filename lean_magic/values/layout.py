"""How objects of libraries lie in memory, and what they keep their content in: what their adapters tell of it."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

from lean_magic.values.adapters import adapters_for

__all__ = [
    "kept_tables",
    "known_how",
    "may_move",
    "owner_of",
    "referents",
    "shape_of",
    "shapes_of",
    "told_by",
]


def may_move(cls: type) -> bool:
    """Whether an object of a class may be given other memory in place, as `module.to(…)` gives it to parameters."""
    return any(getattr(adapter, "moves", _never)(cls) for adapter in adapters_for(cls))


def _never(cls: type) -> bool:
    del cls
    return False


def owner_of(value: Any) -> Any:
    """Give a number of what holds the memory of an array that may be given another; None for others."""
    asks = (getattr(adapter, "owner", None) for adapter in adapters_for(type(value)) if may_move(type(value)))
    return next((ask(value) for ask in asks if ask is not None), None)


def shape_of(value: Any) -> Any:
    """Give what of an array must stay for it to be changed back in place; None for anything else."""
    for adapter in adapters_for(type(value)):
        shape = adapter.shape(value)
        if shape is not None:
            return shape
    return None


def shapes_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the shapes of the arrays among these, by name."""
    known = {cls for cls in set(map(type, values.values())) if any(adapters_for(cls))}
    shapes = ((name, shape_of(value)) for name, value in values.items() if type(value) in known)
    return {name: shape for name, shape in shapes if shape is not None}


def known_how(cls: type, verb: str) -> Any:
    """Give what an adapter knows of the objects of few classes, which no other need tell; None for most.

    `lent`: which memory of an array an object looks at, as a picture may. `compiled` and `freeze`: what
    a compiled function keeps of the globals that it was compiled with. `left_behind`: what finds the memory of an
    array again that was given another. `refers_to`: what an object does not tell the garbage collector that it holds.
    `tables`: the dicts that an object keeps its content in, and the like, which anybody can ask for, by attribute.
    """
    known = (getattr(adapter, verb, None) for adapter in adapters_for(cls))
    return next((one for one in known if one is not None), None)


def told_by(values: Mapping[str, Any], verb: str) -> dict[str, Any]:
    """Give what adapters say of those among these that they know so (`known_how`), by name."""
    asks = {cls: known_how(cls, verb) for cls in set(map(type, values.values()))}
    return {name: ask(one) for name, one in values.items() if (ask := asks[type(one)]) is not None}


def kept_tables(values: Mapping[str, Any]) -> dict[int, tuple[str, str]]:
    """Give, by the id of each dict that objects of libraries keep content in, whose it is and its attribute."""
    told = told_by(values, "tables")
    return {id(one): (name, where) for name, tables in told.items() for where, one in tables.items()}


def referents(value: Any) -> list[Any]:
    """List what an object refers to; arrays of objects and tensors do not tell the garbage collector all of it."""
    more = known_how(type(value), "refers_to")
    return gc.get_referents(value) + (more(value) if more is not None else [])
