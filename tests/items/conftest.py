"""What the tests of items share: a function that tells how many items it was given, unseen by its key."""

import os

import pytest


@pytest.fixture(autouse=True)
def own_cache(cache_dir):
    """Let every test have a cache folder of its own."""
    return cache_dir


class Counter:
    """Counts items by the length of a file, since a variable that changes would be part of the key."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    @property
    def count(self):
        """Give the items so far."""
        return os.fstat(self.descriptor).st_size

    def since(self, before):
        """Give the items since the count was `before`."""
        return self.count - before


@pytest.fixture
def counter(tmp_path):
    """Yield a Counter; functions add to it with `os.write(counter.descriptor, …)`."""
    counter = Counter(tmp_path / "count")
    yield counter
    os.close(counter.descriptor)
