"""Writers of items that are killed: no wrong row, and no more lost than the batch in the making."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def found(*words, cache):
    """Run the program of kills and return what it found."""
    command = [sys.executable, str(HERE / "items.py"), words[0], str(cache), *words[1:]]
    environ = {**os.environ, "LEAN_MAGIC_CACHE_DIR": str(cache)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_at_every_write(tmp_path):
    """Wherever a writer is killed, the next gives right rows, and finds all batches but the last."""
    told = found("points", cache=tmp_path / "cache")
    assert (told["wrong"], told["lost"]) == ([], 0)
    assert told["got through"]
    assert told["killed"] >= 20


def test_four_writers_killed_at_random(tmp_path):
    """In thirty rounds of four writers on the same items, no row is wrong and no finished batch is lost."""
    told = found("random", "30", cache=tmp_path / "cache")
    assert (told["wrong"], told["lost"]) == (0, 0)
    assert told["killed"] > 60
