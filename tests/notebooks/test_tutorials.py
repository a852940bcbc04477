"""Five tutorials as people write them, every cell cached: run again, they show and leave the same, without computing."""

from pathlib import Path

import pytest
from story_oracle import shown

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.md"))

# Content by name, wherever it can be compared; how a library lays out its private attributes is no content, and
# what a figure looks like has been compared as a picture.
CONTENT = """
def __content__():
    import types
    from lean_magic.errors import Unfingerprintable
    from lean_magic.values import Walk
    found = {}
    for name, value in list(globals().items()):
        if name.startswith("_") or name in {"In", "Out", "exit", "quit", "open", "get_ipython"}:
            continue
        if isinstance(value, types.ModuleType) or "matplotlib" in repr(type(value)) or "Axes" in repr(value)[:99]:
            continue
        try:
            found[name] = Walk().fingerprint(name, value).digest
        except Unfingerprintable:
            found[name] = repr(type(value))
    return found
"""


def cells_of(path):
    """Cut a tutorial into its code cells."""
    blocks = path.read_text("utf-8").split("```python\n")[1:]
    return [block.partition("```")[0] for block in blocks]


def ran(kernel, cells):
    """Run cells and return what each showed, the outcomes, and the content of all names."""
    done = [kernel.run(cell) for cell in cells]
    assert not [cell.error for cell in done if cell.error], done
    kernel.quietly(CONTENT)
    return [shown(cell) for cell in done], [cell.kind for cell in done], kernel.ask("__content__()"), done


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_is_the_same_from_the_cache(path, loaded_kernels, tmp_path):
    """A tutorial whose cells are all cached shows and leaves the same the first and the second time as uncached."""
    plain = cells_of(path)
    cached = [f"%%cached\n{cell}" for cell in plain]
    elsewhere = tmp_path / "plain"
    elsewhere.mkdir()
    wanted = ran(loaded_kernels(folder=elsewhere, lean=False), plain)
    first = ran(loaded_kernels(), cached)
    second = ran(loaded_kernels(), cached)
    for found in (first, second):
        assert found[0] == wanted[0]
        assert {name for name in wanted[2] if wanted[2][name] != found[2].get(name)} == set()
    assert [(cell.kind, cell.reason, cell.source) for cell in second[3] if cell.kind != "hit"] == []
