"""`%lean gpu` as text: what this kernel holds on each GPU, what of its notebook is cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lean_magic.lean.page import Block, Column, Page, Table, Text
from lean_magic.views.card import gpu_name, restart
from lean_magic.views.chart import money
from lean_magic.views.figures import figures
from lean_magic.words import gib

if TYPE_CHECKING:
    from lean_magic.lean.place import Place
    from lean_magic.runner import Runner
    from lean_magic.views.figures import Gpu

__all__ = ["gpu"]

_HEADS = ("held", "in use", "kept by torch", "of", "an hour")


def gpu(runner: Runner, place: Place) -> Page:
    """Return this kernel's figures, or why there are none."""
    found = figures(runner.shell, place.settings.price_per_hour)
    columns = [Column("GPU"), *(Column(name, number=True) for name in _HEADS)]
    blocks: list[Block] = (
        [Text(found.why)] if found.why else [Table(columns, [*map(_row, found.gpus)], bend=0)]
    )
    if any(one.idle for one in found.gpus):
        blocks.append(Text("what torch keeps for later is given back by `torch.cuda.empty_cache()`"))
    told = restart(found)
    return Page([*blocks, *([Text(told)] if told else [])])


def _row(gpu: Gpu) -> list[str]:
    total = gib(gpu.total) if gpu.total else "—"
    return [
        gpu_name(gpu),
        gib(gpu.reserved),
        gib(gpu.allocated),
        gib(gpu.idle),
        total,
        money(gpu.cost) or "—",
    ]
