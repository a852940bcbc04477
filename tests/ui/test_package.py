"""The sidebar as it is shipped: built from these sources, of this version, telling nothing of where it was built."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "labextension"
ASSETS = ROOT / "lean_magic" / "labextension"
BUILT = pytest.mark.skipif(not (ASSETS / "package.json").exists(), reason="the sidebar is not built")


def test_python_and_typescript_have_one_version():
    """The sidebar's version is the package's."""
    from lean_magic import __version__

    for name in ("package.json", "package-lock.json"):
        assert json.loads((SOURCES / name).read_text("utf-8"))["version"] == __version__


def test_the_lock_file_names_no_host():
    """What the sidebar is built from is fixed by digest, wherever it is fetched from."""
    packages = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(packages) > 100
    assert not [name for name, one in packages.items() if "resolved" in one]
    assert not [name for name, one in packages.items() if name and "integrity" not in one]


@BUILT
def test_assets_are_small_and_tell_nothing_of_the_machine():
    """Less than 100 kB of JavaScript, no source map, no path of the machine that built it."""
    files = [path for path in ASSETS.rglob("*") if path.is_file()]
    scripts = [path for path in files if path.suffix == ".js"]
    assert sum(path.stat().st_size for path in scripts) < 100_000
    assert not [path for path in files if path.suffix == ".map" or path.name == "build_log.json"]
    texts = {path.name: path.read_text("utf-8") for path in files}
    assert not [name for name, text in texts.items() if str(ROOT) in text]
    assert not [name for name, text in texts.items() if re.search(r"sourceMappingURL=\S+\.map", text)]


@BUILT
def test_settings_and_plugins_belong_together():
    """The settings are those of a plugin that there is."""
    plugin = json.loads((SOURCES / "schema" / "plugin.json").read_text("utf-8"))
    code = (SOURCES / "src" / "index.ts").read_text("utf-8")
    assert "'lean-magic:plugin'" in code
    read = set(re.findall(r"const \{ (.*) \} = settings.composite", code)[0].split(", "))
    assert set(plugin["properties"]) == read


def test_a_change_of_the_sources_is_noticed(monkeypatch, tmp_path):
    """The build hook builds anew when a source changes, and only then; tests and line ends do not count."""
    pytest.importorskip("hatchling")
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    import hatch_build

    monkeypatch.setattr(hatch_build, "SOURCES", tmp_path / "labextension")
    monkeypatch.setattr(hatch_build, "STAMP", tmp_path / "stamp")
    (tmp_path / "labextension" / "src" / "__tests__").mkdir(parents=True)
    for name in hatch_build.FILES:
        (tmp_path / "labextension" / name).write_text("{}\n")
    assert hatch_build.stale()
    (tmp_path / "stamp").write_text(hatch_build.digest())
    (tmp_path / "labextension" / "src" / "__tests__" / "a.spec.ts").write_text("a")
    (tmp_path / "labextension" / "package.json").write_bytes(b"{}\r\n")
    assert not hatch_build.stale()
    (tmp_path / "labextension" / "src" / "index.ts").write_text("")
    assert hatch_build.stale()
