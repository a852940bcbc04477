"""The fake driver: builds the library, and writes the file that it answers from."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("fake_nvml.c")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
MIB = 1 << 20
GIB = 1 << 30

ERRORS = {
    "invalid_argument": 2, "not_supported": 3, "no_permission": 4, "not_found": 6, "driver_not_loaded": 9,
    "function_not_found": 13, "gpu_is_lost": 15, "reset_required": 16, "mismatch": 18, "unknown": 999,
}  # fmt: skip


def build(folder):
    """Compile the library into a folder and return its path."""
    library = Path(folder) / "libnvidia-ml.so.1"
    command = [COMPILER, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]
    subprocess.run(
        [*command, "-Wl,-soname,libnvidia-ml.so.1", "-o", library, SOURCE], check=True, timeout=120
    )
    return library


def line(kind, **values):
    """Return one line of the state file."""
    return " ".join([kind, *(f"{key}={str(value).replace(' ', '_')}" for key, value in values.items())])


@dataclass
class Driver:
    """The state of a fake driver; `write` makes it so."""

    file: Path
    library: Path
    version: str = "580.95.05"
    regime: str = "all"
    offset: int = 0
    log: bool = False
    gpus: list = field(default_factory=list)
    slices: list = field(default_factory=list)
    processes: list = field(default_factory=list)
    rules: list = field(default_factory=list)

    @property
    def environ(self):
        """What a process needs in its environment to find this driver."""
        return {"LD_LIBRARY_PATH": str(self.library.parent), "FAKE_NVML": str(self.file)}

    def gpu(self, **values):
        """Add a GPU and return its UUID."""
        index = len(self.gpus)
        usual = {
            "uuid": f"GPU-5a1c0e6e-0000-4000-8000-{index:012d}", "name": "NVIDIA H100 80GB HBM3", "total": 80 * GIB,
            "used": 500 * MIB, "reserved": 600 * MIB, "util": 0, "power": 72_500, "limit": 700_000, "temp": 35,
            "energy": 1_000_000,
        }  # fmt: skip
        self.gpus.append(usual | values)
        return self.gpus[-1]["uuid"]

    def slice(self, **values):
        """Add a MIG instance and return its UUID."""
        index = len(self.slices)
        usual = {
            "gpu": 0, "uuid": f"MIG-7d0a2f10-0000-4000-8000-{index:012d}", "gi": index + 1, "ci": 0, "total": 10 * GIB,
            "used": 20 * MIB, "shares": 1, "name": "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        }  # fmt: skip
        self.slices.append(usual | values)
        return self.slices[-1]["uuid"]

    def process(self, pid, mem, **values):
        """Let a process hold memory while it lives."""
        self.processes.append({"gpu": 0, "pid": pid, "mem": mem} | values)

    def fail(self, name, error, gpu=-1):
        """Let a function fail; `*` is all that concern a GPU."""
        self.rules.append(line("error", name=name, gpu=gpu, code=ERRORS[error]))

    def delay(self, name, seconds, gpu=-1):
        """Let a function take so long."""
        self.rules.append(line("delay", name=name, gpu=gpu, seconds=seconds))

    def write(self):
        """Let the library answer so from now on."""
        lines = [
            f"driver {self.version}",
            f"regime {self.regime}",
            f"offset {self.offset}",
            f"log {int(self.log)}",
        ]
        lines += [line("gpu", **gpu) for gpu in self.gpus]
        lines += [line("slice", **one) for one in self.slices]
        lines += [line("proc", **one) for one in self.processes]
        new = self.file.with_suffix(".new")
        new.write_text("\n".join([*lines, *self.rules, ""]))
        os.replace(new, self.file)

    def calls(self):
        """Return the names of the calls so far, in order."""
        file = Path(f"{self.file}.calls")
        return file.read_text().split() if file.exists() else []
