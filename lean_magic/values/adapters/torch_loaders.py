"""Iterators of a DataLoader that runs in this process: by what they hold and by the indices that are still to come.

Samplers of torch's own are generators. How far one has come shows in what it is going through; it comes back as one
that goes through the rest. Any other that is half used is refused.
"""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data.dataloader import _SingleProcessDataLoaderIter as LOADING
from torch.utils.data.sampler import BatchSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.yielding import finished

__all__ = ["LOADING", "loader_content", "loader_rule", "put_loader", "reduced_loader"]

_WHAT = "is or holds a half used iterator of a DataLoader"
_REMEDY = "write next(iter(loader)) without keeping the iterator, or go through it in one cell"
_OWN = ("_sampler_iter", "_base_seed")  # the seed is for workers, of which there are none
_AT_ONCE = 32  # indices that RandomSampler draws at a time if it may draw one again
_LISTS: tuple[type, ...] = (type(iter([])), type(iter(())))
_RANGES = (type(iter(range(0))), type(iter(range(1 << 70))))
_Rest = tuple[Any, ...]


def loader_rule(cls: type) -> Rule | None:
    """Give the rule for iterators of loaders."""
    return _loader if cls is LOADING else None


def _loader(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    try:
        rest = walk.keep(_rest(vars(value)["_sampler_iter"]))
    except Unstorable as error:
        raise walk.fail(value, f"{error.why}, which has no content to compare", error.remedy) from error
    held = [name for name in vars(value) if name not in _OWN]
    pieces = [leaf("", name.encode()) + walk.digest(vars(value)[name]) for name in held]
    return combine("loader iterator", *pieces, walk.digest(rest))


def reduced_loader(value: Any) -> Any:
    """Take an iterator of a loader apart. Raises Unstorable if nobody knows what it still gives."""
    return object.__new__, (type(value),), loader_content(value), None, None, put_loader


def loader_content(value: Any) -> Any:
    """Give what an iterator of a loader holds, and what its sampler still gives."""
    return vars(value) | {"_sampler_iter": None}, _rest(vars(value)["_sampler_iter"])


def put_loader(live: Any, content: Any) -> None:
    """Make an iterator of a loader hold what another has held, and go on as that would."""
    held, rest = content
    vars(live).clear()
    vars(live).update(held | {"_sampler_iter": _going_on(rest)})


def _rest(iterator: Any) -> _Rest:
    """Say what an iterator over indices still gives. Raises Unstorable if nobody knows."""
    if isinstance(iterator, _LISTS + _RANGES):
        form: Any = iterator.__reduce__()
        start = form[2] if len(form) > 2 and form[2] else 0
        left = form[1][0][start:]
        return ("range", left) if isinstance(left, range) else ("indices", tuple(left))
    known = _KNOWN.get(getattr(iterator, "gi_code", None))
    if known is None:
        raise Unstorable("iterator", _WHAT, _REMEDY)
    if iterator.gi_frame is None:
        return ("over",)
    held = iterator.gi_frame.f_locals
    has_begun = inspect.getgeneratorstate(iterator) != inspect.GEN_CREATED
    is_ours = iterator.gi_code in _OURS or isinstance(held["self"], _Going)
    return known(iterator, held) if has_begun or is_ours else ("all", held["self"])


def _batches(iterator: Any, held: dict[str, Any]) -> _Rest:
    del iterator
    sampler = held["self"]
    inner = held.get("sampler_iter")  # it has not begun, and goes through what is left of one that has
    return (
        "batches",
        sampler.batch_size,
        sampler.drop_last,
        _rest(sampler.sampler if inner is None else inner),
    )


def _drawing(iterator: Any, held: dict[str, Any]) -> _Rest:
    """Say how a RandomSampler goes on, which draws once more at its end even if it needs none of that."""
    sampler, among = held["self"], held["n"]
    at_once = _AT_ONCE if sampler.replacement else among
    rounds, last = divmod(sampler.num_samples, at_once)
    indices = iterator.gi_yieldfrom
    if len(indices.__reduce__()[1][0]) < at_once:  # they are the last
        return _rest(indices)
    later = [at_once] * (rounds - held["_"] - 1)
    if (
        last or sampler.generator is not None
    ):  # who draws nothing of a generator that nobody else has is not seen
        later.append(last)
    return _drawn(indices, later, among, sampler.replacement, held["generator"])


def _drawn(indices: Any, later: list[int], *about: Any) -> _Rest:
    return ("draws", _rest(indices), tuple(later), *about) if later else _rest(indices)


def _drawing_on(iterator: Any, held: dict[str, Any]) -> _Rest:
    if "later" not in held:  # it has not begun
        return held["rest"]  # type: ignore[no-any-return]
    return _drawn(iterator.gi_yieldfrom, held["later"], *held["rest"][3:])


def _picking(iterator: Any, held: dict[str, Any]) -> _Rest:
    if "places" in held and "place" not in held:  # it has not begun
        return "picks", held["self"], held["places"]
    places = next(one for one in gc.get_referents(iterator) if isinstance(one, _LISTS))
    return "picks", held["self"], _rest(places)


def _through(iterator: Any, held: dict[str, Any]) -> _Rest:
    del held
    return _rest(iterator.gi_yieldfrom)


class _Going:
    """Stands for a sampler of which a part was taken."""

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)


def _going_on(rest: _Rest) -> Any:
    """Make an iterator that gives the rest."""
    kind, *about = rest
    if kind == "batches":
        going = _Going(batch_size=about[0], drop_last=about[1], sampler=_going_on(about[2]))
        batches: Any = BatchSampler.__iter__
        return batches(going)
    if kind == "picks":
        return _pick(about[0], about[1])
    if kind == "over":
        return finished()
    return _draw_on(rest) if kind == "draws" else iter(about[0])


def _draw_on(rest: _Rest) -> Iterator[int]:
    indices, later = _going_on(rest[1]), list(rest[2])
    yield from indices
    among, replacement, generator = rest[3:]
    while later:
        count = later.pop(0)
        if replacement:
            drawn = torch.randint(high=among, size=(count,), dtype=torch.int64, generator=generator)
        else:
            drawn = torch.randperm(among, generator=generator)[:count]
        yield from drawn.tolist()


def _pick(self: Any, places: _Rest) -> Iterator[Any]:
    for place in places[1]:
        yield self.indices[place]


_OURS = (_draw_on.__code__, _pick.__code__)
_KNOWN: dict[Any, Callable[[Any, dict[str, Any]], _Rest]] = {
    BatchSampler.__iter__.__code__: _batches,
    RandomSampler.__iter__.__code__: _drawing,
    SubsetRandomSampler.__iter__.__code__: _picking,
    WeightedRandomSampler.__iter__.__code__: _through,
    _draw_on.__code__: _drawing_on,
    _pick.__code__: _picking,
}
