"""The GPUs as the driver tells of them: one sample of plain values, None where it does not tell.

Everything here may hang for as long as the driver does, so it runs in the probe's process and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lean_magic.monitor.slice_loads import SliceLoads

__all__ = ["Devices", "Stale", "status_of"]

_MUTE = 600.0  # seconds that a figure is not asked for after the driver said it has none
_LOST = 60.0  # seconds that a lost GPU is left alone
_REOPEN = 10.0  # seconds at least between two times that the driver is opened anew
_LOOK_BACK = 2_000_000  # microseconds over which loads of processes are asked for

# Codes of the driver's interface, which stay the same for all versions.
_UNINITIALIZED, _INVALID_ARGUMENT, _NOT_SUPPORTED, _NOT_FOUND = 1, 2, 3, 6
_GONE = {15: "lost", 16: "reset_required", 999: "failed"}
_STATUS = {4: "no_permission", 9: "driver_not_loaded", 12: "driver_missing", 18: "driver_mismatch"}


class Stale(Exception):
    """The devices are no longer those that were opened: cut anew, plugged in, taken away."""


class _Gone(Exception):
    """This one GPU does not answer any more."""


@dataclass(slots=True)
class _Device:
    handle: Any
    index: int
    uuid: str
    name: str
    suspended: Path | None = None  # says "suspended" while the system has powered the GPU down
    unified: bool = False  # whether it has no memory of its own to tell of: it shares the machine's
    state: str = "ok"
    until: float = 0.0  # when a GPU that is gone is tried again
    mute: dict[str, float] = field(default_factory=dict)  # figure → when it is asked for again


def status_of(error: Any) -> str:
    """Return the word for an error of the driver's start."""
    return _STATUS.get(error.value, "probe_failed")


