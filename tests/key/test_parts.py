"""The words of parts, which reasons show."""

import importlib
from pathlib import Path

from lean_magic.key.parts import source_of


def test_a_function_whose_file_holds_other_lines_by_now(tmp_path, monkeypatch):
    """A function whose lines are somebody else's now has no source to show, which fails nothing."""
    monkeypatch.syspath_prepend(tmp_path)
    path = Path(tmp_path, "edited_meanwhile.py")
    path.write_text("# one\n\ndef f(x):\n    return x\n")
    function = importlib.import_module("edited_meanwhile").f
    assert source_of(function).startswith("def f")
    path.write_text("\n\n\ndef f(x):\n    return (x +\n# and more\n")
    assert source_of(function) == ""
