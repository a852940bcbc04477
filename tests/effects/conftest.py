"""What the tests of effects share."""

import sys
from pathlib import Path

import pytest

# The test folders are no packages, so what several tests share is imported by its own name.
for name in ("oracle", "recorder_contract"):
    pytest.register_assert_rewrite(name)
sys.path += [str(Path(__file__).parents[1] / "contracts"), str(Path(__file__).parent)]


@pytest.fixture
def both(shells, tmp_path, monkeypatch):
    """Yield a function that runs one notebook plainly and with its cell cached, and gives both tellings."""
    from oracle import Oracle

    oracle = Oracle(shells, tmp_path, monkeypatch)
    yield oracle.both
    oracle.close()
