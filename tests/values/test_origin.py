"""Where code comes from, and which version it has, found without importing what finds it."""

import importlib.metadata
import re
import subprocess
import sys

import pytest

from lean_magic.values import origin

DISTRIBUTIONS = {each.metadata["Name"]: each for each in importlib.metadata.distributions()}


@pytest.fixture(autouse=True)
def _nothing_remembered():
    origin.record_of.cache_clear()
    origin._installed_version.cache_clear()
    yield
    origin.record_of.cache_clear()
    origin._installed_version.cache_clear()


def test_versions_are_those_of_the_installer():
    """The version read off a folder's name is the one that importlib.metadata tells, for all that is installed here."""
    for name, distribution in DISTRIBUTIONS.items():
        assert origin.package_version(re.sub(r"[-.]", "_", name)).split()[0] == distribution.version


def test_a_distribution_of_another_name():
    """A package whose distribution is called otherwise, and one that nobody installed, are told as before."""
    assert origin.package_version("_pytest") == f"pytest {importlib.metadata.version('pytest')}"
    assert origin.package_version("nothing_like_it") == ""


def test_a_build_is_no_other_version(monkeypatch):
    """A library that names its build, as torch's wheels do, is the version that was installed; another one is told."""
    installed = importlib.metadata.version("pytest")
    monkeypatch.setattr(pytest, "__version__", f"{installed}+cu130")
    assert origin.package_version("pytest") == installed
    monkeypatch.setattr(pytest, "__version__", "1.0")
    assert origin.package_version("pytest") == f"{installed} (loaded: 1.0)"


def test_distributions_of_other_names_are_those_of_importlib():
    """Who provides a package is told as importlib.metadata tells, for all packages here that are called otherwise."""
    provided = importlib.metadata.packages_distributions()
    others = {
        name: found for name, found in provided.items() if name.isidentifier() and not origin.record_of(name)
    }
    for package, names in others.items():
        told = sorted(f"{name} {importlib.metadata.version(name)}" for name in set(names))
        assert origin.package_version(package).partition(" (loaded")[0] == " ".join(told)


def test_the_first_on_the_path_counts(tmp_path, monkeypatch):
    """Of two copies the one found first counts; where one folder has two versions, a closer look is taken."""
    for place, version in (("a", "1.0"), ("b", "2.0"), ("c", "3.0"), ("c", "4.0")):
        record = tmp_path / place / f"Some.Thing-{version}.dist-info"
        record.mkdir(parents=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Some.Thing\nVersion: {version}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b")])
    assert origin.package_version("some_thing") == "1.0"
    origin.record_of.cache_clear()
    monkeypatch.setattr(sys, "path", [str(tmp_path / "missing"), str(tmp_path / "c")])
    assert origin.record_of("some_thing") is None
    assert origin.record_of("some") == ""


def test_no_parser_of_mails():
    """Asking for the version and the requirements of an installed package does not import importlib.metadata."""
    source = (
        "import sys\nfrom lean_magic.values import origin\nfrom lean_magic.key.process import _requirements\n"
        "told = origin.package_version('numpy') and origin.package_version('_pytest'), 'numpy' in _requirements('pandas'), _requirements('nobody')\n"
        "print(bool(told[0]), told[1], len(told[2]), 'importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "0", "False"]
