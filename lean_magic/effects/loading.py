"""Local modules that the cell itself loads: a replay loads them again, and must end with the same state.

What a module holds when its own code has run is noted then and there, so that what the
cell does to it afterwards can be told from what importing it does anyway. Python's
import system says a word for `python -v` at just that moment; to listen there puts no
frame of ours into the traceback of a module that fails.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lean_magic.effects.asks import lasting
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.effects.unseen import must_be_known
from lean_magic.errors import Unfingerprintable, Unstorable
from lean_magic.values import Walk
from lean_magic.values.naming import can_be_imported
from lean_magic.values.origin import is_local
from lean_magic.values.silence import silence
from lean_magic.values.spelled import spelled_in

__all__ = ["Loading"]

_BOOTSTRAP: Any = sys.modules["_frozen_importlib"]
_WORD = "_verbose_message"  # says "import …" when a module's own code has run


class Loading(Recorder):
    """Compares the globals of newly loaded local modules with what they were when loaded."""

    name = "loading"

    def __init__(self) -> None:
        self._loaded: dict[str, dict[str, str]] = {}
        self._before: dict[str, Any] = {}
        self._said: Callable[..., None] | None = None

    def begin(self, run: Run) -> None:
        """Listen to the import system."""
        del run
        self._before = dict(sys.modules)
        self._said = getattr(_BOOTSTRAP, _WORD)
        setattr(_BOOTSTRAP, _WORD, self._listen)

    def _listen(self, message: str, *about: Any, **options: Any) -> None:
        assert self._said is not None
        self._said(message, *about, **options)
        module = sys.modules.get(str(about[0])) if message.startswith("import ") and about else None
        if module is not None and is_local(module):
            self._loaded[module.__name__] = _digests(module)

    def end(self, run: Run) -> Record:
        """Compare. Raises Unstorable naming the module that is other than it was loaded."""
        before = self._before
        loaded: dict[str, dict[str, str]] = {}
        self.cancel(run)
        _must_be_named(run, before)
        for name in before.keys() - sys.modules.keys():
            if isinstance(before[name], types.ModuleType) and is_local(before[name]):
                raise Unstorable("sys.modules", f"lost `{name}`", "take modules out in an uncached cell")
        for name, module in list(sys.modules.items()):
            is_new = name not in before and isinstance(module, types.ModuleType) and is_local(module)
            if is_new and not can_be_imported(name, module):
                why = "is not what importing that name would load"
                raise Unstorable(f"module {name}", why, "load it in an uncached cell")
            if is_new and _digests(module) != self._loaded.get(module.__name__):
                why = "was changed by the cell that loads it first"
                raise Unstorable(f"module {name}", why, "import it in a cell before")
            if is_new and name == module.__name__:
                loaded[name] = self._loaded[name]
        return Record(None, loaded)

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Load what the run loaded. Raises Unstorable naming a module that is other each time it is loaded."""
        del run
        before = set(sys.modules)
        undo.callback(_unload, before)
        with silence():
            for name, digests in record.effects.items():
                if name not in before and _digests(importlib.import_module(name)) != digests:
                    raise Unstorable(
                        f"module {name}", "is another each time it is loaded", "import it before"
                    )

    def cancel(self, run: Run) -> None:
        """Listen no more."""
        del run
        if self._said is not None:
            setattr(_BOOTSTRAP, _WORD, self._said)
            self._said = None
        self._before = {}


# What makes objects of the classes that a file names, and files that do.
_BUILD = {"detectron2", "fiddle", "gin", "hydra", "jsonargparse", "kedro", "mmengine"}
_NAME = {".cfg", ".gin", ".ini", ".json", ".toml", ".yaml", ".yml"}
_LONG = 1 << 20  # bytes: no configuration


def _must_be_named(run: Run, loaded: Mapping[str, Any]) -> None:
    """Refuse code that was loaded before and that only a configuration has named. Raises Unstorable."""
    if run.packages.isdisjoint(_BUILD):
        return
    for path in map(Path, sorted(run.read)):
        if path.suffix not in _NAME or not path.is_file() or path.stat().st_size > _LONG:
            continue
        named = spelled_in(path.read_text("utf-8", "replace").splitlines())
        must_be_known(run, {place for place in named if place[0] in loaded}, f"is named in {path.name}")


def _unload(before: set[str]) -> None:
    for name in sys.modules.keys() - before:
        if is_local(sys.modules[name]):
            del sys.modules[name]


def _digests(module: types.ModuleType) -> dict[str, str]:
    """Digest what the globals of a module hold; what cannot be compared is left out."""
    found: dict[str, str] = {}
    walk = Walk()
    for name, value in list(vars(module).items()):
        if isinstance(value, types.ModuleType) or (name.startswith("__") and name.endswith("__")):
            continue  # modules come to hang in their package as they are loaded
        with contextlib.suppress(Unfingerprintable):
            found[name] = walk.fingerprint(name, lasting(value)).digest
    return found
