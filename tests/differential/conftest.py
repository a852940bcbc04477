"""What the differential tests share: the workers, one set a test process."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def shelf():
    """Yield a folder in memory, where there is one."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="differential", dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def oracle(shelf):
    """Yield the oracle of generated notebooks."""
    from comparing import Oracle
    from phrases import START
    from workers import Workers

    workers = Workers(shelf, START)
    yield Oracle(workers, shelf)
    workers.close()
