"""The random generators of the whole process, which many objects refer to.

Their state is the process's, and no content of theirs: `effects/rng.py` compares it where it is used. They are
stored by name, so that who refers to one goes on drawing what everybody draws, and seeding reaches it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from lean_magic.values.records import leaf

__all__ = ["digest_of_global", "name_of", "reduced_global"]

_PLACES = (
    ("random", "_inst"),
    ("numpy.random.mtrand", "_rand"),
    ("numpy.random.mtrand", "_rand._bit_generator"),
    ("torch", "default_generator"),
)


def _at(module: str, chain: str) -> Any:
    found: Any = sys.modules.get(module)
    for name in chain.split("."):
        found = getattr(found, name, None)
    return found


def name_of(value: Any) -> tuple[str, str] | None:
    """Give (module, chain of attributes) of a generator of the whole process; None for anything else."""
    return next((place for place in _PLACES if value is not None and _at(*place) is value), None)


def _by_name(module: str, chain: str) -> Any:
    """Give the generator of this process."""
    importlib.import_module(module)
    return _at(module, chain)


def reduced_global(value: Any) -> Any:
    """Give the reduced form of a generator of the whole process; NotImplemented for anything else."""
    place = name_of(value)
    return NotImplemented if place is None else (_by_name, place)


def digest_of_global(value: Any) -> bytes | None:
    """Digest a generator of the whole process by its name; None for anything else."""
    place = name_of(value)
    return None if place is None else leaf("global generator", ":".join(place).encode())
