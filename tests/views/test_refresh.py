"""What is live ends by itself, and holds nobody up."""

import threading
import time

import pytest

from lean_magic.views.refresh import Refresh


class Looks:
    """Counts the looks, and says whether somebody sees."""

    def __init__(self):
        self.count, self.seen, self.ended = 0, True, threading.Event()

    def look(self):
        """Look once; the first fails."""
        self.count += 1
        if self.count == 1:
            raise RuntimeError("CUDA error")

    def refresh(self, **options):
        """Return what calls this one."""
        limits = {"every": 0.01, "unseen": 60.0, "longest": 60.0}
        return Refresh(self.look, lambda: self.seen, self.ended.set, **limits | options)

    def wait_for(self, count):
        """Wait until there were so many looks."""
        end = time.monotonic() + 20
        while self.count < count and time.monotonic() < end:
            time.sleep(0.005)
        assert self.count >= count


@pytest.fixture
def looks():
    """Yield the counter."""
    return Looks()


def test_it_looks_until_it_is_stopped(looks):
    """It goes on after a look that failed, until it is stopped; then no thread is left, and it can begin again."""
    refresh = looks.refresh()
    for _ in range(2):
        refresh.start()
        refresh.start()
        looks.wait_for(looks.count + 3)
        assert refresh.is_live
        refresh.stop()
        assert not refresh.is_live
        assert "lean_magic view" not in {thread.name for thread in threading.enumerate()}
    assert not looks.ended.is_set()


def test_it_ends_when_nobody_sees(looks):
    """It ends, and says so, once nobody has seen it for a while."""
    refresh = looks.refresh(unseen=0.1)
    refresh.start()
    looks.wait_for(3)
    looks.seen = False
    assert looks.ended.wait(20)
    assert not refresh.is_live


def test_it_ends_although_somebody_sees(looks):
    """It ends after its time even if a front end still shows it."""
    looks.refresh(longest=0.1).start()
    assert looks.ended.wait(20)


def test_its_thread_is_harmless(looks):
    """Its thread ends with Python, and belongs to an installed package, so a recorded cell may leave it running."""
    from lean_magic.effects.live import _harmless

    refresh = looks.refresh()
    refresh.start()
    assert refresh._thread.daemon
    assert _harmless(refresh._thread)
    refresh.stop()
