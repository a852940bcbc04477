"""Calls as users write them; read by mypy --strict, never run."""

from __future__ import annotations

from typing import assert_type

import lean_magic
from lean_magic import Bypass, Hit, Miss, last_outcome


def version() -> str:
    """Return the version as text."""
    return lean_magic.__version__


def seconds_saved() -> float:
    """Return what the last cell saved."""
    outcome = lean_magic.last_outcome()
    return outcome.saved if isinstance(outcome, lean_magic.Hit) else 0.0


def told() -> str:
    """Return a sentence for each kind of outcome; there is no fourth."""
    outcome = last_outcome()
    if outcome is None:
        return "no cached cell yet"
    assert_type(outcome, Hit | Miss | Bypass)
    assert_type(outcome.line, str)
    assert_type(outcome.seconds, float)
    assert_type(outcome.label, str)
    if isinstance(outcome, Hit):
        assert_type(outcome.made, float)
        assert_type(outcome.notes, tuple[str, ...])
        return f"{outcome.saved:.1f} s saved, {outcome.size} bytes, entry {outcome.entry}"
    if isinstance(outcome, Miss):
        assert_type(outcome.size, int)
        return ", ".join(outcome.reasons)
    assert_type(outcome, Bypass)
    return outcome.reason


def in_a_shell(shell: object) -> None:
    """Load and unload by hand."""
    lean_magic.load_ipython_extension(shell)
    lean_magic.unload_ipython_extension(shell)


def lengths(texts: list[str]) -> list[int]:
    """Measure."""
    return [len(text) for text in texts]


@lean_magic.cached_map(batch_size=64)
def halves(texts: list[str]) -> list[float]:
    """Measure by halves."""
    return [len(text) / 2 for text in texts]


def mapped() -> str:
    """Map item by item, and ask what is known."""
    measure = lean_magic.cached_map(lengths, on_error="keep")
    assert_type(measure.plan(["a"]).seconds, float | None)
    assert_type(halves.stats().items, int)
    assert_type(measure.forget(), int)
    return f"{measure(['a', 'b'])} {halves(['a'])}"
