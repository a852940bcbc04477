"""The processes of this machine, read from /proc: whose child each is, what it costs the processor, what it has open.

Where there is no /proc nothing is known, and a kernel is its one process.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MARKER", "Proc", "Process", "Processes"]

MARKER = "LEAN_MAGIC_KERNEL_ID"  # a variable that a kernel's children inherit, however far they go
_FIRST_NAMESPACE = "pid:[4026531836]"  # the kernel's number for the namespace of the machine itself
_DEVICE = re.compile(r"/dev/(nvidia\d+|nvidia-uvm|nvidiactl|dxg)$")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its numbers, and the seconds of processor time of it and of its children that ended."""

    pid: int
    parent: int
    session: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Processes:
    """All processes at one moment."""

    by_pid: dict[int, Process] = field(default_factory=dict)

    def of(self, root: int) -> frozenset[int]:
        """Return a process, all its descendants, and those that stayed in its session when their parent ended."""
        children: dict[int, list[int]] = {}
        for one in self.by_pid.values():
            children.setdefault(one.parent, []).append(one.pid)
        found: set[int] = set()
        waiting = [root, *(one.pid for one in self.by_pid.values() if one.session == root)]
        while waiting:
            pid = waiting.pop()
            if pid not in found:
                found.add(pid)
                waiting += children.get(pid, ())
        return frozenset(found)

    def lineage(self, pid: int) -> Iterator[int]:
        """Yield a process, its parent, and so on up."""
        seen = set[int]()
        while pid > 0 and pid not in seen:
            seen.add(pid)
            yield pid
            process = self.by_pid.get(pid)
            pid = process.parent if process else 0

    def cpu_seconds(self, pids: frozenset[int]) -> float | None:
        """Return the processor time of these processes together; None if none of them is there."""
        known = [self.by_pid[pid].cpu_seconds for pid in pids if pid in self.by_pid]
        return sum(known) if known else None


class Proc:
    """The folder /proc, or one like it."""

    def __init__(self, folder: Path = Path("/proc")) -> None:
        self._folder = folder

    def all(self) -> Processes:
        """Read all processes, in one pass."""
        try:
            pids = [int(name) for name in os.listdir(self._folder) if name.isdigit()]  # noqa: PTH208 - twice as fast
        except OSError:
            return Processes()
        return self.some(pids)

    def some(self, pids: Iterable[int]) -> Processes:
        """Read these processes, as far as they are still there."""
        found = (self._one(pid) for pid in pids)
        return Processes({one.pid: one for one in found if one})

    def is_first_namespace(self) -> bool:
        """Tell whether numbers of processes here are the machine's own."""
        try:
            return str((self._folder / "self" / "ns" / "pid").readlink()) == _FIRST_NAMESPACE
        except OSError:
            return False

    def has_gpu_open(self, pid: int) -> bool:
        """Tell whether a process has a device of a GPU open: the proof that a number is that of a process here."""
        folder = self._folder / str(pid) / "fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208 - twice as fast
        except OSError:
            return False
        return any(_DEVICE.search(_target(folder / name)) for name in names)

    def namespace(self, pid: int) -> tuple[int, int] | None:
        """Return the namespace that a process lives in, and its number in there."""
        try:
            inode = (self._folder / str(pid) / "ns" / "pid").stat().st_ino
            status = (self._folder / str(pid) / "status").read_text()
        except OSError:
            return None
        numbers = re.search(r"^NSpid:\s(.*)$", status, re.MULTILINE)
        return (inode, int(numbers[1].split()[-1])) if numbers else None

    def marker(self, pid: int) -> str | None:
        """Return the kernel that a process says in its environment to come from."""
        try:
            block = (self._folder / str(pid) / "environ").read_bytes()
        except OSError:
            return None
        found = re.search(rb"(?:^|\0)" + MARKER.encode() + rb"=([^\0]+)", block)
        return found[1].decode("utf-8", "replace") if found else None

    def _one(self, pid: int) -> Process | None:
        try:
            # A path's own methods take five times as long, and this is read for every process there is.
            number = os.open(f"{self._folder}/{pid}/stat", os.O_RDONLY)
        except OSError:
            return None  # it has just ended
        try:
            text = os.read(number, 4096)
        except OSError:
            return None
        finally:
            os.close(number)
        # The name, in brackets, may hold anything; what comes after its end is numbers.
        fields = text.rpartition(b")")[2].split()
        if len(fields) < 15:
            return None
        return Process(pid, int(fields[1]), int(fields[3]), sum(map(int, fields[11:15])) / _TICKS)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # it has just been closed
