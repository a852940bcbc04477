"""Write wire/*.json anew: what the server sends, from the scenes in tests/monitor/scenes.py.

    python tests/golden/make_wire.py

The sidebar's own tests read the same files. What is there may gain members; a changed meaning needs a new version.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "monitor"))


def texts():
    """Return the text of every golden file, by its name."""
    from scenes import scenes

    from lean_magic.monitor.protocol import to_wire

    return {f"{name}.json": json.dumps(to_wire(scene), indent=1) + "\n" for name, scene in scenes().items()}


if __name__ == "__main__":
    for name, text in texts().items():
        (HERE / "wire" / name).write_text(text, "utf-8")
