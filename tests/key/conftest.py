"""What the tests of keys share."""

import sys
from pathlib import Path

import pytest

# The test folders are no packages, so what several tests share is imported by its own name.
pytest.register_assert_rewrite("cells")
sys.path.append(str(Path(__file__).parent))
