"""Progress of work that takes long."""

import pytest

from lean_magic import progress as module
from lean_magic.progress import progress


def test_short_work_shows_nothing(capsys):
    """Work that is done before the time is up leaves no trace."""
    with progress("storing", after=60) as show:
        show(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("done", [0, 468])
def test_work_that_began_late_shows_nothing(capsys, done):
    """What took its time before there was anything to do, as loading a library does, shows no bar at the end of it."""
    with progress("storing", after=0) as show:
        show(done, 468)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("total", [1000, None])
def test_long_work_shows_a_bar(capsys, total):
    """Longer work shows what it does, and how much of it is done."""
    with progress("storing", after=0) as show:
        show(500, total)
    assert "storing" in capsys.readouterr().err


def test_without_tqdm_a_line_of_text_does(capsys, monkeypatch):
    """Where there is no tqdm, one line tells bytes and time left, and is wiped at the end."""
    monkeypatch.setattr(module, "_tqdm", lambda label, total, unit: None)
    with progress("loading", after=0) as show:
        show(500, 1000)
    told = capsys.readouterr().err
    assert "loading 500 B of 1.0 kB" in told
    assert "left" in told
    assert told.endswith("\r")


def test_other_things_than_bytes_are_counted(capsys, monkeypatch):
    """What is not measured in bytes is counted, with how many are done in a second."""
    monkeypatch.setattr(module, "_tqdm", lambda label, total, unit: None)
    with progress("embedding", 0, " items") as show:
        show(1500, 3000)
    told = capsys.readouterr().err
    assert "embedding 1,500 items of 3,000 items" in told
    assert "items/s" in told


def test_an_error_closes_the_bar(capsys):
    """A bar does not outlive work that fails."""
    with pytest.raises(ZeroDivisionError), progress("storing", after=0) as show:
        show(1, 2)
        raise ZeroDivisionError
    assert "storing" in capsys.readouterr().err
