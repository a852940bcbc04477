"""Random generators of the process: state before (observed), state after (effect).

A generator that nobody seeded in this kernel has no state worth comparing: any draw
is as good as another, as long as still nobody has seeded it. One that the cell seeds
before it draws does not depend on the state it had. Whether a generator was seeded is
known from its `seed` functions, which are watched from the moment the extension is
loaded; unknown counts as seeded.
"""

from __future__ import annotations

import contextlib
import functools
import random
import sys
from collections.abc import Callable, Collection
from typing import Any

from lean_magic.effects.contents import is_ours, unwatched
from lean_magic.effects.elsewhere import draws
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unstorable
from lean_magic.values import fingerprint

__all__ = ["Generators", "assume_seeded", "assume_unseeded", "watch"]

_TORCH_DEFAULT_SEED = 67280421310721  # what older torch gives a generator that nobody seeded
_BY_HAND = 1 << 48


def _numpy_random() -> Any:
    return sys.modules.get("numpy.random")


def _torch() -> Any:
    torch = sys.modules.get("torch")
    return torch if torch is not None and hasattr(torch, "get_rng_state") else None


def _cuda() -> Any:
    torch = _torch()
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _put_numpy(owner: Any, state: dict[str, Any]) -> None:
    """Set the state of numpy's generator, which may be another one than Python has now."""
    kind = state["bit_generator"]
    if kind != owner.get_bit_generator().state["bit_generator"]:
        owner.set_bit_generator(getattr(owner, kind)())
    owner.set_state(state)


# name → (owner, get state, set state); an owner of None means: not loaded, so not drawn from.
_KINDS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any, Any], None]]] = {
    "random": (lambda: random, lambda owner: owner.getstate(), lambda owner, state: owner.setstate(state)),
    "numpy.random": (
        _numpy_random,
        lambda owner: owner.get_state(legacy=False),
        _put_numpy,
    ),
    "torch": (_torch, lambda owner: owner.get_rng_state(), lambda owner, state: owner.set_rng_state(state)),
    "torch.cuda": (
        _cuda,
        lambda owner: owner.get_rng_state_all(),
        lambda owner, state: owner.set_rng_state_all(state),
    ),
}

_NONE: tuple[Callable[[], Any], Any, Any] = (lambda: None, None, None)

_SEEDERS = {
    "random": [("random", "seed"), ("random", "setstate")],
    "numpy.random": [("numpy.random", name) for name in ("seed", "set_state", "set_bit_generator")],
    "torch": [("torch", "manual_seed"), ("torch.random", "manual_seed"), ("torch", "set_rng_state")],
    "torch.cuda": [("torch.cuda", "manual_seed_all"), ("torch.cuda", "manual_seed")],
    "polars": [("polars", "set_random_seed"), ("polars.functions", "set_random_seed")],
}

# Libraries whose generator shows its state to nobody, and what draws from it.
_HIDDEN = {"polars": {"sample", "shuffle"}}

# Whoever keeps the state to put it back later makes use of it, whatever is seeded in between.
_KEEPERS = {
    "random": [("random", "getstate")],
    "numpy.random": [("numpy.random", "get_state")],
    "torch": [("torch", "get_rng_state"), ("torch.random", "get_rng_state")],
    "torch.cuda": [("torch.cuda", "get_rng_state"), ("torch.cuda", "get_rng_state_all")],
}

_UNSEEDED = "unseeded"  # observed in the place of a state

_ASKS = {"getstate", "get_state", "get_rng_state", "bit_generator", "initial_seed", "fork_rng"}
_unseeded: set[str] = set()  # known not to be seeded when the extension was loaded
_seeded: set[str] = set()  # seen to be seeded since
_running: list[Generators] = []


