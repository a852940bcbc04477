"""Settings of libraries that are not loaded."""

import subprocess
import sys

SOURCE = """
from lean_magic.effects import Record, Run
from lean_magic.effects.process import Process
from lean_magic.values import Walk
import sys
run = Run(shell=None, namespace={}, walk=Walk())
process = Process()
process.begin(run)
record = process.end(run)
assert not {"numpy", "torch", "matplotlib", "pandas"} & set(sys.modules)
print(record.effects)
"""


def test_a_library_that_is_not_loaded_has_no_settings():
    """Nothing is said about the settings of libraries that neither the cell nor anybody before has loaded."""
    done = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{}"
