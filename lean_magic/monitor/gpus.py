"""The GPUs as the panel shows them, and what a place on one costs: the probe's figures with prices and energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lean_magic import cost
from lean_magic.monitor.energy import Meter
from lean_magic.monitor.protocol import Gpu, Holding, Slice
from lean_magic.monitor.sentences import gpu_message
from lean_magic.monitor.settings import LeanMagicServer

__all__ = ["Gpus", "Place", "cost_per_hour", "places"]


@dataclass(frozen=True, slots=True)
class Place:
    """A GPU, or an instance of one, as somewhere to hold memory: bytes, dollars an hour for all of it, per cent."""

    used: int | None  # None where GPU and machine share one memory
    total: int | None
    price: float | None
    utilization: float | None
    is_slice: bool


class Gpus:
    """Turns the probe's figures into what is shown."""

    def __init__(self, settings: LeanMagicServer) -> None:
        self._settings = settings
        self._meters: dict[str, Meter] = {}

    def show(self, told: Sequence[Mapping[str, Any]], time: float) -> list[Gpu]:
        """Return the GPUs of one sample, without their history."""
        return [self._one(gpu, time) for gpu in told]

    def _one(self, told: Mapping[str, Any], time: float) -> Gpu:
        meter = self._meters.setdefault(told["uuid"], Meter())
        return Gpu(
            uuid=told["uuid"],
            index=told["index"],
            name=told["name"],
            state=told["state"],
            message=gpu_message(told["state"]),
            utilization=told["utilization"],
            memory_used=told["memory_used"],
            memory_total=told["memory_total"],
            unified=told["unified"],
            power=told["power"],
            power_limit=told["power_limit"],
            temperature=told["temperature"],
            energy=meter.add(time, told["power"], told["energy"]),
            price_per_hour=self._price(told),
            mig=None if told["mig"] is None else tuple(map(_slice, told["mig"])),
            history=(),
        )

    def _price(self, told: Mapping[str, Any]) -> float | None:
        if self._settings.price_per_kwh:
            return cost.electricity(told["power"], self._settings.price_per_kwh)
        return cost.per_hour(told["name"], self._settings.price_per_hour)


def _slice(told: Mapping[str, Any]) -> Slice:
    return Slice(
        uuid=told["uuid"],
        name=told["name"],
        gpu_instance=told["gpu_instance"],
        compute_instance=told["compute_instance"],
        utilization=told["utilization"],
        memory_used=told["memory_used"],
        memory_total=told["memory_total"],
        share=told["share"],
    )


def places(gpus: Sequence[Gpu]) -> dict[str, Place]:
    """Return where memory may be held, by UUID: GPUs, and the instances of those that are cut."""
    found = {}
    for gpu in gpus:
        for one in gpu.mig or ():
            known = gpu.price_per_hour is not None and one.share is not None
            price = (gpu.price_per_hour or 0) * (one.share or 0) if known else None
            found[one.uuid] = Place(one.memory_used, one.memory_total, price, one.utilization, is_slice=True)
        if gpu.mig is None:
            used = None if gpu.unified else gpu.memory_used
            found[gpu.uuid] = Place(
                used, gpu.memory_total, gpu.price_per_hour, gpu.utilization, is_slice=False
            )
    return found


def cost_per_hour(
    holdings: Sequence[Holding], where: Mapping[str, Place], held_by_all: Mapping[str, int]
) -> float | None:
    """Return what holdings cost, in dollars an hour; None where a price or a size is not known."""
    costs = [_cost(one, where.get(one.uuid), held_by_all.get(one.uuid, 0)) for one in holdings]
    known = [one for one in costs if one is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _cost(holding: Holding, place: Place | None, held_by_all: int) -> float | None:
    if place is None or place.price is None:
        return None
    free = None if None in (place.used, place.total) else (place.total or 0) - (place.used or 0)
    # Who holds an instance keeps all of it from others.
    share = 1.0 if place.is_slice else cost.share(holding.memory_used, place.total, free, held_by_all)
    return None if share is None else place.price * share
