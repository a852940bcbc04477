"""What the tests of values share."""

import sys
from pathlib import Path

import pytest

# The test folders are no packages, so what several tests share is imported by its own name.
for name in ("adapter_contract", "notebook_code", "round_trips"):
    pytest.register_assert_rewrite(name)
sys.path += [str(Path(__file__).parents[1] / "contracts"), str(Path(__file__).parent)]
