"""What functions under `functools.lru_cache` have come to remember, so that they answer alike after a hit.

A function that numba has compiled remembers, too: the globals that it was compiled with.
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.values.layout import known_how, told_by
from lean_magic.values.memo import calls, fill, objects

__all__ = ["Remembering"]


class Remembering(Recorder):
    """Compares what the functions that a cell reaches remember, and how often they have answered from it."""

    name = "remembering"

    def __init__(self) -> None:
        self._before: dict[str, _Now] = {}
        self._compiled: dict[str, Any] = {}

    def begin(self, run: Run) -> None:
        """Take down what is remembered now."""
        self._compiled = _compiled(run)
        self._before = {mark: _now(one) for mark, one in run.walk.remembering().items()}

    def end(self, run: Run) -> Record:
        """Keep the calls that are new, unless they are large, and count the answers; all where some were forgotten."""
        kept: dict[str, Any] = {
            mark: one for mark, one in _compiled(run).items() if one != self._compiled.get(mark)
        }
        for mark, one in run.walk.remembering().items():
            before, now = self._before.get(mark, _NOTHING), _now(one)
            forgot = not before.objects <= now.objects or now.misses - before.misses > now.size - before.size
            start = _NOTHING if forgot else before
            told = calls(one, start.objects) if now != before else []
            if now != before and (told or now.objects <= start.objects):
                kept[mark] = told, now.hits - start.hits, now.misses, forgot
        return Record(None, sorted(kept), kept)

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Make them remember; where the rest fails, what was empty is empty again, and a call too many does no harm."""
        live = run.walk.remembering()
        for mark, said in (record.values or {}).items():
            if mark not in live:
                function = run.walk.by_mark()[mark]
                known_how(type(function), "freeze")(function, said)
                continue
            told, hits, misses, forgot = said
            if forgot:
                live[mark].cache_clear()
            if not live[mark].cache_info().currsize:
                undo.callback(live[mark].cache_clear)
            fill(live[mark], told, hits, misses if forgot else 0)


def _compiled(run: Run) -> dict[str, Any]:
    """Say of each function that may be compiled for which types it is, and with which globals."""
    return told_by(run.walk.by_mark(), "compiled")


class _Now(NamedTuple):
    objects: frozenset[int]
    hits: int
    misses: int
    size: int


_NOTHING = _Now(frozenset(), 0, 0, 0)


def _now(wrapper: Any) -> _Now:
    info = wrapper.cache_info()
    return _Now(objects(wrapper), info.hits, info.misses, info.currsize)
