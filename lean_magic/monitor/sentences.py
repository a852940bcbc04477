"""What the panel says about the driver and about a GPU: one sentence for each cause, and what to do about it."""

from __future__ import annotations

from typing import cast

from lean_magic.monitor.probe_client import Report
from lean_magic.monitor.protocol import Status, StatusState

__all__ = ["gpu_message", "status_of"]

_STATUS: dict[str, str] = {
    "starting": "Asking the driver …",
    "no_gpu": "The driver answers, but this machine has no NVIDIA GPU. Cached cells work without one.",
    "driver_missing": "No NVIDIA driver on this machine. Cached cells work without one; a driver that comes is found.",
    "driver_not_loaded": "The NVIDIA driver is installed but not loaded. Load it, or restart the machine.",
    "driver_mismatch": (
        "The driver was upgraded while the old one is still loaded. Restart the machine, or reload the driver."
    ),
    "no_permission": "This user may not ask the NVIDIA driver. Ask for access to the devices /dev/nvidia*.",
    "driver_hanging": (
        "The driver does not answer; figures are from before. Kernels are not affected by this panel. "
        "If nvidia-smi hangs too, the machine needs a restart."
    ),
    "bindings_missing": "The package nvidia-ml-py is missing where the server runs: pip install nvidia-ml-py.",
    "probe_failed": "The driver could not be asked. It is tried again by and by.",
}
_GPU = {
    "asleep": "This GPU is powered down, and is not woken to be asked.",
    "lost": "This GPU has fallen off the bus; the machine needs a restart.",
    "reset_required": "This GPU needs a reset before it works again.",
    "failed": "The driver reports an unknown error for this GPU. It is tried again every minute.",
}


def status_of(report: Report) -> Status:
    """Return how the driver is, in a sentence."""
    state = report.status if report.status in {*_STATUS, "ok"} else "probe_failed"
    message = _STATUS.get(state) or _fine(report)
    if state == "probe_failed" and report.detail:
        message = f"The driver could not be asked: {report.detail}. It is tried again by and by."
    if state == "driver_mismatch" and report.detail:
        message = f"The driver was upgraded: {report.detail}. Restart the machine, or reload the driver."
    return Status(cast("StatusState", state), message, report.since)


def gpu_message(state: str) -> str | None:
    """Return what is wrong with a GPU; None where nothing is."""
    return _GPU.get(state)


def _fine(report: Report) -> str:
    line = report.line or {}
    count = len(line.get("gpus", ()))
    driver = f", driver {line['driver']}" if line.get("driver") else ""
    return f"{count} GPU{'' if count == 1 else 's'}{driver}"