def watch() -> None:
    """Watch the seed functions of every library loaded by now; may be called again at any time."""
    for table, watched in ((_SEEDERS, _watched), (_KEEPERS, _kept)):
        for kind, (module, name) in ((which, place) for which in table for place in table[which]):
            owner = sys.modules.get(module)
            function = getattr(owner, name, None)
            if function is not None and not hasattr(function, "_lean_magic_kind"):
                setattr(owner, name, watched(kind, function))


def assume_seeded(words: Collection[str]) -> None:
    """Say what the code said that ran before anybody watched."""
    _seeded.update({"polars"} if "set_random_seed" in words else ())


def assume_unseeded() -> None:
    """Say that no user code has run yet in this process, so that nothing was seeded."""
    _unseeded.add("random")


def _watched(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def seed(*args: Any, **options: Any) -> Any:
        for generators in _running:
            generators.seeding(kind)
        _seeded.add(kind)
        return function(*args, **options)

    seed._lean_magic_kind = kind  # type: ignore[attr-defined]  # noqa: SLF001  marks it as watched
    return seed


def _kept(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def keep(*args: Any, **options: Any) -> Any:
        if not is_ours():
            for generators in _running:
                generators.keeping(kind)
        return function(*args, **options)

    keep._lean_magic_kind = kind  # type: ignore[attr-defined]  # noqa: SLF001  marks it as watched
    return keep


def _is_unseeded(kind: str, owner: Any) -> bool:
    if kind.startswith("torch"):
        # torch draws 64 bits for a generator that nobody seeds; people seed with numbers they can write.
        seeds = (
            [owner.initial_seed()]
            if kind == "torch"
            else [g.initial_seed() for g in owner.default_generators]
        )
        drawn = all(seed == _TORCH_DEFAULT_SEED or seed >= _BY_HAND for seed in seeds)
        return drawn and _seeded.isdisjoint({"torch", kind})
    if kind == "numpy.random":
        # numpy forgets the seed sequence of its own making once somebody gives it a seed; that has 128 drawn bits.
        bits = owner.mtrand._rand._bit_generator  # noqa: SLF001
        entropy = getattr(bits._seed_seq, "entropy", None)  # noqa: SLF001
        return kind not in _seeded and isinstance(entropy, int) and entropy >= _BY_HAND
    return kind in _unseeded and kind not in _seeded


def _has_drawn(kind: str, owner: Any) -> bool:
    """Whether a generator that the cell itself brought, and nobody seeded, is past its first state."""
    if kind == "numpy.random":
        bits = owner.mtrand._rand._bit_generator  # noqa: SLF001
        first = owner.MT19937(bits._seed_seq).state["state"]  # noqa: SLF001
        now = bits.state["state"]
        return bool(now["pos"] != first["pos"] or (now["key"] != first["key"]).any())
    if kind == "torch":
        first = owner.Generator().manual_seed(owner.initial_seed()).get_state()
        return not owner.equal(first, owner.get_rng_state())
    return True


class Generators(Recorder):
    """Compares the state of each generator before and after the cell."""

    name = "generators"

    def __init__(self) -> None:
        self._before: dict[str, str] = {}
        self._free: set[str] = set()
        self._reseeded: set[str] = set()  # before anything was drawn
        self._seeded_at_all: set[str] = set()
        self._kept: set[str] = set()
        self._absent: set[str] = set()
        self._drawn: set[str] = set()

    def begin(self, run: Run) -> None:
        """Take down the state of every generator there is."""
        del run
        watch()
        for kind, (owner, get, _) in _KINDS.items():
            live = owner()
            if live is None:
                self._absent.add(kind)
                continue
            self._before[kind] = fingerprint(get(live), kind)
            if _is_unseeded(kind, live):
                self._free.add(kind)
        _running.append(self)

    def seeding(self, kind: str) -> None:
        """Note that the cell seeds a generator; if it has not drawn yet, the old state plays no part."""
        self._seeded_at_all.add(kind)
        if kind in _KINDS and kind not in self._kept and self._is_untouched(kind):
            self._reseeded.add(kind)

    def keeping(self, kind: str) -> None:
        """Note that the cell asks for a state; if it is the one from before the cell, that one plays a part."""
        if self._is_untouched(kind):
            self._kept.add(kind)

    def _is_untouched(self, kind: str) -> bool:
        live = _KINDS[kind][0]()
        with unwatched():
            now = fingerprint(_KINDS[kind][1](live), kind) if kind in self._before else ""
        return bool(now) and now == self._before[kind]

    def end(self, run: Run) -> Record:
        """Record the state before and after of those that moved; of unseeded ones only that they moved."""
        self.cancel(run)
        observed: dict[str, str] = {}
        after: dict[str, Any] = {}
        said = not _ASKS.isdisjoint(run.words) or draws(run)
        for kind in _drawn_unseen(run) | (self._seeded_at_all - _KINDS.keys()):
            if kind in _seeded:
                why = "is seeded, and shows its state to nobody"
                raise Unstorable(f"the generator of {kind}", why, "draw in an uncached cell")
            observed[kind] = _UNSEEDED
        for kind, (owner, get, _) in _KINDS.items():
            live = owner()
            if live is None:
                observed |= {kind: _UNSEEDED} if kind in self._drawn else {}
                continue
            use = self._use(kind, live, said or kind in self._kept)
            if use is not None:
                observed |= {kind: use} if use else {}
                ends_anyhow = use == _UNSEEDED and kind not in self._seeded_at_all
                after |= {} if ends_anyhow else {kind: get(live)}
        return Record(observed, sorted(after), after)

    def _use(self, kind: str, live: Any, asks: bool) -> str | None:
        """Say what of the state before counts: a digest, that it was unseeded, or nothing (""); None if unused."""
        if kind in self._reseeded and not asks:
            return ""
        if kind in self._drawn and (kind in self._absent or kind in self._free):
            return _UNSEEDED
        if kind in self._absent:
            if not _is_unseeded(kind, live):
                return ""
            return _UNSEEDED if _has_drawn(kind, live) else None
        moved = fingerprint(_KINDS[kind][1](live), kind) != self._before[kind]
        if kind in self._free:
            return _UNSEEDED if moved or asks else None
        return self._before[kind] if moved or asks else None

    def cancel(self, run: Run) -> None:
        """Stop listening to seeds."""
        del run
        if self in _running:
            _running.remove(self)

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare the states the run started from."""
        del run
        for kind, digest in (observed or {}).items():
            owner, get, _ = _KINDS.get(kind, _NONE)
            live = owner()
            if digest == _UNSEEDED:
                if kind in _seeded if live is None else not _is_unseeded(kind, live):
                    return f"generator {kind} is seeded now"
            elif live is None or fingerprint(get(live), kind) != digest:
                return f"generator {kind} is in another state"
        return ""

    def include(self, record: Record) -> None:
        """Draws of a cell inside that was replayed count as draws, though an unseeded generator stood still."""
        self._drawn |= {kind for kind, digest in record.observed.items() if digest == _UNSEEDED}

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Leave the generators as the run left them."""
        del run
        for kind in record.effects:
            owner, get, put = _KINDS[kind]
            live = owner() or _load(kind)
            if live is not None:
                if kind not in _seeded:
                    undo.callback(_seeded.discard, kind)
                undo.callback(put, live, get(live))
                put(live, record.values[kind])
                _seeded.add(kind)


def _drawn_unseen(run: Run) -> set[str]:
    """Name the libraries that code draws from whose generators cannot be looked at."""
    return {
        kind for kind, draws in _HIDDEN.items() if kind in run.packages and not draws.isdisjoint(run.words)
    }


def _load(kind: str) -> Any:
    """Import the library of a generator that the run seeded, as the run did."""
    if kind == "numpy.random":
        import numpy.random

        return numpy.random
    if kind == "torch":
        import torch

        return torch
    return None
