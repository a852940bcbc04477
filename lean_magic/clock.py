"""Python's clocks as they were when the extension was loaded: the user may put spies in their places later."""

from __future__ import annotations

from time import monotonic, perf_counter, sleep, time, time_ns

__all__ = ["monotonic", "perf_counter", "sleep", "time", "time_ns"]
