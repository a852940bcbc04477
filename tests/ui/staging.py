"""What tests and fixtures of the page share: the world as it is told to the sidebar, commands, pictures."""

import json
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "wire"
PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
PANEL = ".jp-LeanMagic-panel"


class World:
    """What the fixture server tells the sidebar, and what the sidebar asked of it."""

    def __init__(self, path):
        self.path = path
        self.posts_path = Path(f"{path}.posts")

    def show(self, name, change=None):
        """Tell the golden state of that name; `change` may alter it first."""
        state = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
        if change is not None:
            change(state)
        self.tell(state)

    def tell(self, state):
        """Tell this state."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(state), "utf-8")
        fresh.replace(self.path)

    def posts(self):
        """Return what the sidebar asked for, as (verb, kernel id, body)."""
        if not self.posts_path.exists():
            return []
        asked = [json.loads(line) for line in self.posts_path.read_text("utf-8").splitlines()]
        return [(one["verb"], one["kernel_id"], one["body"]) for one in asked]


def run(page, command, args=None):
    """Run a command of JupyterLab, without waiting for what it asks a person."""
    page.evaluate(
        "([command, args]) => void window.jupyterapp.commands.execute(command, args)", [command, args or {}]
    )


def shown(page, text):
    """Wait until the panel says so."""
    page.locator(PANEL, has_text=text).wait_for()


def picture(page, name):
    """Keep a picture of the page, for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")
