"""The wire: what clients get is what the golden files show."""

import json
from pathlib import Path

import pytest
from scenes import scenes

from lean_magic.monitor.protocol import VERSION, to_wire

GOLDEN = Path(__file__).parents[1] / "golden" / "wire"


@pytest.mark.parametrize("name", list(scenes()))
def test_golden(name):
    """Each state goes over the wire as in its golden file, which the sidebar's tests read too."""
    assert json.loads(json.dumps(to_wire(scenes()[name]))) == json.loads(
        (GOLDEN / f"{name}.json").read_text()
    )


def test_every_golden_file_has_its_scene():
    """No golden file is left over."""
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(scenes())


def test_the_version_comes_first():
    """Each state names the version of the wire."""
    assert next(iter(to_wire(scenes()["mig"]).items())) == ("version", VERSION)
