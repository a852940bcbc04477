"""A real JupyterLab in a real browser; skipped, with the reason, where one of the two is missing."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import jupyter_lab
from staging import World, run

# JupyterLab lets no sidebar be narrower than 250 pixels; a theme may.
ANY_WIDTH = """
  addEventListener('DOMContentLoaded',
    () => document.documentElement.style.setProperty('--jp-sidebar-min-width', '100px'))
"""
RESIZE = """width => {
  const split = window.jupyterapp.shell._hsplitPanel;
  split.setRelativeSizes([width, split.node.clientWidth - width, 0]);
}"""
RESIZED = "width => Math.abs(document.querySelector('.jp-LeanMagic-panel').clientWidth - width) < 20"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def missing():
    """Say what the tests of the page lack; "" if nothing."""
    for package in ("jupyterlab", "playwright"):
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    if not any(map(shutil.which, BROWSERS)):
        return f"none of {', '.join(BROWSERS)} is on PATH"
    return "" if (jupyter_lab.ASSETS / "package.json").exists() else "the sidebar is not built"


def pytest_collection_modifyitems(items):
    """Skip what cannot run here."""
    why = missing()
    for item in items:
        if why and "open_page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def browser():
    """Yield a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)))
        # a container's root has no sandbox to use
        alone = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=path, args=alone)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def staged(tmp_path_factory):
    """Yield a JupyterLab whose sidebar is told what the test likes, and the World that tells it."""
    home = tmp_path_factory.mktemp("staged")
    world = World(home / "world.json")
    world.show("starting")
    extensions = {"lean_magic": False, "lean_magic.monitor": False, "fixture_server": True}
    env = {"LEAN_MAGIC_FIXTURE": str(world.path)}
    with jupyter_lab.running(home, extensions=extensions, env=env) as lab:
        yield lab, world


@pytest.fixture
def open_page(browser, request):
    """Return a function that opens a JupyterLab with our panel shown, so many pixels wide if `panel` says so."""
    contexts = []

    def opened(lab, *, width=1100, height=900, theme="JupyterLab Light", panel=None):
        context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=2)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(jupyter_lab.PATIENCE * 1000)
        if panel is not None:
            page.add_init_script(ANY_WIDTH)
        page.goto(lab.page())
        page.wait_for_selector("#jupyterlab-splash", state="detached")
        page.wait_for_function("window.jupyterapp?.commands.hasCommand('lean-magic:open')")
        page.evaluate("window.jupyterapp.restored")
        run(page, "apputils:change-theme", {"theme": theme})
        page.wait_for_selector(".jp-LauncherCard", state="visible")  # it takes the focus when it comes
        run(page, "lean-magic:open")
        page.wait_for_selector(".jp-LeanMagic-header", state="visible")
        if panel is not None:
            page.evaluate(RESIZE, panel)
            page.wait_for_function(RESIZED, arg=panel)
        return page

    yield opened
    for context in contexts:
        context.close()
