"""What this kernel holds on each GPU and how much of its notebook is cached, told in a file of its own.

A thread looks once a second and writes when something has changed. It reads counters that are there anyway: it never
starts CUDA, never imports a library, and never sends a message, for that would make an idle kernel look active.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lean_magic import clock, report_files, shutdown_hooks
from lean_magic.errors import StoreError
from lean_magic.ledger import Ledger
from lean_magic.settings import LeanMagic

__all__ = ["Cells", "Reporter", "gpu_memory", "start", "stop"]

_EVERY = 1.0  # seconds
_MARKER = "LEAN_MAGIC_KERNEL_ID"  # what this kernel's children inherit, by which the sidebar knows them
_LOOKED_AT = 20  # newest lines of the ledger in which a cell's outcome is looked for


def start(shell: Any) -> None:
    """Begin to report for the kernel of `shell`; outside of a kernel nothing happens. A second time changes nothing."""
    if getattr(shell, "_lean_magic_report", None) is None:
        connection = _connection_file(shell)
        if connection is not None:
            shell._lean_magic_report = Reporter(shell, connection.parent, _kernel_id(connection))  # noqa: SLF001
            shell._lean_magic_report.start()  # noqa: SLF001


def stop(shell: Any) -> None:
    """End the report, and take its file away."""
    reporter = getattr(shell, "_lean_magic_report", None)
    if reporter is not None:
        reporter.stop()
        shell._lean_magic_report = None  # noqa: SLF001


def _connection_file(shell: Any) -> Path | None:
    application = getattr(shell.kernel, "parent", None) if hasattr(shell, "kernel") else None
    name = getattr(application, "abs_connection_file", "")
    return Path(name) if name else None


def _kernel_id(connection: Path) -> str:
    return connection.stem.removeprefix("kernel-")


@dataclass(slots=True, repr=False, eq=False)
class _Cell:
    """The last run of one cell."""

    seconds: float  # of its last run
    cached: bool  # whether it would come back from the cache
    loading: float | None = None  # seconds, if it came back once


class Cells:
    """The cells that ran in this kernel, and what running them all again would take."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._cells: dict[str, _Cell] = {}
        self._began = clock.time()

    def begin(self, _info: Any) -> None:
        """Note that a cell starts."""
        self._began = clock.time()

    def end(self, result: Any) -> None:
        """Note how a cell ended; those that failed or were run silently do not count."""
        info = result.info
        if not result.success or info is None or not info.store_history or not info.raw_cell.strip():
            return
        cell = _Cell(clock.time() - self._began, cached=False)
        if info.raw_cell.lstrip().startswith(("%%cached", "%cached")):
            self._look_up(cell, info.cell_id or "")
        self._cells[info.cell_id or info.raw_cell] = cell

    def told(self) -> dict[str, Any] | None:
        """Return the numbers of cells, and seconds; None before the first."""
        cells = list(self._cells.values())
        if not cells:
            return None
        return {
            "hit_cells": sum(cell.cached for cell in cells),
            "cells": len(cells),
            "restart_seconds": round(sum(map(_again, cells)), 3),
        }

    def _look_up(self, cell: _Cell, cell_id: str) -> None:
        try:
            lines = list(self._ledger().read(last=_LOOKED_AT))
        except StoreError:  # a folder that cannot be used: the cell's own line has said so
            return
        for line in reversed(lines):
            if line.get("time", 0.0) < self._began:
                return
            if line.get("cell_id", "") == cell_id:
                cell.cached = line.get("outcome") in {"hit", "miss"}
                cell.loading = line.get("seconds") if line.get("outcome") == "hit" else None
                return


def _again(cell: _Cell) -> float:
    if not cell.cached:
        return cell.seconds
    # One that never came back yet is taken to load in a tenth of the time, and within a second.
    return cell.loading if cell.loading is not None else min(cell.seconds / 10, 1.0)


def gpu_memory() -> list[dict[str, Any]]:
    """Return the bytes that torch has reserved and allocated on each GPU; nothing before torch has started CUDA."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not hasattr(cuda, "is_initialized") or not cuda.is_initialized():
        return []
    found = []
    for index in range(cuda.device_count()):
        reserved = cuda.memory_reserved(index)
        if reserved:  # so there is a context, and asking for the name makes none
            uuid = _uuid(cuda.get_device_properties(index))
            found.append({"uuid": uuid, "reserved": reserved, "allocated": cuda.memory_allocated(index)})
    return [one for one in found if one["uuid"]]


def _uuid(properties: Any) -> str:
    text = str(getattr(properties, "uuid", ""))
    return text if not text or text.startswith(("GPU-", "MIG-")) else f"GPU-{text}"


def _give_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


_ACTIONS: dict[str, Callable[[], None]] = {"release": _give_back, "finish": shutdown_hooks.run}


class Reporter:
    """Writes the report of one kernel, and does what the sidebar asks of it."""

    def __init__(self, shell: Any, folder: Path, kernel_id: str) -> None:
        self._shell = shell
        self._report = report_files.report_path(folder, kernel_id)
        self._request = report_files.request_path(folder, kernel_id)
        self._kernel_id = kernel_id
        self._cells = Cells(lambda: Ledger(LeanMagic(parent=shell).ledger_file))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lean_magic report", daemon=True)
        self._written: dict[str, Any] | None = None
        self._answer: dict[str, Any] | None = None

    def start(self) -> None:
        """Begin to watch and to write."""
        os.environ[_MARKER] = self._kernel_id
        self._shell.events.register("pre_run_cell", self._cells.begin)
        self._shell.events.register("post_run_cell", self._cells.end)
        self._thread.start()
        atexit.register(self._leave)

    def stop(self) -> None:
        """End, and take the file away."""
        self._shell.events.unregister("pre_run_cell", self._cells.begin)
        self._shell.events.unregister("post_run_cell", self._cells.end)
        os.environ.pop(_MARKER, None)
        atexit.unregister(self._leave)
        self._leave()

    def beat(self) -> None:
        """Look once: take a request, and write the report if it says something new."""
        request = report_files.read(self._request)
        if request is not None:
            self._request.unlink(missing_ok=True)
            self._take(request)
        report = self._told()
        if report != self._written:
            report_files.write(self._report, report)
            self._written = report

    def _leave(self) -> None:
        self._stopped.set()
        self._thread.join(2 * _EVERY)  # so that it does not write once more
        with suppress(OSError):
            self._report.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._stopped.is_set():
            # A full disk, CUDA after an error: the next second may be better.
            with suppress(OSError, RuntimeError):
                self.beat()
            self._stopped.wait(_EVERY)

    def _told(self) -> dict[str, Any]:
        return {
            "version": 1,
            "kernel_id": self._kernel_id,
            "pid": os.getpid(),
            "namespace": _namespace(),
            "gpus": gpu_memory(),
            "cached": self._cells.told(),
            "hooks": shutdown_hooks.count(),
            "answer": self._answer,
        }

    def _take(self, request: dict[str, Any]) -> None:
        action = _ACTIONS.get(str(request.get("action")))
        loop = getattr(self._shell.kernel.io_loop, "asyncio_loop", None)
        if action is not None and loop is not None:
            # On the main thread, once it is free: what users register there expects to run there.
            loop.call_soon_threadsafe(self._do, action, str(request.get("id")))

    def _do(self, action: Callable[[], None], number: str) -> None:
        done = False
        try:
            action()
            done = True
        finally:
            self._answer = {"id": number, "done": done}


def _namespace() -> int | None:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return None
