"""Settings that a cell's libraries read: each as a part, if it is not the default.

Only libraries that the cell reaches count, with those they are built on; a
library that is loaded with its defaults gives the same parts as one not loaded.
"""

from __future__ import annotations

import functools
import itertools
import operator
import sys
import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from lean_magic.errors import Unfingerprintable
from lean_magic.key.interpreter import interpreter_settings, logging_settings, logs, note_filters
from lean_magic.values.code import CodeFacts
from lean_magic.values.filter_rules import as_set
from lean_magic.values.fingerprint import fingerprint, leaf
from lean_magic.values.origin import is_own, origin, record_of
from lean_magic.values.same import is_other
from lean_magic.words import with_article

__all__ = ["Settings", "read_ahead", "uses"]


class Settings:
    """The settings in force of the libraries that a cell reaches: read once, and again where more are reached."""

    def __init__(self) -> None:
        self._used: list[str] = []
        self._found: dict[str, Any] = {}
        self._filters = list(map(as_set, warnings.filters))

    def functions(self, modules: Iterable[str], reached: CodeFacts) -> dict[str, Any]:
        """Give the functions of the user's that are set in libraries, such as numpy's formatters: name → function.

        So are the figures that pyplot goes on with.
        """
        found: dict[str, Any] = {}
        for name, value in self._read(modules, reached).items():
            inner = value.items() if isinstance(value, dict) else [("", value)]
            found |= {f"{name} {key}".rstrip(): one for key, one in inner if _is_own(one)}
        if _is_own(warnings.showwarning):
            found["warnings.showwarning"] = warnings.showwarning
        records: Any = warnings._showwarnmsg_impl  # type: ignore[attr-defined]  # noqa: SLF001  set by catch_warnings
        if records.__module__ != "warnings":  # it adds them to a list
            found["warnings.catch_warnings"] = records
        if logs(reached):
            found |= logging_settings()
        if "matplotlib" in self._used and (figures := _open_figures()):
            found["pyplot's open figures"] = [manager.canvas.figure for manager in figures.values()]
        return found

    def all(self, modules: Collection[str], reached: CodeFacts) -> dict[str, tuple[str, str]]:
        """Give all, and those of Python's own: name → (digest, text)."""
        self._filters = note_filters(self._filters)
        found = {f"setting {name}": _spelled(value) for name, value in self._read(modules, reached).items()}
        found |= {
            f"setting {name}": str(value)
            for name, value in interpreter_settings(reached).items()
            if value != ""
        }
        return {name: (leaf("setting", text.encode()).hex(), text[:80]) for name, text in found.items()}

    def _read(self, modules: Iterable[str], reached: CodeFacts) -> dict[str, Any]:
        used = uses({name.partition(".")[0] for name in modules} | set(reached.loads), reached)
        if used != self._used:
            self._used = used
            self._found = {name: value for library in used for name, value in _PROBES[library]().items()}
        return self._found


def _is_own(value: Any) -> bool:
    is_code = callable(value) and origin(str(getattr(value, "__module__", ""))).own
    return is_code or is_own(type(value))


def _spelled(value: Any) -> str:
    """Spell a setting; functions by what they say, not by where they lie. Those of the user's count by themselves."""
    if isinstance(value, dict) and any(map(callable, value.values())):
        return str({name: _spelled(item) for name, item in value.items()})
    if _is_own(value):
        return "the user's"
    text = str(value)
    return f"{getattr(value, '__qualname__', '')} {_content(value)}" if _ADDRESS in text else text


def _content(value: Any) -> str:
    try:
        return fingerprint(value)
    except Unfingerprintable:
        return repr(value)


_ADDRESS = " at 0x"


def uses(packages: set[str], reached: CodeFacts) -> list[str]:
    """Say which of the libraries with settings are used, directly or by what is."""
    wanted = set(packages)
    for package in packages:
        wanted |= _requirements(package)
    wanted |= {"numpy"} if packages & _GIVE_ARRAYS else set()
    wanted |= {"pandas"} if packages & _GIVE_TABLES else set()
    if reached.attributes & {"plot", "hist", "boxplot", "show"}:
        wanted.add("matplotlib")
    return sorted(name for name in _PROBES if name in wanted and name in sys.modules)


# What these say they are built on does not tell all that they give.
_GIVE_ARRAYS = {"torch", "polars", "sympy", "networkx", "joblib", "jax", "tensorflow", "PIL", "dask"}
_GIVE_TABLES = {"polars", "networkx", "joblib", "dask"}


def read_ahead(packages: Iterable[str]) -> None:
    """Read what the first key that reaches these packages would wait for."""
    for package in packages:
        if origin(package).installed:
            _requirements(package)


@functools.lru_cache(maxsize=256)
def _requirements(package: str) -> frozenset[str]:
    """Name the packages that a distribution says it is built on, or uses where they are there."""
    lines = _requirement_lines(package)
    named = ("".join(itertools.takewhile(_in_name, line)) for line in lines)
    return frozenset(name.replace("-", "_").lower() for name in named)


def _in_name(letter: str) -> bool:
    return letter.isalnum() or letter in "_-"


def _requirement_lines(package: str) -> list[str]:
    record = record_of(package)
    if record == "":
        return []
    if record is not None:
        told = Path(record, "METADATA").read_text("utf-8", "replace")
        head = told.partition("\n\n")[0].replace("\n ", " ").splitlines()
        return [line.removeprefix("Requires-Dist: ") for line in head if line.startswith("Requires-Dist: ")]
    import importlib.metadata

    try:
        return importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _matplotlib() -> dict[str, Any]:
    import matplotlib as mpl

    now = {name: value for name, value in dict.items(mpl.rcParams) if name not in _BACKEND}
    about = {"matplotlib: open figures": list(_open_figures()), "matplotlib: backend": _other_backend()}
    return {name: value for name, value in about.items() if value} | {
        f"matplotlib.rcParams[{name!r}]": value
        for name, value in now.items()
        if is_other(value, mpl.rcParamsDefault.get(name))
    }


