"""The kernels of this server as plain records: their notebooks, processes and states."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.web import HTTPError
from traitlets import TraitError

from lean_magic import report_files
from lean_magic.monitor.activity import Activity

__all__ = ["KernelInfo", "Kernels"]


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """One kernel now; moments in seconds since the epoch, None where something is not known."""

    kernel_id: str
    path: str | None
    name: str
    execution_state: str
    busy: bool
    executions: int | None
    last_activity: float | None
    pid: int | None  # of a kernel on this machine
    culled_in: float | None
    report: Mapping[str, Any] | None  # what lean_magic in the kernel tells, if it is loaded there


class Kernels:
    """The kernels and sessions of a Jupyter server; `runtime` is the folder where kernels report."""

    def __init__(self, kernel_manager: Any, session_manager: Any, runtime: Path) -> None:
        self.manager = kernel_manager
        self.runtime = runtime
        self._sessions = session_manager
        self._activity = Activity(kernel_manager)
        self._known: dict[str, Mapping[str, Any]] = {}

    async def list(self) -> list[KernelInfo]:
        """Return all kernels that there are, and listen to them from now on."""
        sessions = await self.sessions()
        kernel_ids = [str(one) for one in self.manager.list_kernel_ids()]
        self._activity.watch(kernel_ids)
        return [self._info(kernel_id, sessions.get(kernel_id, {})) for kernel_id in kernel_ids]

    async def sessions(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the session of each kernel that has one, by the kernel's id."""
        try:
            told = await self._sessions.list_sessions()
        except (
            HTTPError,
            TraitError,
            KeyError,
        ):  # a kernel is just starting or ending; a moment later it is not
            return self._known
        # A console or a file may share a notebook's kernel; it is the notebook that people know it by.
        told = sorted(told, key=lambda one: one.get("type") == "notebook")
        self._known = {one["kernel"]["id"]: one for one in told if one.get("kernel")}
        return self._known

    def rest(self) -> None:
        """Listen to no kernel any more, until the next `list`."""
        self._activity.watch(())

    async def is_busy(self, kernel_id: str) -> bool:
        """Tell whether a kernel runs a cell at this moment, by anybody's account; one that was not heard is asked."""
        if kernel_id in self.manager:
            await self._activity.settle(kernel_id)
        if kernel_id not in self.manager:
            return False
        state = getattr(self.manager.get_kernel(kernel_id), "execution_state", None)
        return state == "busy" or self._runs(kernel_id, state)

    def _info(self, kernel_id: str, session: Mapping[str, Any]) -> KernelInfo:
        kernel = self.manager.get_kernel(kernel_id)
        watched = self._activity.of(kernel_id)
        state = getattr(kernel, "execution_state", None) or "unknown"
        pid = getattr(getattr(kernel, "provisioner", None), "pid", None)
        path = session.get("path") or None
        moment = _last_activity(kernel)
        return KernelInfo(
            kernel_id=kernel_id,
            path=path,
            name=(path or "").rpartition("/")[2] or session.get("name") or _display_name(kernel),
            execution_state=state,
            busy=self._runs(kernel_id, state),
            executions=watched.executions if watched else None,
            last_activity=moment,
            pid=pid,
            culled_in=self._culled_in(kernel_id, state, moment),
            report=self._report(kernel_id, pid),
        )

    def _runs(self, kernel_id: str, state: str | None) -> bool:
        watched = self._activity.of(kernel_id)
        runs = watched.runs() if watched else None
        if state == "dead":  # of a cell that died with its kernel no end is heard
            return False
        # Jupyter's word ends with the next message that anybody sends, so it counts only where nothing was heard.
        return state == "busy" if runs is None else runs

    def _report(self, kernel_id: str, pid: int | None) -> Mapping[str, Any] | None:
        report = report_files.read(report_files.report_path(self.runtime, kernel_id))
        if report is None or not _is_sound(report):
            return None
        # A file of the process before a restart says nothing; in a container the number is another anyway.
        same_place = report.get("namespace") in (None, _namespace())
        return report if report.get("pid") == pid or not same_place else None

    def _culled_in(self, kernel_id: str, state: str, moment: float | None) -> float | None:
        manager = self.manager
        timeout = getattr(manager, "cull_idle_timeout", 0)
        connected = getattr(manager, "_kernel_connections", {}).get(kernel_id, 0)
        spared = (state == "busy" and not manager.cull_busy) or (connected and not manager.cull_connected)
        if timeout <= 0 or moment is None or spared:
            return None
        return max(moment + timeout - time.time(), 0.0)


def _last_activity(kernel: Any) -> float | None:
    if hasattr(kernel, "trait_has_value") and not kernel.trait_has_value("last_activity"):
        return None
    moment = getattr(kernel, "last_activity", None)
    return None if moment is None else float(moment.timestamp())


def _display_name(kernel: Any) -> str:
    spec = getattr(kernel, "kernel_spec", None)
    return getattr(spec, "display_name", None) or getattr(kernel, "kernel_name", None) or "kernel"


def _is_sound(report: Mapping[str, Any]) -> bool:
    """Tell whether a report is as kernels write it; theirs may be another version of lean_magic."""
    gpus = report.get("gpus")
    return (
        report.get("version") == 1
        and isinstance(gpus, list)
        and all(isinstance(one, dict) and {"uuid", "reserved", "allocated"} <= one.keys() for one in gpus)
    )


def _namespace() -> int | None:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return None
