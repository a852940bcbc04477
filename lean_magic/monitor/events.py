"""Warnings as Jupyter events, for whoever listens; they also stand in the state, for whoever comes later."""

from __future__ import annotations

from typing import Any

from lean_magic.monitor.protocol import Kernel

__all__ = ["SCHEMA", "SCHEMA_ID", "data_of"]

SCHEMA_ID = "urn:lean_magic:gpu_warning:v1"
_NUMBER = {"type": ["number", "null"]}

SCHEMA: dict[str, Any] = {
    "$id": SCHEMA_ID,
    "version": "1",
    "title": "Idle GPU holder",
    "description": "A kernel holds a GPU and has been idle for long; one event for each new verdict.",
    "personal-data": True,
    "type": "object",
    "required": ["kernel_id", "verdict", "reason"],
    "properties": {
        "kernel_id": {"type": "string", "title": "Kernel", "description": "The kernel's id."},
        "path": {
            "type": ["string", "null"],
            "title": "Notebook",
            "description": "Its path from the server's root.",
        },
        "name": {"type": "string", "title": "Name", "description": "The name on screen."},
        "verdict": {
            "enum": ["notice", "warn", "stop"],
            "title": "Verdict",
            "description": "The step reached.",
        },
        "reason": {"type": "string", "title": "Reason", "description": "One sentence."},
        "idle_since": {**_NUMBER, "title": "Idle since", "description": "Seconds since the epoch."},
        "idle_seconds": {**_NUMBER, "title": "Idle", "description": "Seconds."},
        "idle_cost": {**_NUMBER, "title": "Cost", "description": "US dollars while idle; an estimate."},
    },
}


def data_of(kernel: Kernel) -> dict[str, Any]:
    """Return the event for a kernel."""
    return {name: getattr(kernel, name) for name in SCHEMA["properties"]}
