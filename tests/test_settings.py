"""The settings of the kernel side."""

from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

from lean_magic.errors import UsageError
from lean_magic.settings import LeanMagic, parse_duration, parse_size


def test_traits_from_the_configuration(tmp_path, monkeypatch):
    """`c.LeanMagic.…` sets what a kernel does."""
    monkeypatch.delenv("LEAN_MAGIC_CACHE_DIR", raising=False)
    settings = LeanMagic(
        config=Config({"LeanMagic": {"cache_dir": str(tmp_path), "max_size": "2G", "off": True}})
    )
    assert (settings.folder, settings.budget, settings.is_off) == (tmp_path, 2 * 10**9, True)


def test_variables_win(tmp_path, monkeypatch):
    """The environment wins over the configuration."""
    monkeypatch.setenv("LEAN_MAGIC_CACHE_DIR", str(tmp_path / "b"))
    monkeypatch.setenv("LEAN_MAGIC_MAX_SIZE", "500M")
    monkeypatch.setenv("LEAN_MAGIC_OFF", "1")
    settings = LeanMagic(cache_dir=str(tmp_path / "a"))
    assert (settings.folder, settings.budget, settings.is_off) == (tmp_path / "b", 5 * 10**8, True)


def test_the_default_folder_is_the_users_cache(monkeypatch):
    """Without a word the folder is where the system keeps a user's caches."""
    monkeypatch.delenv("LEAN_MAGIC_CACHE_DIR", raising=False)
    assert LeanMagic().folder.name == "lean_magic"
    assert Path.home() in LeanMagic().folder.parents


def test_the_default_budget_is_a_share_of_the_disk(tmp_path, monkeypatch):
    """Without a word the budget is a tenth of the disk, and never more than 50 GB."""
    monkeypatch.delenv("LEAN_MAGIC_MAX_SIZE", raising=False)
    monkeypatch.setenv("LEAN_MAGIC_CACHE_DIR", str(tmp_path / "not" / "there"))
    assert 0 < LeanMagic().budget <= 50 * 10**9


def test_a_budget_that_cannot_be_read(monkeypatch):
    """A budget is refused where it is set, by its name; one of the environment is told among the settings."""
    with pytest.raises(TraitError, match="max_size: 'much' is not a size"):
        LeanMagic(max_size="much")
    monkeypatch.setenv("LEAN_MAGIC_MAX_SIZE", "much")
    assert "LEAN_MAGIC_MAX_SIZE: 'much' is not a size" in LeanMagic().as_rows()["max_size"]


@pytest.mark.parametrize(
    ("text", "count"), [("20G", 20 * 10**9), ("1.5 MB", 1_500_000), ("4096", 4096), ("2GiB", 2 * 10**9)]
)
def test_sizes(text, count):
    """A size is read with or without its B."""
    assert parse_size(text) == count


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30 min", 1800), ("12h", 43200), ("7d", 604800), ("2w", 1209600)]
)
def test_durations(text, seconds):
    """A duration is read in seconds, minutes, hours, days and weeks."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "many", "G20", "5 lightyears"])
def test_what_is_no_size(text):
    """What cannot be read is an error that shows what can."""
    with pytest.raises(UsageError, match="20G"):
        parse_size(text)
