"""This kernel's figures as HTML: a card for each GPU, then what is cached and what that saved; pure."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lean_magic import cost
from lean_magic.views.chart import line, money
from lean_magic.views.figures import Figures, Gpu
from lean_magic.words import duration, gib

__all__ = ["Saved", "card", "gpu_name", "restart"]

_LONGEST, _SHORTEST = 300.0, 30.0  # seconds that a line shows
_KEPT = '<i class="lm-swatch lm-kept"></i>'
_GIVES_BACK = 'title="torch.cuda.empty_cache() gives it back"'

Points = Mapping[str, Sequence[tuple[float, float]]]  # by the GPU's UUID: moments, and bytes held then


@dataclass(frozen=True, slots=True)
class Saved:
    """What hits saved: seconds today and in total, and dollars an hour that time is priced with."""

    today: float = 0.0
    total: float = 0.0
    per_hour: float | None = None


def gpu_name(gpu: Gpu) -> str:
    """Return what people call a GPU: "GPU 0 · H100 80GB HBM3"."""
    short = gpu.name.removeprefix("NVIDIA ").removeprefix("GeForce ").replace("-", " ")
    return " · ".join(filter(None, ["GPU" if gpu.index is None else f"GPU {gpu.index}", short]))


def restart(figures: Figures) -> str:
    """Say what of the notebook is cached: "9 of 11 cells cached, a restart takes ≈ 40 s"; "" before the first."""
    if not figures.cells:
        return ""
    cells = "cell" if figures.cells == 1 else "cells"
    return (
        f"{figures.cached} of {figures.cells} {cells} cached, a restart takes ≈ {duration(figures.restart)}"
    )


def card(figures: Figures, points: Points, saved: Saved) -> str:
    """Return the whole as HTML."""
    gpus = "".join(_gpu(gpu, points.get(gpu.uuid, ())) for gpu in figures.gpus)
    held = gib(sum(gpu.reserved for gpu in figures.gpus)) if figures.gpus else "no GPU memory"
    return (
        '<div class="lm-card lm-numbers tex2jax_ignore mathjax_ignore">'
        f'<div class="lm-card-title lm-between"><b>This kernel</b><span>holds {held}</span></div>'
        f"{gpus or _none(figures.why)}{_foot(figures, saved)}</div>"
    )


def _none(why: str) -> str:
    more = "Load, power and the other notebooks are in the sidebar; cached cells work without a GPU."
    return f'<div class="lm-empty">{html.escape(why)}<div class="lm-small">{more}</div></div>'


def _gpu(gpu: Gpu, points: Sequence[tuple[float, float]]) -> str:
    price = "" if gpu.cost is None else f"{money(gpu.cost)}/h for what is held"
    return (
        f'<section class="lm-gpu" aria-label="{html.escape(gpu_name(gpu))}">'
        f'<div class="lm-between"><b>{html.escape(gpu_name(gpu))}</b><span class="lm-quiet">{price}</span></div>'
        f"{_held(gpu, points)}{_bar(gpu)}{_legend(gpu)}</section>"
    )


def _held(gpu: Gpu, points: Sequence[tuple[float, float]]) -> str:
    number, unit = gib(gpu.reserved).split()
    top = float(gpu.total or max((value for _, value in points), default=0.0) * 1.1)
    seconds = min(max(points[-1][0] - points[0][0], _SHORTEST), _LONGEST) if points else _SHORTEST
    label = f"Memory held in the last {duration(seconds)}, now {gib(gpu.reserved)}"
    drawn = line(points, seconds, top, label) if len(points) > 1 else ""
    return f'<div class="lm-load"><span class="lm-large">{number} <small>{unit}</small></span>{drawn}</div>'


def _bar(gpu: Gpu) -> str:
    whole = gpu.total or gpu.reserved
    used, kept = (100 * part / whole for part in (min(gpu.allocated, gpu.reserved), gpu.idle))
    label = f"{gib(gpu.allocated)} in use, {gib(gpu.idle)} kept by torch"
    return (
        f'<div class="lm-memory" role="img" aria-label="{label}">'
        + "".join(
            f'<i class="{kind}" style="width: {part:.2f}%"></i>'
            for kind, part in (("lm-used", used), ("lm-kept", kept))
            if part
        )
        + "</div>"
    )


def _legend(gpu: Gpu) -> str:
    parts = [
        f'<span><i class="lm-swatch lm-used"></i>in use <b>{gib(gpu.allocated)}</b></span>',
        f"<span {_GIVES_BACK}>{_KEPT}kept by torch for later <b>{gib(gpu.idle)}</b></span>",
    ]
    if gpu.total:
        parts.append(f"<span>of {gib(gpu.total)}</span>")
    return f'<div class="lm-legend">{"".join(parts)}</div>'


def _foot(figures: Figures, saved: Saved) -> str:
    told = [f"<div>{html.escape(restart(figures))}</div>"] if figures.cells else []
    if saved.total:
        today = _sum(saved.today, saved.per_hour) if saved.today else "nothing"
        told.append(f"<div>saved by hits: {today} today, {_sum(saved.total, saved.per_hour)} in total</div>")
    return f'<div class="lm-foot">{"".join(told)}</div>' if told else ""


def _sum(seconds: float, per_hour: float | None) -> str:
    worth = money(cost.dollars(seconds, per_hour))
    return f'<b class="lm-good">{duration(seconds)}</b>{f" ({html.escape(worth)})" if worth else ""}'
