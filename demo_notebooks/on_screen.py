"""What the demo shows: a line that counts seconds, and a table of two runs side by side."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from run_twice import Done

RULE = "─" * 88


class Clock:
    """Seconds since it was made, and the word to print when they are over."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.word = ""

    def __call__(self) -> float:
        """Say how many seconds."""
        return time.perf_counter() - self.start


@contextlib.contextmanager
def progress(text: str) -> Generator[Clock]:
    """Show a line while something runs: counting in a terminal, written once in a log."""
    clock, over = Clock(), threading.Event()
    counting = threading.Thread(target=count, args=(text, clock, over), daemon=True)
    counting.start()
    try:
        yield clock
    finally:
        over.set()
        counting.join()
        print(f"{line(text, clock())}  {clock.word}".rstrip(), flush=True)


def count(text: str, clock: Clock, over: threading.Event) -> None:
    """Rewrite the line twice a second until it is over, where a line can be rewritten."""
    while sys.stdout.isatty() and not over.wait(0.5):
        print(line(text, clock()), end="\r", flush=True)


def line(text: str, seconds: float) -> str:
    """Put a text and its seconds in columns."""
    return f"{text:<56}{seconds:7.1f} s"


def table(first: list[Done], second: list[Done]) -> str:
    """Both runs side by side, a row a cell, with the sums."""
    rows = [row(a.label, a.seconds, a.word, b.seconds, b.word) for a, b in zip(first, second, strict=True)]
    cached = [sum(cell.seconds for cell in cells if cell.outcome) for cells in (first, second)]
    total = [sum(cell.seconds for cell in cells) for cells in (first, second)]
    head = f"{'cell':<42}{'first kernel':>14}{'':>8}{'second kernel':>17}"
    sums = [row("cached cells", cached[0], "", cached[1], ""), row("total", total[0], "", total[1], "")]
    return "\n".join([head, RULE, *rows, RULE, *sums])


def row(label: str, first: float, word: str, second: float, other: str) -> str:
    """One line of the table."""
    return f"{label:<42}{first:12.2f} s  {word:<8}{second:13.2f} s  {other}".rstrip()
