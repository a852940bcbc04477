"""The load of each MIG instance, which only GPUs from Hopper on tell: from two readings of their counters."""

from __future__ import annotations

from typing import Any

__all__ = ["SliceLoads"]

_ACTIVE = 1  # the driver's number for: per cent of the time in which something ran


class SliceLoads:
    """Remembers the last reading of each instance. What the driver refuses is raised as its NVMLError."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._readings: dict[str, Any] = {}  # by the instance's UUID

    def is_told(self, handle: Any) -> bool:
        """Tell whether a GPU has such counters."""
        ask = getattr(self._nvml, "nvmlGpmQueryDeviceSupport", None)  # bindings of 2022 do not know of them
        return ask is not None and bool(ask(handle).isSupportedDevice)

    def load(self, handle: Any, uuid: str, gpu_instance: int) -> float | None:
        """Return the load since the last time, in per cent; None the first time."""
        reading = self._nvml.nvmlGpmSampleAlloc()
        try:
            self._nvml.nvmlGpmMigSampleGet(handle, gpu_instance, reading)
        except self._nvml.NVMLError:
            self._nvml.nvmlGpmSampleFree(reading)
            raise
        before, self._readings[uuid] = self._readings.get(uuid), reading
        if before is None:
            return None
        try:
            return self._between(before, reading)
        finally:
            self._nvml.nvmlGpmSampleFree(before)

    def forget(self) -> None:
        """Let go of all readings: the GPUs are opened anew."""
        for reading in self._readings.values():
            self._nvml.nvmlGpmSampleFree(reading)
        self._readings.clear()

    def _between(self, before: Any, after: Any) -> float | None:
        nvml = self._nvml
        asked = nvml.c_nvmlGpmMetricsGet_t(version=nvml.NVML_GPM_METRICS_GET_VERSION, numMetrics=1)
        asked.sample1, asked.sample2 = before, after
        asked.metrics[0].metricId = _ACTIVE
        told = nvml.nvmlGpmMetricsGet(asked).metrics[0]
        # a reading that another reset in between, or a counter that ran over, makes nonsense
        return float(told.value) if told.nvmlReturn == 0 and 0 <= told.value <= 100 else None
