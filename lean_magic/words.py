"""Durations, sizes, ages and names of kinds as people say them; pure."""

from __future__ import annotations

__all__ = ["age", "duration", "gib", "size", "with_article"]

_GIB, _MIB = 1 << 30, 1 << 20


def duration(seconds: float) -> str:
    """Say a duration: "0.8 ms", "3.2 s", "4 min 12 s", "2 h 5 min", "3 d 4 h"."""
    if seconds < 0.9995:
        return f"{max(seconds, 0) * 1000:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for large, small, names in ((86400, 3600, ("d", "h")), (3600, 60, ("h", "min")), (60, 1, ("min", "s"))):
        if whole >= large:
            rest = whole % large // small
            return f"{whole // large} {names[0]}" + (f" {rest} {names[1]}" if rest else "")
    return f"{whole} s"


def size(count: float) -> str:
    """Say a number of bytes: "312 B", "38 MB", "1.2 GB" (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 9.95 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def gib(count: float) -> str:
    """Say an amount of memory in powers of 1024, as drivers and allocators count it: "38.0 GiB", "512 MiB"."""
    # 1023.6 MiB would round to 1024 MiB
    return f"{count / _MIB:.0f} MiB" if count < _GIB - _MIB / 2 else f"{count / _GIB:.1f} GiB"


def with_article(word: str) -> str:
    """Put the article before a word: "a list", "an int"."""
    return f"{'an' if word[:1] in 'AEIOaeio' else 'a'} {word}"


def age(seconds: float) -> str:
    """Say how long ago something was made: "just now", "5 min ago", "2 d ago"."""
    if seconds < 10:
        return "just now"
    for length, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length:.0f} {name} ago"
    return f"{seconds:.0f} s ago"
