"""numpy's random generators, by all that they will draw."""

from __future__ import annotations

from typing import Any

import numpy as np

from lean_magic.values.fingerprint import Walk, combine
from lean_magic.values.global_generators import digest_of_global

__all__ = ["GENERATORS", "generator_rule", "set_state", "state_of"]

GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, np.random.SeedSequence)


def generator_rule(walk: Walk, value: Any) -> bytes:
    """Digest a generator by all it will draw, and by how its next children will be seeded."""
    known = digest_of_global(value)
    if known is not None:
        return known
    walk.mark(value)
    own = _bits(value)
    inner = walk.digest(own) if own is not None and own is not value else b""  # which several may draw from
    return combine("generator", walk.digest(type(value)), inner, walk.digest(walk.keep(_told(value))))


def _told(value: Any) -> tuple[Any, ...]:
    """Give (state, children spawned so far, what they are seeded from)."""
    if isinstance(value, np.random.SeedSequence):
        return None, value.n_children_spawned, value.state
    bits = _bits(value)
    state = value.get_state(legacy=False) if isinstance(value, np.random.RandomState) else bits.state
    seeds = getattr(bits, "seed_seq", None)
    kind = f"{type(seeds).__module__}.{type(seeds).__qualname__}"
    return state, getattr(seeds, "n_children_spawned", 0), getattr(seeds, "state", kind)


def state_of(value: Any) -> tuple[Any, int]:
    """Give what `set_state` takes."""
    return _told(value)[:2]


def set_state(live: Any, state: Any, spawned: int) -> None:
    """Make a generator draw what another one would."""
    bits = _bits(live)
    if isinstance(live, np.random.RandomState):
        live.set_state(state)
    elif bits is not None:
        bits.state = state
    seeds: Any = live if bits is None else getattr(bits, "seed_seq", None)
    missing = spawned - getattr(seeds, "n_children_spawned", spawned)
    if missing > 0:
        seeds.spawn(missing)


def _bits(value: Any) -> Any:
    """Find what holds the state of a random generator; None for anything else."""
    if isinstance(value, np.random.BitGenerator):
        return value
    if isinstance(value, (np.random.Generator, np.random.RandomState)):
        return getattr(value, "bit_generator", None) or getattr(value, "_bit_generator", None)
    return None
