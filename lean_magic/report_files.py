"""The files by which a kernel and the GPU sidebar tell each other things, in Jupyter's runtime folder.

A kernel writes `lean-magic-ID.json`, what it holds; the sidebar writes `lean-magic-ID.request.json`, what it asks of
the kernel, and reads the answer in the next report. Messages of Jupyter would make an idle kernel look active.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["read", "report_path", "request_path", "write"]


def report_path(folder: Path, kernel_id: str) -> Path:
    """Return where a kernel tells about itself."""
    return folder / f"lean-magic-{kernel_id}.json"


def request_path(folder: Path, kernel_id: str) -> Path:
    """Return where the sidebar asks something of a kernel."""
    return folder / f"lean-magic-{kernel_id}.request.json"


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Put a file in place, for this user alone; a reader sees the old one or the new one. Raises OSError."""
    new = path.with_suffix(f".{os.getpid()}.new")
    number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(record, file, separators=(",", ":"))
    new.replace(path)


def read(path: Path) -> dict[str, Any] | None:
    """Return what a file says; None where there is none that can be read."""
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
