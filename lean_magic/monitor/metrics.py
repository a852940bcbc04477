"""The state in the text form of Prometheus. What is not known has no line."""

from __future__ import annotations

from collections.abc import Iterator

from lean_magic.monitor.protocol import Kernel, State

__all__ = ["to_text"]

_HELP = {
    "driver_up": "1 if the driver answers",
    "gpu_utilization_percent": "share of time in which a kernel ran",
    "gpu_memory_used_bytes": "memory in use",
    "gpu_memory_total_bytes": "memory there is",
    "gpu_power_watts": "power drawn",
    "gpu_temperature_celsius": "temperature",
    "other_memory_used_bytes": "memory that no kernel here holds",
    "kernel_gpu_memory_bytes": "memory that a kernel holds; a lower bound where the evidence is self",
    "kernel_gpu_utilization_percent": "load by a kernel",
    "kernel_idle_seconds": "time since the kernel last worked",
    "kernel_cost_dollars_per_hour": "estimate for what the kernel holds",
    "kernel_cost_dollars": "estimate since the kernel first held a GPU",
    "saved_seconds": "time that cached cells saved, in total",
    "saved_hits": "cells that came back from the cache, in total",
}

Line = tuple[str, dict[str, str], float | None]


def to_text(state: State) -> str:
    """Return the state as text, metric by metric."""
    lines: dict[str, list[str]] = {}
    for name, labels, value in _all(state):
        if value is not None:
            lines.setdefault(name, []).append(f"lean_magic_{name}{_labels(labels)} {value:.15g}")
    blocks = [
        f"# HELP lean_magic_{name} {_HELP[name]}\n# TYPE lean_magic_{name} gauge\n" + "\n".join(values)
        for name, values in lines.items()
    ]
    return "\n".join([*blocks, ""])


def _all(state: State) -> Iterator[Line]:
    yield "driver_up", {}, float(state.status.state in ("ok", "no_gpu"))
    for gpu in state.gpus:
        labels = {"uuid": gpu.uuid, "gpu": str(gpu.index), "name": gpu.name}
        yield "gpu_utilization_percent", labels, gpu.utilization
        yield "gpu_memory_used_bytes", labels, gpu.memory_used
        yield "gpu_memory_total_bytes", labels, gpu.memory_total
        yield "gpu_power_watts", labels, gpu.power
        yield "gpu_temperature_celsius", labels, gpu.temperature
    for other in state.other:
        yield "other_memory_used_bytes", {"uuid": other.uuid}, other.memory_used
    for kernel in state.kernels:
        yield from _kernel(kernel)
    yield "saved_seconds", {}, state.savings.total.seconds
    yield "saved_hits", {}, state.savings.total.hits


def _kernel(kernel: Kernel) -> Iterator[Line]:
    labels = {"kernel": kernel.kernel_id, "notebook": kernel.path or ""}
    for one in kernel.gpus:
        place = labels | {"uuid": one.uuid, "evidence": one.evidence}
        yield "kernel_gpu_memory_bytes", place, one.memory_used
        yield "kernel_gpu_utilization_percent", place, one.utilization
    yield "kernel_idle_seconds", labels, kernel.idle_seconds
    yield "kernel_cost_dollars_per_hour", labels, kernel.cost_per_hour
    yield "kernel_cost_dollars", labels, kernel.cost


def _labels(labels: dict[str, str]) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
