"""Items that are known already, computed once more, to see whether the function still gives what is stored.

A difference beyond rounding means that the function is not what the cache takes it for, or that its results
depend on what else is in the batch.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from lean_magic.items.packed import is_tensor

__all__ = ["TOLERANCES", "chosen", "differs"]

# How far numbers may be apart, as a part of the largest one of the item. Batches of other sizes are added up in
# another order, and half precision carries three digits.
TOLERANCES = {2: 2e-2, 4: 1e-3, 8: 1e-6}  # by the bytes of a float

_random = random.Random()  # noqa: S311  our own, so that no draw is taken from a generator of the user's


def chosen(known: Any, count: int) -> Any:
    """Choose up to `count` of the positions in `known`, others each time."""
    return np.array(sorted(_random.sample(range(len(known)), min(count, len(known)))), np.int64)


def differs(stored: Any, now: Any, tolerance: float | None = None) -> str:
    """Say how two results of one item differ, or ""; `tolerance` is a part of the largest number."""
    if is_tensor(stored):
        return _tensors(stored, now, tolerance)
    if type(stored) is type(now):
        if isinstance(stored, (list, tuple)):
            return _members(stored, now, tolerance)
        if isinstance(stored, dict) and list(stored) == list(now):
            return _members(list(stored.values()), list(now.values()), tolerance)
        if isinstance(stored, (np.ndarray, np.generic, float, complex)):
            return _numbers(np.asarray(stored), np.asarray(now), tolerance)
        if stored == now:
            return ""
    return f"stored {_brief(stored)}, computed {_brief(now)}"


def _tensors(stored: Any, now: Any, tolerance: float | None) -> str:
    if not is_tensor(now) or stored.dtype != now.dtype:
        return f"stored {_brief(stored)}, computed {_brief(now)}"
    if tolerance is None and stored.is_floating_point():
        tolerance = TOLERANCES.get(stored.element_size(), 2e-2)
    return _numbers(_wide(stored), _wide(now), tolerance)


def _wide(value: Any) -> Any:
    plain = value.detach().cpu().resolve_conj()
    return (plain.double() if plain.is_floating_point() else plain).numpy()


def _members(stored: Any, now: Any, tolerance: float | None) -> str:
    if len(stored) != len(now):
        return f"stored {len(stored)} members, computed {len(now)}"
    found = (differs(one, other, tolerance) for one, other in zip(stored, now, strict=True))
    return next(filter(None, found), "")


def _numbers(stored: Any, now: Any, tolerance: float | None) -> str:
    if stored.shape != now.shape or stored.dtype != now.dtype:
        return f"stored {stored.dtype} {stored.shape}, computed {now.dtype} {now.shape}"
    if stored.dtype.kind not in "fc" and (tolerance is None or stored.dtype.kind not in "iu"):
        same = bool((stored == now).all())
    else:
        same = _near(stored, now, tolerance)
    return "" if same else f"stored {_brief(stored)}, computed {_brief(now)}"


def _near(stored: Any, now: Any, tolerance: float | None) -> bool:
    size = stored.dtype.itemsize // (2 if stored.dtype.kind == "c" else 1)
    allowed = TOLERANCES.get(size, 1e-6) if tolerance is None else tolerance
    wide = np.complex128 if stored.dtype.kind == "c" else np.float64
    one, other = stored.astype(wide), now.astype(wide)
    finite = np.isfinite(one) & np.isfinite(other)
    if not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return False
    largest = max(abs(one[finite]).max(initial=0), abs(other[finite]).max(initial=0))
    return bool((abs(one[finite] - other[finite]) <= allowed * largest).all())


def _brief(value: Any) -> str:
    if isinstance(value, np.ndarray):
        with np.printoptions(precision=4, threshold=4, edgeitems=2):
            return f"{value.reshape(-1)[:6]} …" if value.size > 6 else str(value)
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
