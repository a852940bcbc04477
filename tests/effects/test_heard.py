"""What audit events tell of a cell's files, whichever thread they come from."""

import os
import sys
import threading
from pathlib import Path

import pytest

from lean_magic.effects.files import Files
from lean_magic.effects.recorder import Run
from lean_magic.values import Walk


@pytest.fixture
def eager():
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_other_threads_go_on(tmp_path, monkeypatch, eager):
    """Threads that open, write and list files all the time disturb neither the end of a cell nor themselves."""
    monkeypatch.chdir(tmp_path)
    failed, done = [], threading.Event()

    def work(me):
        number = 0
        while not done.is_set() and not failed:
            number += 1
            try:
                Path(f"{me} {number % 3000}").exists()
                Path("folder").mkdir(exist_ok=True)
                Path(f"folder/{me} {number % 300}").write_text("x")
                os.listdir("folder")
                Path(f"{me} {number}").open()
            except FileNotFoundError:
                pass
            except RuntimeError as error:
                failed.append(error)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            recorder, run = Files(), Run(None, {}, Walk())
            recorder.begin(run)
            for number in range(200):
                (tmp_path / f"none {number}").exists()
            recorder.end(run)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed
