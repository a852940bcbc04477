"""What time on a GPU costs: seconds times dollars an hour, and a dated table of list prices.

A price that is not known is None, never 0: no GPU, a slice of one, or one that is not in the table.
The prices are for orientation; who knows their own gives that.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PRICES", "Price", "dollars", "electricity", "per_hour", "share", "this_gpu"]

_HOUR = 3600.0  # seconds
_USABLE = 2 << 30  # bytes: with less than that left over, a GPU is of no use to anybody else


@dataclass(frozen=True, slots=True)
class Price:
    """What one GPU costs on demand: US dollars an hour, read on a `day` from the page of a `seller`."""

    words: frozenset[str]  # all of them are in the name that the driver gives the GPU
    dollars_per_hour: float
    day: str  # ISO 8601
    seller: str


def _price(words: str, dollars_per_hour: float, day: str, seller: str = "RunPod Secure Cloud") -> Price:
    return Price(frozenset(words.split()), dollars_per_hour, day, seller)


# The first that fits is taken, so of one family the narrow names come first.
PRICES = (
    _price("B300", 7.89, "2026-10-07"),
    _price("B200", 6.79, "2026-10-07"),
    _price("H200", 4.59, "2026-10-07"),
    _price("H100 PCIE", 2.89, "2026-11-09"),
    _price("H100 NVL", 3.19, "2026-11-09"),
    _price("H100 HBM3", 3.99, "2026-11-09"),
    _price("A100 80GB", 1.79, "2026-11-09"),
    _price("A100 SXM4 40GB", 1.99, "2026-09-20", "Lambda"),
    _price("A40", 0.44, "2026-08-19"),
)


def per_hour(gpu: str | None, own: float | Mapping[str, float] = 0.0) -> float | None:
    """Return US dollars an hour for a GPU, named as the driver spells it; None if no price is known.

    `own` prices come before those of the table: one for every GPU, or each for the words of a model, as
    `{"H100 PCIe": 2.5}`. A price of 0 is none.
    """
    words = _words(gpu or "")
    if not isinstance(own, Mapping):
        mine: float | None = own
    else:
        mine = next((price for model, price in own.items() if _words(model) <= words), None)
    if mine:
        return float(mine)
    if "MIG" in words:  # a slice: nobody lists a price for it
        return None
    return next((price.dollars_per_hour for price in PRICES if price.words <= words), None)


def electricity(watts: float | None, dollars_per_kwh: float) -> float | None:
    """Return US dollars an hour for `watts`; None where these are not known."""
    return None if watts is None else watts / 1000 * dollars_per_kwh


def share(held: int | None, total: int | None, free: int | None, held_by_all: int) -> float | None:
    """Return the part of a GPU, from 0 to 1, that who holds `held` of its `total` bytes keeps from others.

    Where less than 2 GiB is `free`, all of the GPU is kept from others, and its holders, who hold `held_by_all`
    bytes together, share that. None where a size is not known.
    """
    if held is None or not total:
        return None
    if free is not None and free < _USABLE and held_by_all:
        return held / max(held_by_all, held)
    return min(held / total, 1.0)


def dollars(seconds: float, per_hour: float | None) -> float | None:
    """Return what `seconds` cost at `per_hour` US dollars an hour; None where the price is not known."""
    return None if per_hour is None else seconds * per_hour / _HOUR


def this_gpu() -> str | None:
    """Return the driver's name for the GPU that this process uses already; looking takes none into use."""
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    return str(cuda.get_device_name()) if cuda is not None and cuda.is_initialized() else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Z0-9]+", text.upper()))
