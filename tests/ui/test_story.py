"""Two notebooks hold GPU memory, one goes idle: the whole way, from the driver to the click and back."""

import contextlib
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "fake_nvml"))

import jupyter_lab
from jupyter_lab import eventually
from staging import picture, run, shown

SOON = {"notice_after": 2.0, "warn_after": 5.0, "warn_cost": 0.0, "interval": 1.0}
WHO = "import os, pathlib; pathlib.Path('{name}.pid').write_text(str(os.getpid()))"
WORK = "import time\nwhile True:\n    time.sleep(0.1)"


def notebook(*cells):
    """Return the JSON of a notebook."""
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    return {
        "cells": [code | {"id": f"cell-{place}", "source": source} for place, source in enumerate(cells)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@pytest.fixture
def driver(tmp_path):
    """Yield a fake driver with one GPU."""
    fake = pytest.importorskip("driver")
    pytest.importorskip("pynvml")
    if fake.COMPILER is None:
        pytest.skip("no C compiler to build the fake driver with")
    driver = fake.Driver(tmp_path / "nvml", fake.build(tmp_path))
    driver.gpu(util=64, power=312_000, temp=58)
    driver.write()
    return driver


@pytest.fixture
def lab(driver, tmp_path):
    """Yield a JupyterLab with the real server extension over the fake driver."""
    home = tmp_path / "home"
    home.mkdir()
    with jupyter_lab.running(
        home, extensions={"lean_magic": True}, env=driver.environ, config={"LeanMagicServer": SOON}
    ) as lab:
        yield lab


def start(lab, page, name, *cells):
    """Open a notebook, run all of it, and return the number of its kernel's process."""
    jupyter_lab.write_json(lab.root / f"{name}.ipynb", notebook(WHO.format(name=name), *cells))
    run(page, "docmanager:open", {"path": f"{name}.ipynb", "factory": "Notebook"})
    page.locator(
        f".jp-NotebookPanel[id]:visible [title*='{name}.ipynb'], .lm-TabBar-tab", has_text=name
    ).first.wait_for()
    eventually(lambda: kernel_of(lab, f"{name}.ipynb"), f"{name} has no kernel")
    eventually(lambda: ready(lab, f"{name}.ipynb"), f"the kernel of {name} does not get ready")
    run(page, "notebook:run-all-cells")
    file = lab.root / f"{name}.pid"
    eventually(lambda: file.exists() and file.read_text(), f"{name} does not run")
    return int(file.read_text())


def kernel_of(lab, path):
    """Return the kernel of a notebook, None if it has none."""
    with contextlib.suppress(OSError):
        return next((one["kernel"] for one in lab.get("/api/sessions") if one["path"] == path), None)
    return None


def ready(lab, path):
    """Tell whether a notebook's kernel has an ear for the page, and is idle."""
    kernel = kernel_of(lab, path)
    return kernel is not None and kernel["execution_state"] == "idle" and kernel["connections"] > 0


def row_of(lab, path):
    """Return what the server says of a notebook's kernel."""
    return next((one for one in lab.get("/lean-magic/api/state")["kernels"] if one["path"] == path), None)


@pytest.mark.timeout(400)
def test_an_idle_holder_is_warned_about_and_ended_by_a_click(lab, driver, open_page):
    """The notice names the idle notebook; the click ends its kernel and no other, and its memory is free again."""
    from driver import GIB

    page = open_page(lab, width=1180, height=760, panel=300)
    train = start(lab, page, "train", WORK)
    embed = start(lab, page, "embed")
    driver.process(train, 30 * GIB, sm=60)
    driver.process(embed, 20 * GIB)
    driver.write()
    shown(page, "30.0 GiB")
    shown(page, "20.0 GiB")
    busy = kernel_of(lab, "train.ipynb")["id"]

    toast = page.locator(".Toastify__toast", has_text="embed.ipynb has held 20.0 GiB of GPU 0")
    toast.wait_for()
    page.wait_for_timeout(1000)  # it slides in
    picture(page, "story-warned")
    assert page.locator(".Toastify__toast", has_text="train.ipynb").count() == 0
    toast.get_by_role("button", name="Shut down…").click()
    dialog = page.locator(".jp-Dialog", has_text="Shut down embed.ipynb?")
    dialog.wait_for()
    dialog.locator(".jp-mod-accept").click()

    eventually(lambda: kernel_of(lab, "embed.ipynb") is None, "the idle kernel is still there")
    page.locator(".jp-LeanMagic-row", has_text="embed.ipynb").wait_for(state="detached")
    page.locator(".Toastify__toast", has_text="20.0 GiB of GPU memory are free again").wait_for()
    eventually(lambda: row_of(lab, "embed.ipynb") is None, "its row is still there")
    used = lab.get("/lean-magic/api/state")["gpus"][0]["memory_used"]
    assert used < 31 * GIB
    assert kernel_of(lab, "train.ipynb")["id"] == busy
    assert row_of(lab, "train.ipynb")["gpus"][0]["memory_used"] == 30 * GIB
    page.locator(".jp-NotebookPanel-toolbar", has_text="No Kernel").first.wait_for()
    picture(page, "story-freed")
