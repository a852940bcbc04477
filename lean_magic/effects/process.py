"""Settings of the process that the cell changes: environment, folders, options of libraries.

Mappings are put back name by name, so that what else they hold stays as it is
where the entry is replayed.
"""

from __future__ import annotations

import locale
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from lean_magic.effects.recorder import Record, Run
from lean_magic.errors import Unstorable

__all__ = ["Process"]


def _environ() -> dict[str, Any]:
    return dict(os.environ)


def _put_environ(name: str, value: Any) -> None:
    os.environ.pop(name, None) if value is _GONE else os.environ.__setitem__(name, value)


def _rc() -> dict[str, Any]:
    module = sys.modules.get("matplotlib")
    return dict(dict.items(module.rcParams)) if module is not None and hasattr(module, "rcParams") else {}


def _put_rc(name: str, value: Any) -> None:
    import matplotlib as mpl

    dict.__setitem__(mpl.rcParams, name, value)


def _pandas() -> dict[str, Any]:
    config = sys.modules.get("pandas._config.config")
    if config is None:
        return {}
    deprecated = config._deprecated_options  # noqa: SLF001  asking for one of these warns
    registered = config._registered_options  # noqa: SLF001
    return {name: config.get_option(name) for name in registered if name not in deprecated}


def _put_pandas(name: str, value: Any) -> None:
    import pandas as pd

    pd.set_option(name, value)


def _numpy() -> dict[str, Any]:
    module = sys.modules.get("numpy")
    if module is None or not hasattr(module, "get_printoptions"):
        return {}
    printing = {f"print {name}": value for name, value in module.get_printoptions().items()}
    return printing | {f"error {name}": value for name, value in module.geterr().items()}


def _put_numpy(name: str, value: Any) -> None:
    import numpy as np

    kind, _, option = name.partition(" ")
    np.set_printoptions(**{option: value}) if kind == "print" else np.seterr(**{option: value})


def _torch() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_dtype"):
        return {}
    return {
        "default_dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "grad": torch.is_grad_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
    }


def _put_torch(name: str, value: Any) -> None:
    import torch

    put: dict[str, Callable[[Any], Any]] = {
        "default_dtype": torch.set_default_dtype,
        "deterministic": torch.use_deterministic_algorithms,
        "grad": torch.set_grad_enabled,
        "matmul": torch.set_float32_matmul_precision,
        "threads": torch.set_num_threads,
    }
    put[name](value)


def _single() -> dict[str, Any]:
    return {"working folder": os.getcwd(), "locale": locale.setlocale(locale.LC_ALL), "path": tuple(sys.path)}


def _put_single(name: str, value: Any) -> None:
    if name == "working folder":
        os.chdir(value)
    elif name == "locale":
        locale.setlocale(locale.LC_ALL, value)
    else:
        sys.path[:] = value


_GONE = "<gone>"
_KINDS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[str, Any], None]]] = {
    "environment": (_environ, _put_environ),
    "matplotlib": (_rc, _put_rc),
    "pandas": (_pandas, _put_pandas),
    "numpy": (_numpy, _put_numpy),
    "torch": (_torch, _put_torch),
    "process": (_single, _put_single),
}
# Set by libraries for themselves as they are loaded, or by the front end.
_NOISE = {
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
    "TORCHINDUCTOR_CACHE_DIR",
    "TOKENIZERS_PARALLELISM",
    "MPLBACKEND",
}
_NOISY_RC = {"backend", "interactive"}


class Process:
    """Compares the settings before and after the cell."""

    name = "process"

    def __init__(self) -> None:
        self._before: dict[str, dict[str, Any]] = {}
        self._filters: list[Any] = []

    def begin(self, run: Run) -> None:
        """Take down every setting."""
        del run
        self._before = {kind: get() for kind, (get, _) in _KINDS.items()}
        self._filters = list(warnings.filters)

    def end(self, run: Run) -> Record:
        """Collect what the cell changed. Raises Unstorable for what cannot be put back."""
        del run
        changed = {kind: _changes(self._before[kind], get()) for kind, (get, _) in _KINDS.items()}
        changed = {kind: names for kind, names in changed.items() if names}
        effects: dict[str, Any] = {kind: sorted(names) for kind, names in changed.items()}
        added = _added_filters(self._filters, list(warnings.filters))
        return Record(None, effects, {"settings": changed, "filters": added})

    def cancel(self, run: Run) -> None:
        """Nothing to stop."""

    def still_holds(self, observed: Any, run: Run) -> str:
        """Observe nothing: the settings that a cell reads are in its key."""
        del observed, run
        return ""

    def replay(self, record: Record, run: Run) -> None:
        """Set what the cell set."""
        del run
        for kind, names in record.values["settings"].items():
            for name, value in names.items():
                _KINDS[kind][1](name, value)
        for item in reversed(record.values["filters"]):
            warnings.filters.insert(0, item)  # type: ignore[attr-defined]
        if record.values["filters"]:
            warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  as filterwarnings() does


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Say which settings changed; a library's own defaults, met as it is loaded, are no change."""
    if not before:
        return {}
    skipped = _NOISE | _NOISY_RC
    changed = {
        name: value
        for name, value in after.items()
        if name not in skipped and before.get(name, _GONE) != value
    }
    return changed | {name: _GONE for name in before if name not in after and name not in skipped}


def _added_filters(before: list[Any], after: list[Any]) -> list[Any]:
    count = len(after) - len(before)
    if count >= 0 and after[count:] == before:
        return after[:count]
    raise Unstorable("warnings.filters", "was rearranged", "set warning filters in a cell of its own")
