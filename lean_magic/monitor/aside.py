"""What reads files is done aside: a process that hangs in the driver, or a disk far away, may hold it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["Aside"]

_PATIENCE = 2.0  # seconds

_Result = TypeVar("_Result")


class Aside(Generic[_Result]):
    """Calls `function` on a thread, one call at a time; while that takes long, the last result stands, or `first`."""

    def __init__(self, function: Callable[..., _Result], first: _Result, patience: float = _PATIENCE) -> None:
        self._function = function
        self._last = first
        self._patience = patience
        self._call: asyncio.Task[_Result] | None = None
        self._is_late = False

    async def ask(self, *args: Any) -> tuple[_Result, bool]:
        """Return the result of a call with `args`, and whether it is fresh. Raises what the call raised."""
        if self._call is None:
            self._call = asyncio.create_task(asyncio.to_thread(self._function, *args))
        # One that was late once is not waited for again: whoever asks has waited already.
        done, _ = await asyncio.wait([self._call], timeout=0.0 if self._is_late else self._patience)
        self._is_late = not done
        if done:
            call, self._call = self._call, None
            self._last = call.result()
        return self._last, bool(done)
