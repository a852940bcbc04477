"""Which version of the driver is loaded and which is installed, where the driver itself cannot tell as they differ."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["installed", "loaded"]

_PROC = Path("/proc")
_VERSION = re.compile(r"\b(\d{3,4}\.\d+(?:\.\d+)?)\b")


def loaded(proc: Path = _PROC) -> str | None:
    """Return the version of the kernel's module; None if it does not tell."""
    return _first(proc / "driver" / "nvidia" / "version")


def installed(proc: Path = _PROC) -> str | None:
    """Return the version of the library that this process has opened: it is in the file's name."""
    try:
        lines = (proc / "self" / "maps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    files = [line.partition("/")[2] for line in lines if "libnvidia-ml.so." in line]
    found = re.search(r"libnvidia-ml\.so\.(\d{3,4}\.\d+(?:\.\d+)?)", files[0]) if files else None
    return found[1] if found else None


def _first(file: Path) -> str | None:
    try:
        found = _VERSION.search(file.read_text("utf-8", "replace"))
    except OSError:
        return None
    return found[1] if found else None