class Devices:
    """All GPUs, through `nvml`, the module of the binding. Raises its NVMLError where the driver does not start."""

    def __init__(
        self, nvml: Any, clock: Callable[[], float] = time.monotonic, sys_folder: Path = Path("/sys")
    ) -> None:
        self.driver: str | None = None
        self._nvml = nvml
        self._clock = clock
        self._pci = sys_folder / "bus" / "pci" / "devices"
        self._found: list[_Device] = []
        self._opened = 0.0
        self._slice_loads = SliceLoads(nvml)

    def open(self) -> None:
        """Start the driver's interface and find the GPUs."""
        self._nvml.nvmlInitWithFlags(0)
        self._opened = self._clock()
        with suppress(self._nvml.NVMLError):  # only to be shown
            self.driver = self._nvml.nvmlSystemGetDriverVersion()
        self._found = [self._find(index) for index in range(self._nvml.nvmlDeviceGetCount())]

    def close(self) -> None:
        """End the driver's interface."""
        self._slice_loads.forget()
        self._nvml.nvmlShutdown()

    def sample(self) -> list[dict[str, Any]]:
        """Return what each GPU tells now. Raises Stale if they have to be opened anew."""
        if self._nvml.nvmlDeviceGetCount() != len(self._found):
            raise Stale
        return [self._one(device) for device in self._found]

    def _find(self, index: int) -> _Device:
        nvml = self._nvml
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            device = _Device(handle, index, nvml.nvmlDeviceGetUUID(handle), "NVIDIA GPU")
        except nvml.NVMLError as error:
            state = _GONE.get(error.value, "failed")
            return _Device(
                None, index, f"GPU at index {index}", "NVIDIA GPU", state=state, until=self._clock() + _LOST
            )
        device.name = self._ask(device, "name", nvml.nvmlDeviceGetName, handle) or device.name
        device.suspended = self._power_file(device)
        return device

    def _power_file(self, device: _Device) -> Path | None:
        try:
            bus = self._nvml.nvmlDeviceGetPciInfo(device.handle).busId
        except self._nvml.NVMLError:
            return None
        text = bus.decode() if isinstance(bus, bytes) else str(bus)
        return self._pci / text.lower()[-12:] / "power" / "runtime_status"

    def _one(self, device: _Device) -> dict[str, Any]:
        if self._clock() < device.until:
            return _blank(device)
        if _is_suspended(device.suspended):
            # To ask would wake it up, which costs a laptop its battery.
            return _blank(device) | {"state": "asleep"}
        if device.handle is None:
            raise Stale
        try:
            sample = self._figures(device)
        except _Gone as gone:
            device.state, device.until = str(gone), self._clock() + _LOST
            return _blank(device)
        device.state = "ok"
        return sample

    def _figures(self, device: _Device) -> dict[str, Any]:
        nvml, handle = self._nvml, device.handle
        mode = self._ask(device, "mig", nvml.nvmlDeviceGetMigMode, handle)
        slices = self._slices(device) if mode and mode[0] == 1 else None
        load = self._ask(device, "load", nvml.nvmlDeviceGetUtilizationRates, handle)
        power = self._ask(device, "power", nvml.nvmlDeviceGetPowerUsage, handle)
        limit = self._ask(device, "limit", nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
        energy = self._ask(device, "energy", nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
        processes = self._processes(device, handle, device.uuid) if slices is None else []
        return (
            _blank(device)
            | self._memory(device)
            | {
                "state": "ok",
                "utilization": None if load is None else load.gpu,
                "power": _scaled(power, 1000),  # from milliwatts
                "power_limit": _scaled(limit, 1000),
                "temperature": self._temperature(device),
                "energy": _scaled(energy, 1000),  # from millijoules
                "mig": slices,
                "processes": [one for slice_ in slices or () for one in slice_.pop("processes")] or processes,
                "loads": self._loads(device),
            }
        )

    def _ask(self, device: _Device, figure: str, function: Callable[..., Any], *args: Any) -> Any:
        """Ask for one figure; None if there is none. A figure that is not told is left alone for some minutes."""
        if self._clock() < device.mute.get(figure, 0.0):
            return None
        try:
            return function(*args)
        except self._nvml.NVMLError as error:
            self._refused(device, figure, error.value)
            return None

    def _refused(self, device: _Device, figure: str, code: int) -> None:
        if code in _GONE:
            raise _Gone(_GONE[code])
        if code in (_UNINITIALIZED, _INVALID_ARGUMENT) and self._clock() - self._opened > _REOPEN:
            raise Stale
        device.mute[figure] = self._clock() + _MUTE
        if figure == "memory 1":  # any other refusal leaves the memory unknown
            device.unified = code == _NOT_SUPPORTED

    def _memory(self, device: _Device) -> dict[str, Any]:
        nvml = self._nvml
        # The second version keeps what the driver reserves for itself apart; the first calls it used.
        told = self._ask(
            device, "memory", nvml.nvmlDeviceGetMemoryInfo, device.handle, nvml.nvmlMemory_v2
        ) or self._ask(device, "memory 1", nvml.nvmlDeviceGetMemoryInfo, device.handle)
        if told is not None and _told(nvml, told.total):
            return {"memory_used": _told(nvml, told.used), "memory_total": told.total}
        return _machine_memory() if device.unified else {}

    def _temperature(self, device: _Device) -> int | None:
        nvml, told = self._nvml, None
        if hasattr(nvml, "nvmlDeviceGetTemperatureV"):
            told = self._ask(device, "heat", nvml.nvmlDeviceGetTemperatureV, device.handle, 0)
        if told is None and hasattr(nvml, "nvmlDeviceGetTemperature"):
            told = self._ask(device, "heat 1", nvml.nvmlDeviceGetTemperature, device.handle, 0)
        return told

    def _processes(self, device: _Device, handle: Any, uuid: str) -> list[dict[str, Any]]:
        nvml, found = self._nvml, dict[int, int | None]()
        for kind in ("Compute", "Graphics", "MPSCompute"):
            function = getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses", None)
            told = self._ask(device, f"{kind} {uuid}", function, handle) if function else None
            for one in told or ():
                # Drivers of containers that look a process up by the wrong number say 0 bytes: not known.
                found[one.pid] = max(found.get(one.pid) or 0, one.usedGpuMemory or 0) or None
        return [{"uuid": uuid, "pid": pid, "memory_used": memory} for pid, memory in found.items()]

    def _loads(self, device: _Device) -> dict[int, int] | None:
        """Return the load of each process that had one of late, in per cent; None if the driver does not tell."""
        nvml, since = self._nvml, int(time.time() * 1e6) - _LOOK_BACK
        if self._clock() < device.mute.get("loads", 0.0):
            return None
        try:
            told = nvml.nvmlDeviceGetProcessUtilization(device.handle, since)
        except nvml.NVMLError as error:
            if error.value in (0, _NOT_FOUND):  # nothing happened, which is no error
                return {}
            self._refused(device, "loads", error.value)
            return None
        good = [one for one in told if one.smUtil <= 100 and one.timeStamp >= since]
        return {one.pid: one.smUtil for one in sorted(good, key=lambda one: one.timeStamp)}

    def _slices(self, device: _Device) -> list[dict[str, Any]]:
        nvml = self._nvml
        count = self._ask(device, "slices", nvml.nvmlDeviceGetMaxMigDeviceCount, device.handle) or 0
        told = count and self._ask(device, "slice loads", self._slice_loads.is_told, device.handle)
        found = []
        for index in range(count):
            try:
                handle = nvml.nvmlDeviceGetMigDeviceHandleByIndex(device.handle, index)
                found.append(self._slice(device, handle, nvml.nvmlDeviceGetUUID(handle), bool(told)))
            except nvml.NVMLError as error:
                if error.value != _NOT_FOUND:  # a place where no instance is
                    self._refused(device, f"slice {index}", error.value)
        return found

    def _slice(self, device: _Device, handle: Any, uuid: str, has_load: bool) -> dict[str, Any]:
        nvml = self._nvml
        memory = self._ask(device, f"memory {uuid}", nvml.nvmlDeviceGetMemoryInfo, handle)
        shape = self._ask(device, f"shape {uuid}", nvml.nvmlDeviceGetAttributes_v2, handle)
        name = self._ask(device, f"name {uuid}", nvml.nvmlDeviceGetName, handle)
        instance = self._ask(device, f"gi {uuid}", nvml.nvmlDeviceGetGpuInstanceId, handle)
        ask = self._slice_loads.load
        known = has_load and instance is not None
        return {
            "uuid": uuid,
            "name": (name or "MIG").rpartition("MIG ")[2],
            "gpu_instance": instance,
            "compute_instance": self._ask(device, f"ci {uuid}", nvml.nvmlDeviceGetComputeInstanceId, handle),
            "memory_used": memory and _told(nvml, memory.used),
            "memory_total": memory and _told(nvml, memory.total),
            "utilization": self._ask(device, f"load {uuid}", ask, device.handle, uuid, instance)
            if known
            else None,
            "share": shape and shape.gpuInstanceSliceCount / 7,
            "processes": self._processes(device, handle, uuid),
        }


def _blank(device: _Device) -> dict[str, Any]:
    nothing = ("utilization", "memory_used", "memory_total", "power", "power_limit", "temperature", "energy")
    return {
        "uuid": device.uuid,
        "index": device.index,
        "name": device.name,
        "state": device.state,
        **dict.fromkeys(nothing),
        "unified": False,
        "mig": None,
        "processes": [],
        "loads": None,
    }


def _is_suspended(file: Path | None) -> bool:
    try:
        return file is not None and file.read_text().strip() == "suspended"
    except OSError:
        return False


def _scaled(value: int | None, by: int) -> float | None:
    return None if value is None else value / by


def _told(nvml: Any, value: int) -> int | None:
    return None if value == nvml.NVML_VALUE_NOT_AVAILABLE_ulonglong.value else value


def _machine_memory() -> dict[str, Any]:
    """Return the machine's own memory, which is the GPU's where the two share one."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return {}
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}
    if not {"MemTotal", "MemAvailable"} <= sizes.keys():
        return {}
    used = sizes["MemTotal"] - sizes["MemAvailable"]
    return {"memory_used": used, "memory_total": sizes["MemTotal"], "unified": True}
