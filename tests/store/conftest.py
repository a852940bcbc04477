"""What the tests of the store share."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

# The test folders are no packages, so what several tests share is imported by its own name.
pytest.register_assert_rewrite("store_contract")
sys.path += [str(Path(__file__).parents[1] / "contracts"), str(Path(__file__).parent)]


@pytest.fixture
def plain_folder():
    """Yield an empty folder of a user whom permission bits stop: root becomes somebody else meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            folder.chmod(0o700)
            return
        os.chown(folder, 65_534, 65_534)
        os.seteuid(65_534)
        try:
            if not os.access(folder, os.W_OK, effective_ids=True):
                pytest.skip("the folder for temporary files is closed to other users")
            yield folder
            folder.chmod(0o700)
        finally:
            os.seteuid(0)
