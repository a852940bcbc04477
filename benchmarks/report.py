"""Rows of figures → tables for the screen, for a file, and as JSON; and the name of the machine."""

import importlib.metadata
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

HEADS = ("", "lean_magic", "joblib", "joblib ÷ lean_magic")
LIBRARIES = ("lean-magic", "joblib", "ipython", "numpy", "pandas", "torch", "xxhash")


@dataclass
class Row:
    """One line: seconds or bytes on both sides, None where there is nothing to compare."""

    name: str
    ours: float | None
    peer: float | None = None
    unit: str = "s"

    @property
    def cells(self):
        return self.name, self._said(self.ours), self._said(self.peer), self._ratio()

    def _said(self, value):
        if value is None:
            return "—"
        return size(max(value, 0)) if self.unit == "bytes" else duration(value)

    def _ratio(self):
        # Where one side is next to nothing, a ratio would only measure noise.
        least = 1e6 if self.unit == "bytes" else 1e-6
        if self.ours is None or self.peer is None or min(self.ours, self.peer) < least:
            return ""
        ratio = self.peer / self.ours
        digits = 0 if ratio >= 9.95 else 1 if ratio >= 0.995 else 2
        return f"{ratio:,.{digits}f} ×"


def size(value):
    """Spell bytes."""
    return f"{value / 1e6:,.1f} MB" if value >= 1e6 else f"{value / 1e3:,.0f} kB"


def duration(value):
    """Spell seconds."""
    if abs(value) < 0.9995e-3:
        return f"{value * 1e6:,.0f} µs"
    return f"{value * 1e3:,.{0 if value >= 0.0995 else 1}f} ms"


GOAL_HEADS = ("", "measured", "goal", "")


@dataclass
class Goal:
    """One line of the table of goals; `met` is None where nothing could be measured."""

    name: str
    measured: str
    goal: str
    met: bool | None

    @property
    def cells(self):
        return self.name, self.measured, self.goal, {True: "met", False: "not met", None: ""}[self.met]


@dataclass
class Line:
    """One line of any table."""

    cells: tuple


@dataclass
class Section:
    """Rows under a title, with a sentence on how they were measured."""

    title: str
    how: str
    rows: list
    heads: tuple = HEADS


def plain(sections):
    """A table for the screen, section by section."""
    text = []
    for section in sections:
        lines = [section.heads, *(row.cells for row in section.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(section.heads))]
        text += ["", section.title, *(_aligned(line, widths) for line in lines)]
    return "\n".join(text[1:])


def _aligned(cells, widths):
    name, *numbers = cells
    padded = (f"{number:>{width}}" for number, width in zip(numbers, widths[1:], strict=True))
    return "  ".join([f"  {name:{widths[0]}}", *padded]).rstrip()


def markdown(sections, about):
    """The same for RESULTS.md, with how each section was measured."""
    text = ["# Benchmarks", "", "Written by `make bench ARGS=--write`. " + about, ""]
    for section in sections:
        text += [f"## {section.title}", "", section.how, ""]
        text += ["| " + " | ".join(section.heads) + " |", "|---" + "|--:" * (len(section.heads) - 1) + "|"]
        text += ["| " + " | ".join(row.cells) + " |" for row in section.rows]
        text += [""]
    return "\n".join(text)


def as_json(sections, about):
    return {"machine": about, "sections": [asdict(section) for section in sections]}


def machine():
    """Name the machine and the versions in one sentence."""
    versions = ", ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name)))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} × {_processor()}, {platform.system()}; {python}, {versions}"


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] != "unknown" else platform.machine()
