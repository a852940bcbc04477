"""Progress of our own work (fingerprinting, storing, loading) once it takes long.

Bars by tqdm where the user has it (a widget in a notebook, text in a terminal), else one line of text.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from typing import Any

from lean_magic import clock
from lean_magic.words import duration, size

__all__ = ["progress"]


@contextlib.contextmanager
def progress(label: str, after: float = 0.5, unit: str = "B") -> Iterator[Callable[[int, int | None], None]]:
    """Give a function to call with (done, in all or None), in bytes or another `unit`.

    It shows a bar after `after` seconds.
    """
    bar = _Bar(label, after, unit)
    try:
        yield bar.update
    finally:
        bar.close()


class _Bar:
    def __init__(self, label: str, after: float, unit: str) -> None:
        self._label = label
        self._unit = unit
        self._show_at = clock.perf_counter() + after
        self._start = clock.perf_counter()
        self._last = 0.0
        self._bar: Any = None
        self._text = False

    def update(self, done: int, total: int | None = None) -> None:
        now = clock.perf_counter()
        if now < self._show_at or now - self._last < 0.1:
            return
        self._last = now
        is_shown = self._bar is not None or self._text
        if not is_shown and done in (0, total):  # what was waited for is over, or has been something else
            return
        if not is_shown:
            self._bar = _tqdm(self._label, total, self._unit)
            self._text = self._bar is None
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
        else:
            self._write(done, total, now - self._start)

    def _write(self, done: int, total: int | None, elapsed: float) -> None:
        left = (
            f" of {self._said(total)}, {duration(elapsed * (total - done) / done)} left"
            if total and done
            else ""
        )
        pace = f", {done / elapsed:,.0f}{self._unit}/s" if self._unit != "B" else ""
        sys.stderr.write(f"\r{self._label} {self._said(done)}{left}{pace}".ljust(79))
        sys.stderr.flush()

    def _said(self, count: int) -> str:
        return size(count) if self._unit == "B" else f"{count:,}{self._unit}"

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._text:
            sys.stderr.write("\r" + " " * 79 + "\r")
            sys.stderr.flush()


def _tqdm(label: str, total: int | None, unit: str) -> Any:
    if importlib.util.find_spec("tqdm") is None:
        return None
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm asks for ipywidgets where there are none
        from tqdm.auto import tqdm
    return tqdm(total=total, desc=label, unit=unit, unit_scale=unit == "B", leave=False)