def _open_figures() -> dict[int, Any]:
    """Give what manages each figure that pyplot has open, the current one last."""
    pyplot = sys.modules.get("matplotlib._pylab_helpers")
    return dict(pyplot.Gcf.figs) if pyplot is not None else {}


def _other_backend() -> str:
    """Name the backend unless it is the usual one, which shows figures below the cell, or none was chosen yet."""
    import matplotlib as mpl

    name = dict.get(mpl.rcParams, "backend")  # to ask for it in the usual way would choose one
    return name.lower() if isinstance(name, str) and name.lower() not in _USUAL else ""


_USUAL = {
    "inline",
    "module://matplotlib_inline.backend_inline",
    "module://ipykernel.pylab.backend_inline",
}
_BACKEND = {"backend", "backend_fallback", "interactive", "toolbar", "webagg.port", "savefig.directory"}


def _pandas() -> dict[str, Any]:
    config = sys.modules["pandas._config.config"]
    registered = config._registered_options  # noqa: SLF001  pandas has no public list of defaults
    if config._global_config == _defaults(len(registered)):  # noqa: SLF001  as it nearly always is
        return {}
    tree = config._global_config  # noqa: SLF001  to ask pandas for an option that is to go warns
    names = [name for name in registered if name != "plotting.backend"]
    now = {name: functools.reduce(operator.getitem, name.split("."), tree) for name in names}
    return {f"pandas.{name}": value for name, value in now.items() if value != registered[name].defval}


@functools.lru_cache(maxsize=4)
def _defaults(count: int) -> dict[str, Any]:
    """Give the tree of pandas' options as they start; `count` tells how many have been registered so far."""
    del count
    tree: dict[str, Any] = {}
    for name, option in sys.modules["pandas._config.config"]._registered_options.items():  # noqa: SLF001
        *above, last = name.split(".")
        place = tree
        for step in above:
            place = place.setdefault(step, {})
        place[last] = option.defval
    return tree


def _numpy() -> dict[str, Any]:
    import numpy as np

    now = {
        f"numpy.printoptions[{name!r}]": value
        for name, value in np.get_printoptions().items()
        if value != _PRINT.get(name)
    }
    errors = {name: value for name, value in np.geterr().items() if value != _ERRORS[name]}
    errors |= {"call": np.geterrcall()} if np.geterrcall() is not None else {}
    return now | {f"numpy.errstate[{name!r}]": value for name, value in errors.items()}


_PRINT: dict[str, Any] = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False, "linewidth": 75,
    "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None, "legacy": False, "override_repr": None,
}  # fmt: skip
_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def _torch() -> dict[str, Any]:
    import torch

    _must_not_be_in_a_mode()
    now = {
        "default_dtype": (torch.get_default_dtype(), torch.float32),
        "default_device": (torch.get_default_device(), torch.device("cpu")),
        "deterministic_algorithms": (torch.are_deterministic_algorithms_enabled(), False),
        "deterministic_warn_only": (torch.is_deterministic_algorithms_warn_only_enabled(), False),
        "anomaly": (torch.is_anomaly_enabled(), False),
        "grad_enabled": (torch.is_grad_enabled(), True),
        "inference_mode": (torch.is_inference_mode_enabled(), False),
        "float32_matmul_precision": (torch.get_float32_matmul_precision(), "highest"),
        "cudnn.benchmark": (torch.backends.cudnn.benchmark, False),
        "cudnn.deterministic": (torch.backends.cudnn.deterministic, False),
        "printoptions": (vars(torch._tensor_str.PRINT_OPTS), _TORCH_PRINT),  # noqa: SLF001
    }
    for kind in ("cpu", "cuda"):
        casts = torch.is_autocast_enabled(kind)
        now[f"autocast {kind}"] = ((casts, torch.get_autocast_dtype(kind) if casts else None), (False, None))
    return {f"torch.{name}": value for name, (value, default) in now.items() if value != default}


def _must_not_be_in_a_mode() -> None:
    """Refuse what runs inside a mode that was entered and not left, which may do anything to each call of torch."""
    from torch.overrides import _get_current_function_mode_stack as functions
    from torch.utils._device import DeviceContext
    from torch.utils._python_dispatch import _get_current_dispatch_mode_stack as dispatches

    for mode in (*functions(), *dispatches()):
        if not isinstance(mode, DeviceContext):
            why = f"is in {with_article(type(mode).__name__)} that was entered and not left"
            raise Unfingerprintable("torch", why, "leave it in the cell that enters it")


_TORCH_PRINT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


def _polars() -> dict[str, Any]:
    import polars as pl

    return {
        f"polars.{name}": value for name, value in pl.Config.state(if_set=True).items() if value is not None
    }


def _sklearn() -> dict[str, Any]:
    import sklearn

    now = sklearn.get_config()
    return {f"sklearn.{name}": value for name, value in now.items() if value != _SKLEARN.get(name, value)}


_SKLEARN: dict[str, Any] = {
    "assume_finite": False, "working_memory": 1024, "print_changed_only": True, "display": "diagram",
    "transform_output": "default", "enable_metadata_routing": False, "array_api_dispatch": False,
    "skip_parameter_validation": False,
}  # fmt: skip

_PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "matplotlib": _matplotlib,
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "sklearn": _sklearn,
    "torch": _torch,
}
