"""Settings of the kernel side, as traits: `c.LeanMagic.cache_dir = …`; `LEAN_MAGIC_…` variables win.

Every trait names its unit and its default.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traitlets import Bool, Float, List, TraitError, Unicode, default, validate
from traitlets.config import Configurable

from lean_magic.errors import UsageError

__all__ = ["LeanMagic", "parse_duration", "parse_size"]

_MAX_SIZE = "LEAN_MAGIC_MAX_SIZE"
_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_TIMES = {"s": 1, "": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


class LeanMagic(Configurable):
    """What a kernel may be told about its cache."""

    cache_dir = Unicode(help="Folder of the cache. Default: one a user, where the system keeps caches.").tag(
        config=True
    )
    max_size = Unicode(
        help='Budget of the folder, as "20G" or "500M". Default: 10 % of its disk, at most 50 GB.'
    ).tag(config=True)
    off = Bool(False, help="Run every cell as if there were no cache.").tag(config=True)
    quiet = Bool(False, help="Show no status lines.").tag(config=True)
    pinned = List(Unicode(), help="Labels whose entries are never evicted.").tag(config=True)
    progress_after = Float(0.5, help="Seconds after which work of ours shows a progress bar.").tag(
        config=True
    )
    price_per_hour = Float(0.0, help="Dollars an hour that savings are priced with; 0 shows time only.").tag(
        config=True
    )

    @default("cache_dir")
    def _cache_dir(self) -> str:
        import platformdirs

        return str(platformdirs.user_cache_path("lean_magic", appauthor=False))

    @validate("max_size")
    def _readable(self, proposal: Mapping[str, str]) -> str:
        try:
            _size_in("max_size", proposal["value"] or "0")
        except UsageError as error:
            raise TraitError(str(error)) from None
        return proposal["value"]

    @property
    def folder(self) -> Path:
        """The cache folder in force."""
        return Path(os.environ.get("LEAN_MAGIC_CACHE_DIR") or self.cache_dir).expanduser()

    @property
    def ledger_file(self) -> Path:
        """The ledger of the folder in force."""
        return self.folder / "ledger.jsonl"

    @property
    def is_off(self) -> bool:
        """Whether caching is switched off, here or by LEAN_MAGIC_OFF."""
        return self.off or os.environ.get("LEAN_MAGIC_OFF", "").lower() not in {"", "0", "false", "no"}

    @property
    def budget(self) -> int:
        """Bytes the folder may hold. Raises UsageError for a size that cannot be read."""
        if text := os.environ.get(_MAX_SIZE):
            return _size_in(_MAX_SIZE, text)
        if self.max_size:
            return parse_size(self.max_size)
        try:
            total = shutil.disk_usage(_existing(self.folder)).total
        except OSError:
            return 50 * 10**9
        return min(total // 10, 50 * 10**9)

    def as_rows(self) -> Mapping[str, Any]:
        """List the settings in force, for `%lean config`."""
        return {
            "cache_dir": self.folder,
            "max_size": self._budget_said(),
            "off": self.is_off,
            "quiet": self.quiet,
            "progress_after": f"{self.progress_after} s",
            "price_per_hour": f"${self.price_per_hour}" if self.price_per_hour else "not set",
        }

    def _budget_said(self) -> str:
        try:
            return f"{self.budget / 10**9:.1f} GB"
        except UsageError as error:
            return str(error)


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _size_in(place: str, text: str) -> int:
    try:
        return parse_size(text)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None


def parse_size(text: str) -> int:
    """Read a size such as "20G", "500 MB" or "1048576", in bytes. Raises UsageError."""
    plain = text.strip().upper().removesuffix("IB").removesuffix("B").strip()
    return int(_number(text, plain, _UNITS, "a size: 20G, 500M or a number of bytes"))


def parse_duration(text: str) -> float:
    """Read a duration such as "12h", "30 min" or "7d", in seconds. Raises UsageError."""
    return _number(text, text.strip().lower(), _TIMES, "a duration: 90s, 30m, 12h, 7d or 2w")


def _number(text: str, plain: str, units: Mapping[str, int], wanted: str) -> float:
    digits = plain.rstrip("".join(units).upper() + "".join(units)).strip()
    unit = plain[len(digits) :].strip()
    try:
        return float(digits) * units[unit]
    except (ValueError, KeyError):
        raise UsageError(f"{text!r} is not {wanted}") from None
