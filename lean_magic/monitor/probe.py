"""The probe: a process of its own that asks the driver, so that a driver that hangs holds up nothing else.

    python -P -m lean_magic.monitor.probe SECONDS

One line of JSON on standard output every SECONDS: {"time", "status", "detail", "driver", "gpus"}. Each is a heartbeat
too: where none comes, the driver has not answered. It ends when nobody reads any more. Where the driver does not start
it says so for a minute and ends with status 0, to be started again with a fresh view of the machine.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from lean_magic.monitor import versions
from lean_magic.monitor.devices import Devices, Stale, status_of

__all__ = ["main"]

_RETRY = 60.0  # seconds after which a driver that did not start is tried again


def main(arguments: list[str]) -> int:
    """Write samples until nobody reads them; returns the exit status."""
    interval = float(arguments[0]) if arguments else 2.0
    _write({"status": "starting"})
    try:
        import pynvml
    except ImportError as error:
        return _failed("bindings_missing", str(error), interval)
    if not hasattr(pynvml, "_nvmlGetFunctionPointer"):
        return _failed("bindings_missing", "`pynvml` is not the module of nvidia-ml-py", interval)
    devices = Devices(pynvml)
    try:
        devices.open()
        _watch(devices, interval)
    except pynvml.NVMLError as error:
        status = status_of(error)
        return _failed(status, _versions() if status == "driver_mismatch" else str(error), interval)
    return 0


def _watch(devices: Devices, interval: float) -> None:
    due = time.monotonic()
    while True:
        try:
            gpus = devices.sample()
        except Stale:
            devices.close()
            devices.open()
            continue
        status = "ok" if gpus else "no_gpu"
        _write({"status": status, "driver": devices.driver, "gpus": gpus})
        due = max(due + interval, time.monotonic())  # what was missed is not made up for
        time.sleep(due - time.monotonic() if due > time.monotonic() else 0.0)


def _versions() -> str:
    known = (versions.loaded(), versions.installed())
    return f"{known[0]} is loaded, {known[1]} is installed" if None not in known else ""


def _failed(status: str, detail: str, interval: float) -> int:
    until = time.monotonic() + _RETRY
    while time.monotonic() < until:
        _write({"status": status, "detail": detail})
        time.sleep(interval)
    return 0


def _write(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"time": time.time(), **record}, separators=(",", ":")) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # without a last flush, which would complain about the same pipe
