"""Notebooks that people wrote to break the cache: cached, they tell the same as uncached."""

import re
from importlib.util import find_spec

import pytest
from comparing import Oracle
from nasty import sheets
from workers import Workers

# What falls short and is known: each with its reason. The list only gets shorter.
SHORTFALLS = {
    "lru_cache hit changes nothing but its figures": "one object that an lru_cache and a name hold",
}
HEAVY = {"torch", "figures"}
LIGHT = [sheet for sheet in sheets() if sheet not in sheets(*HEAVY)]


@pytest.fixture(scope="session")
def plain_oracle(shelf):
    """Yield an oracle whose notebooks begin with nothing."""
    workers = Workers(shelf)
    yield Oracle(workers, shelf / "nasty")
    workers.close()


@pytest.fixture(scope="session")
def heavy_oracle(shelf):
    """Yield an oracle whose processes have loaded torch and matplotlib."""
    workers = Workers(shelf, libraries=["torch", "torch._dynamo", "matplotlib.pyplot"])
    yield Oracle(workers, shelf / "heavy")
    workers.close()


def listed(found):
    """Make the parameters of a test."""
    return pytest.mark.parametrize("sheet", found, ids=lambda sheet: sheet.name)


def judge(oracle, sheet, request):
    """Judge a notebook in all its variants, if the libraries that it says it needs are there."""
    for library in re.findall(r"^# needs (\w+)$", sheet.cells[0], re.MULTILINE):
        if find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    if sheet.name in SHORTFALLS:
        request.applymarker(pytest.mark.xfail(reason=SHORTFALLS[sheet.name], strict=False))
    for what, notebook, edits in sheet.variants():
        verdict = oracle.judge(notebook, *edits)
        assert not verdict.unstable, f"differs from run to run, uncached\n{notebook.shown()}"
        assert not verdict.faults, f"{what}\n{notebook.shown()}\n" + "\n".join(verdict.faults[:4])


@listed(LIGHT)
def test_light(sheet, plain_oracle, request):
    """A notebook of Python, numpy and pandas is the same cached and uncached, however it is edited."""
    judge(plain_oracle, sheet, request)


@listed(sheets(*HEAVY))
def test_heavy(sheet, heavy_oracle, request):
    """A notebook with torch or matplotlib is the same cached and uncached, however it is edited."""
    judge(heavy_oracle, sheet, request)


def test_each_has_a_name_of_its_own():
    """No two notebooks have one name, so that a shortfall means one of them."""
    names = [sheet.name for sheet in sheets()]
    assert len(set(names)) == len(names)
