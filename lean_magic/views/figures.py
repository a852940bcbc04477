"""What this kernel holds on each GPU, and how much of its notebook is cached; as text everywhere, live in `gpu`.

It reads counters that torch keeps anyway: it imports no library and never starts CUDA.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from lean_magic import cost, kernel_report

__all__ = ["Figures", "Gpu", "figures"]


@dataclass(frozen=True, slots=True)
class Gpu:
    """The memory of one GPU that this kernel's torch has, in bytes; what is not known is None."""

    uuid: str
    reserved: int  # held, so no other process can have it
    allocated: int  # of that, what tensors use now
    index: int | None = None
    name: str = ""
    total: int | None = None
    price: float | None = None  # dollars an hour for the whole GPU; an estimate

    @property
    def idle(self) -> int:
        """Bytes that torch keeps for later and no tensor uses: they could be given back."""
        return max(self.reserved - self.allocated, 0)

    @property
    def cost(self) -> float | None:
        """Dollars an hour for the part that is held; an estimate."""
        part = cost.share(self.reserved, self.total, None, self.reserved)
        return None if part is None or self.price is None else part * self.price


@dataclass(frozen=True, slots=True)
class Figures:
    """This kernel now; `why` says in a sentence why there is no GPU, where there is none."""

    gpus: tuple[Gpu, ...] = ()
    why: str = ""
    cells: int = 0  # that ran
    cached: int = 0  # of them, those that would come back from the cache
    restart: float = 0.0  # seconds that running them all again would take


def figures(shell: Any, price: float = 0.0) -> Figures:
    """Return this kernel's figures; `price` is the user's own in dollars an hour, 0 for a list price."""
    gpus = _gpus(price)
    told = _cells(shell)
    return Figures(
        gpus=gpus,
        why="" if gpus else _why(),
        cells=told.get("cells", 0),
        cached=told.get("hit_cells", 0),
        restart=told.get("restart_seconds", 0.0),
    )


def _cells(shell: Any) -> dict[str, Any]:
    reporter = getattr(shell, "_lean_magic_report", None)
    # Its file says the same, but opening a file while a cell is recorded would look like the cell's doing.
    return {} if reporter is None else reporter._cells.told() or {}  # noqa: SLF001


def _gpus(own: float) -> tuple[Gpu, ...]:
    held = kernel_report.gpu_memory()
    devices = _devices() if held else {}
    return tuple(_gpu(one, devices.get(one["uuid"]), own) for one in held)


def _gpu(held: dict[str, Any], device: tuple[int, Any] | None, own: float) -> Gpu:
    gpu = Gpu(held["uuid"], held["reserved"], held["allocated"])
    if device is None:
        return gpu
    index, properties = device
    name = str(getattr(properties, "name", ""))
    total = getattr(properties, "total_memory", None)
    return Gpu(gpu.uuid, gpu.reserved, gpu.allocated, index, name, total, cost.per_hour(name, own))


def _devices() -> dict[str, tuple[int, Any]]:
    """Return number and properties of the GPUs on which torch holds memory, by their UUID."""
    cuda: Any = sys.modules["torch"].cuda
    found = {}
    for index in range(cuda.device_count()):
        if cuda.memory_reserved(index):  # so there is a context, and asking makes none
            properties = cuda.get_device_properties(index)
            uuid = str(getattr(properties, "uuid", ""))
            found[uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"] = (index, properties)
    return found


def _why() -> str:
    torch: Any = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not hasattr(cuda, "is_initialized"):
        return "This kernel has not imported torch, whose memory is what can be told here."
    version = getattr(torch, "version", None)
    if not (getattr(version, "cuda", None) or getattr(version, "hip", None)):
        return "The torch of this kernel is built for the CPU: it cannot use a GPU."
    if not cuda.is_initialized():
        return "The torch of this kernel has not used a GPU yet, and asking does not start one."
    return "The torch of this kernel holds no GPU memory now."
