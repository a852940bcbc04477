"""Draw docs/images/sidebar-{light,dark}.png anew: JupyterLab with the panel and a warning, from a golden state.

python tests/ui/make_pictures.py
"""

import math
import os
import shutil
import tempfile
from pathlib import Path

import jupyter_lab
from PIL import Image
from playwright.sync_api import sync_playwright
from staging import World, run, shown

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SAMPLES = 150  # five minutes
CODE = (
    "import pandas as pd\nfrom sentence_transformers import SentenceTransformer",
    "%%cached\ncorpus = pd.read_parquet('corpus.parquet')\ncorpus['text'] = corpus.text.str.strip()",
    (
        "%%cached\nmodel = SentenceTransformer('BAAI/bge-large-en-v1.5', device='cuda')\n"
        "vectors = model.encode(corpus.text.tolist(), batch_size=512)"
    ),
    "vectors.shape",
)
OUTPUTS = {1: "✓ cached · saved 38 s · made 2 h ago", 2: "✓ cached · saved 14 min 20 s · made 2 h ago"}


def lively(state):
    """Give two GPUs a past: one works, one did until two minutes ago."""
    for gpu in state["gpus"]:
        loads = [load(gpu["index"], place) for place in range(SAMPLES - 1)] + [gpu["utilization"]]
        gpu["history"] = [
            {"seq": state["seq"] - SAMPLES + 1 + place, "time": state["time"] - 2.0 * (SAMPLES - 1 - place),
             "utilization": value, "memory_used": gpu["memory_used"], "power": gpu["power"]}
            for place, value in enumerate(loads)
        ]  # fmt: skip


def load(gpu, place):
    """Return an invented load: training with an evaluation now and then; an embedding that ends."""
    wave = 6 * math.sin(place / 3.1) + 4 * math.sin(place / 1.3) + 3 * math.sin(place * 2.7)
    if gpu == 0:
        return 28 + wave if place % 48 in range(30, 35) else 86 + wave
    return max(0.0, 78 + wave - (0 if place < 90 else 13 * (place - 90)))


def notebook():
    """Return the notebook that stands open."""
    cells = []
    for place, source in enumerate(CODE):
        outputs = (
            [{"output_type": "stream", "name": "stdout", "text": OUTPUTS[place]}] if place in OUTPUTS else []
        )
        if place == 3:
            data = {"text/plain": "(2400000, 1024)"}
            outputs = [{"output_type": "execute_result", "execution_count": 4, "data": data, "metadata": {}}]
        cells.append({"cell_type": "code", "id": f"cell-{place}", "execution_count": place + 1, "metadata": {},
                      "source": source, "outputs": outputs})  # fmt: skip
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def draw(lab, browser, theme):
    """Draw JupyterLab in one theme."""
    page = browser.new_page(viewport={"width": 1080, "height": 720}, device_scale_factor=1.5)
    page.goto(lab.page())
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_selector(".jp-LauncherCard", state="visible")
    run(page, "apputils:change-theme", {"theme": f"JupyterLab {theme}"})
    run(page, "docmanager:open", {"path": "research/embed_corpus.ipynb", "factory": "Notebook"})
    page.wait_for_selector(".jp-OutputArea-output", state="visible")
    run(page, "lean-magic:open")
    shown(page, "idle 34 min")
    page.evaluate(
        "() => { const s = window.jupyterapp.shell._hsplitPanel; s.setRelativeSizes([350, s.node.clientWidth - 350, 0]) }"
    )
    page.locator(".Toastify__toast").wait_for()
    page.wait_for_timeout(2500)
    file = IMAGES / f"sidebar-{theme.lower()}.png"
    page.screenshot(path=file)
    # a screen has few colours: a palette makes the file a third
    Image.open(file).convert("RGB").quantize(200, dither=Image.Dither.NONE).save(file, optimize=True)
    page.close()


def main():
    """Draw both."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder)
        world = World(home / "world.json")
        world.show("idle_warning", lively)
        extensions = {"lean_magic": False, "fixture_server": True}
        with jupyter_lab.running(
            home, extensions=extensions, env={"LEAN_MAGIC_FIXTURE": str(world.path)}
        ) as lab:
            jupyter_lab.write_json(lab.root / "research" / "embed_corpus.ipynb", notebook())
            alone = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=alone)
            for theme in ("Light", "Dark"):
                draw(lab, browser, theme)
            browser.close()


if __name__ == "__main__":
    main()
