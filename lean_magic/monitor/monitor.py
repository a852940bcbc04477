"""The parts of the monitor put together for one server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lean_magic.monitor.choices import Choices
from lean_magic.monitor.culler import Culler, Outcome
from lean_magic.monitor.events import data_of
from lean_magic.monitor.kernels import Kernels
from lean_magic.monitor.probe_client import ProbeClient
from lean_magic.monitor.protocol import Countdown, Kernel, State
from lean_magic.monitor.rows import Rows
from lean_magic.monitor.sampler import Sampler
from lean_magic.monitor.savings import Sums
from lean_magic.monitor.settings import LeanMagicServer
from lean_magic.words import duration

__all__ = ["Monitor"]


class Monitor:
    """Everything that the routes need. `emit` takes the data of each warning."""

    def __init__(
        self,
        settings: LeanMagicServer,
        kernels: Kernels,
        session_manager: Any,
        *,
        root: str,
        choices: Path,
        ledger: Path,
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self.kernels = kernels
        self._rows = Rows(settings, Choices(choices), root)
        self.sampler = Sampler(settings, kernels, self._rows, Sums(ledger), ProbeClient(settings.interval))
        self.culler = Culler(self.sampler, kernels, session_manager)
        self.sampler.listener = self._hear
        self._emit = emit
        self._warned: dict[str, tuple[float | None, str]] = {}

    async def pin(self, kernel_id: str, pinned: bool) -> Outcome:
        """Never warn about a kernel's notebook again, or do so again. Raises KeyError."""
        row = await self._row(kernel_id)
        self._rows.choices.pin(self._rows.name_of(row), pinned)
        await self.sampler.again()
        return Outcome(f"{row.name} is {'pinned: it is left in peace' if pinned else 'no longer pinned'}.")

    async def snooze(self, kernel_id: str, seconds: float) -> Outcome:
        """Leave a kernel's notebook in peace for so many seconds. Raises KeyError."""
        row = await self._row(kernel_id)
        self._rows.choices.snooze(self._rows.name_of(row), seconds)
        await self.sampler.again()
        return Outcome(
            f"{row.name} is left in peace for {duration(seconds)}."
            if seconds
            else f"{row.name} is watched again."
        )

    async def _row(self, kernel_id: str) -> Kernel:
        self.sampler.wake()
        found = [row for row in (await self.sampler.again()).kernels if row.kernel_id == kernel_id]
        if not found:
            raise KeyError(kernel_id)
        return found[0]

    async def _hear(self, state: State) -> Sequence[Countdown]:
        """Announce each new verdict once, and let the culler act."""
        for row in state.kernels:
            step = (row.idle_since, row.verdict)
            if row.verdict != "keep" and self._warned.get(row.kernel_id) != step:
                self._emit(data_of(row))
            self._warned[row.kernel_id] = step
        return await self.culler.consider(state)
