"""tqdm: progress bars that are done. A bar that is still shown belongs to the loop that runs."""

from __future__ import annotations

import sys
from typing import Any

from tqdm.std import tqdm

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory
from lean_magic.values.reduced import attributes

__all__ = ["ADAPTER"]

# What shows it, what reads the clock, and how far its iterator is.
_OF_A_RUN = frozenset({
    "fp", "sp", "container", "displayed", "_time", "last_print_t", "start_t", "last_print_n", "iterable_iterator",
    "iterable_next", "_ema_dn", "_ema_dt", "_ema_miniters", "pos",
})  # fmt: skip


def _bar(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("bar", walk.digest(type(value)), attributes(walk, value, _OF_A_RUN))


def _make(cls: Any, held: dict[str, Any]) -> Any:
    bar = cls.__new__(cls)
    with cls.get_lock():
        cls._instances.discard(bar)
    vars(bar).update(held, fp=sys.stderr, pos=0, last_print_t=0.0, start_t=0.0)
    return bar


class _Tqdm(FingerprintOnly):
    library = "tqdm"

    def rule(self, cls: type) -> Rule | None:
        return _bar if issubclass(cls, tqdm) else None

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        if not isinstance(value, tqdm):
            return NotImplemented
        if not value.disable:
            raise Unstorable("progress bar", "is not done", "close() it in the cell")
        held = {name: item for name, item in vars(value).items() if name not in _OF_A_RUN}
        return _make, (type(value), held)


ADAPTER = _Tqdm()
