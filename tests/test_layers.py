"""Who may import whom. The table is the architecture; these tests keep it true."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lean_magic"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOOR = {
    "_version": set(),
    "errors": set(),
    "words": set(),
    "cost": {"settings"},
    "settings": {"errors"},
    "options": {"errors", "settings"},
    "outcome": {"words"},
    "progress": {"clock", "words"},
    "host": {"_version"},
    "report_files": set(),
    "quiet_gc": set(),
    "shutdown_hooks": set(),
    "by_name": set(),
    "clock": set(),
}
MATTER = {"values": set(), "store": set(), "ledger": set()}
MEANING = {"key": {"values"}, "effects": {"values"}}
BELOW_FLOW = set(MATTER) | set(MEANING)
FLOW = {
    "display": BELOW_FLOW,
    "history": BELOW_FLOW,
    "targets": BELOW_FLOW,
    "planner": BELOW_FLOW | {"display", "history", "targets"},
    "turn": BELOW_FLOW | {"history"},
    "entry_graph": BELOW_FLOW | {"planner"},
    "runner": BELOW_FLOW | {"entry_graph", "history", "planner", "targets", "turn"},
    "interception": {"runner", "items", "targets"},
    "kernel_report": {"ledger"},
    "without_shell": set(),
}
BELOW_FACES = {"runner", "interception", "history", "store", "ledger"}
FACES = {"lean": BELOW_FACES | {"views"}, "cli": BELOW_FACES | {"lean"}}
FACES["views"] = {"store", "ledger", "kernel_report"}  # it shows what they know, and never runs a cell
FACES["calls"] = {"runner", "turn", "without_shell"}
FACES["magic"] = BELOW_FLOW | set(FLOW) | set(FACES)
FACES["items"] = BELOW_FLOW | {"calls", "runner", "history"}
FACES["monitor"] = {"store", "ledger"}  # the server never opens a payload, and knows no kernel from inside
ABOVE_FLOOR = MATTER | MEANING | FLOW | FACES
ROOMS = FLOOR | {room: allowed | set(FLOOR) for room, allowed in ABOVE_FLOOR.items()}


def room_of(path):
    """Return the room that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def module_of(path):
    """Return the dotted name of a file; a package's name for its `__init__`."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports(path):
    """Yield (module, name or None) for each import of ours in a file, at any depth."""
    package = (module_of(path) + (".x" if path.name == "__init__.py" else "")).split(".")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            found = [(module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [(alias.name, None) for alias in node.names]
        else:
            continue
        yield from (pair for pair in found if pair[0].split(".")[0] == "lean_magic")


def home_of(module, name):
    """Return the module that an imported name is from; a front door leads on to the file behind it."""
    inner = f"{module}.{name}"
    if inner in MODULES:
        return inner
    if MODULES[module].name == "__init__.py":
        for behind, other in imports(MODULES[module]):
            if other == name and behind != module:
                return home_of(behind, name)
    return module


def homes(path):
    """Return the modules that a file imports from, itself left out."""
    found = {home_of(module, name) if name else module for module, name in imports(path)}
    return found - {module_of(path)}


def test_the_table_has_no_cycles():
    """The rooms stand one above the other."""
    graphlib.TopologicalSorter(ROOMS).prepare()


def test_the_table_is_complete():
    """Each room there is stands in the table, and none that is not."""
    assert {room_of(path) for path in FILES} - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_table(path):
    """A file imports only from its own room and from rooms below, deferred imports included."""
    mine = room_of(path)
    if mine == "__init__":
        return  # the front door may see every room
    used = {home.split(".")[1] if "." in home else "__init__" for home in homes(path)} - {mine}
    assert used <= ROOMS[mine], f"{mine} may not import {sorted(used - ROOMS[mine])}"


def test_no_cycle_between_files():
    """No file needs itself by way of others, deferred imports included."""
    # Front doors are followed to the file behind them; their own re-exports are no edges.
    graph = {
        module: homes(path)
        for module, path in MODULES.items()
        if path.name != "__init__.py" or defines_something(path)
    }
    graphlib.TopologicalSorter(graph).prepare()


def defines_something(path):
    """Return whether a file does more than to re-export."""
    body = ast.parse(path.read_text("utf-8")).body
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in body)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f():\n    from lean_magic.store import Store", {"lean_magic.store.store"}),
        ("if TYPE_CHECKING:\n    from lean_magic import runner", {"lean_magic.runner"}),
        ("import lean_magic.values.codec as c", {"lean_magic.values.codec"}),
        ("from . import runner\nfrom .store import local", {"lean_magic.runner", "lean_magic.store.local"}),
        ("import os, json", set()),
    ],
)
def test_every_way_to_import_is_seen(monkeypatch, text, found):
    """No way to spell an import is missed by these tests."""
    real = Path.read_text
    path = PACKAGE / "planted.py"
    monkeypatch.setattr(Path, "read_text", lambda self, *args: text if self == path else real(self, *args))
    assert homes(path) == found
