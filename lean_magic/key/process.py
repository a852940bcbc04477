"""Settings of the process that a cell's libraries read: each as a part, if it is not the default.

Only libraries that the cell reaches count, with those they are built on; a
library that is loaded with its defaults gives the same parts as one not loaded.
"""

from __future__ import annotations

import decimal
import functools
import locale
import logging
import os
import re
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lean_magic.values.code import CodeFacts
from lean_magic.values.fingerprint import fingerprint, leaf
from lean_magic.values.origin import origin, record_of

__all__ = ["look_at_filters", "settings", "uses"]


def settings(modules: Iterable[str], reached: CodeFacts) -> dict[str, tuple[str, str]]:
    """Give the settings in force: name → (digest, text)."""
    used = uses({name.partition(".")[0] for name in modules} | set(reached.loads), reached)
    found = {
        f"setting {name}": _spelled(value) for library in used for name, value in _PROBES[library]().items()
    }
    found |= {
        f"setting {name}": str(value)
        for name, value in _python(reached, bool(modules)).items()
        if value != ""
    }
    return {name: (leaf("setting", text.encode()).hex(), text[:80]) for name, text in found.items()}


def _spelled(value: Any) -> str:
    """Spell a setting; functions by what they say, not by where they lie."""
    if isinstance(value, dict) and any(map(callable, value.values())):
        return str({name: _spelled(item) for name, item in value.items()})
    return (
        f"{value.__qualname__} {fingerprint(value)}" if isinstance(value, types.FunctionType) else str(value)
    )


def uses(packages: set[str], reached: CodeFacts) -> list[str]:
    """Say which of the libraries with settings are used, directly or by what is."""
    wanted = set(packages)
    for package in packages:
        wanted |= _requirements(package)
    if reached.attributes & {"plot", "hist", "boxplot", "show"}:
        wanted.add("matplotlib")
    return sorted(name for name in _PROBES if name in wanted and name in sys.modules)


@functools.lru_cache(maxsize=256)
def _requirements(package: str) -> frozenset[str]:
    """Name the packages that a distribution says it is built on (extras left out)."""
    plain = (line for line in _requirement_lines(package) if "extra ==" not in line)
    return frozenset(re.split(r"[^\w-]", line, maxsplit=1)[0].replace("-", "_").lower() for line in plain)


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
    pyplot = sys.modules.get("matplotlib._pylab_helpers")
    open_now = list(pyplot.Gcf.figs) if pyplot is not None else []
    return ({"matplotlib: open figures": open_now} if open_now else {}) | {
        f"matplotlib.rcParams[{name!r}]": value
        for name, value in now.items()
        if value != mpl.rcParamsDefault.get(name)
    }


_BACKEND = {"backend", "backend_fallback", "interactive", "toolbar", "webagg.port", "savefig.directory"}


def _pandas() -> dict[str, Any]:
    config = sys.modules["pandas._config.config"]
    registered = config._registered_options  # noqa: SLF001  pandas has no public list of defaults
    deprecated = config._deprecated_options  # noqa: SLF001  asking for one of these warns
    names = [name for name in registered if name not in deprecated and name != "plotting.backend"]
    now = {name: config.get_option(name) for name in names}
    return {f"pandas.{name}": value for name, value in now.items() if value != registered[name].defval}


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

    now = {
        "default_dtype": (torch.get_default_dtype(), torch.float32),
        "default_device": (torch.get_default_device(), torch.device("cpu")),
        "deterministic_algorithms": (torch.are_deterministic_algorithms_enabled(), False),
        "grad_enabled": (torch.is_grad_enabled(), True),
        "inference_mode": (torch.is_inference_mode_enabled(), False),
        "float32_matmul_precision": (torch.get_float32_matmul_precision(), "highest"),
        "cudnn.benchmark": (torch.backends.cudnn.benchmark, False),
        "cudnn.deterministic": (torch.backends.cudnn.deterministic, False),
        "printoptions": (vars(torch._tensor_str.PRINT_OPTS), _TORCH_PRINT),  # noqa: SLF001
    }
    return {f"torch.{name}": value for name, (value, default) in now.items() if value != default}


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


def _python(reached: CodeFacts, libraries: bool) -> dict[str, Any]:
    """Give settings of Python's own: where they are not the defaults, or where the code names them."""
    found: dict[str, Any] = {}
    context = decimal.getcontext()
    if any(getattr(context, name) != getattr(decimal.DefaultContext, name) for name in _DECIMAL):
        found["decimal context"] = [getattr(context, name) for name in _DECIMAL]
    if "flags" in reached.attributes and any(context.flags.values()):
        found["decimal flags"] = sorted(signal.__name__ for signal, is_set in context.flags.items() if is_set)
    local = {name: locale.setlocale(getattr(locale, name)) for name in _LOCALE}
    if set(local.values()) != {"C"}:
        found["locale"] = local
    words = set(reached.loads) | reached.attributes | {part.module for part in reached.imports}
    if libraries or words & {"warn", "warnings", "warn_explicit"}:
        found["warning filters"] = _filters() or ""
    if words & _LOGGING:
        found["logging levels"] = logging_levels() or ""
    found |= _interpreter(words)
    if words & _TIME:
        found["time zone"] = (time.tzname, time.timezone)
    if reached.hashes:
        found["hash seed (PYTHONHASHSEED)"] = hash("of a text")
    if words & {"umask", "st_mode"}:
        found["umask"] = _umask()
    if words & _FOLDER:
        found["working folder"] = os.getcwd()
    return found


def _umask() -> int:
    mask = os.umask(0o77)
    os.umask(mask)
    return mask


def _interpreter(words: set[str]) -> dict[str, Any]:
    """Give what the code asks of the interpreter itself."""
    found: dict[str, Any] = {}
    if sys.get_int_max_str_digits() != sys.int_info.default_max_str_digits:
        found["integer digits"] = sys.get_int_max_str_digits()
    if words & {"getrecursionlimit", "setrecursionlimit", "RecursionError"}:
        found["recursion limit"] = sys.getrecursionlimit()
    if words & _ARGUMENTS or ("sys" in words and "argv" in words):
        # The front end's own arguments name a file that is another one for each kernel.
        found["sys.argv"] = [argument for argument in sys.argv[1:] if not _KERNEL.search(argument)]
    if "sys" in words and "path" in words:
        found["sys.path"] = list(sys.path)
    if words & {"getlocale", "localeconv", "setlocale", "strcoll", "strxfrm", "nl_langinfo"}:
        found["whole locale"] = locale.setlocale(locale.LC_ALL)
    return found


_ARGUMENTS = {"parse_args", "parse_known_args", "argparse", "optparse", "getopt", "fire", "click"}
_KERNEL = re.compile(r"^-f$|^--f=|kernel\S*\.json$|^--HistoryManager|^--LeanMagic")
_BASELINE = tuple(warnings.filters)
_LOGGING = {
    "logging",
    "getLogger",
    "isEnabledFor",
    "getEffectiveLevel",
    "level",
    "debug",
    "info",
    "warning",
    "error",
    "log",
}


def _filters() -> list[str]:
    """List the warning filters that the user set: not those of Python, the front end or a library."""
    return [str(item) for item in warnings.filters if item not in _libraries and not _is_librarys(item)]


def look_at_filters(words: Iterable[str]) -> None:
    """Tell the user's new warning filters from those of libraries, after code that says `words` has run."""
    users = not _SETS_FILTERS.isdisjoint(words)
    new = [item for item in warnings.filters if item not in _seen]
    _seen.extend(new)
    if not users:
        _libraries.extend(new)


_SETS_FILTERS = {"filterwarnings", "simplefilter", "resetwarnings", "catch_warnings", "filters"}
_seen: list[Any] = list(_BASELINE)
_libraries: list[Any] = list(_BASELINE)


def _is_librarys(item: Any) -> bool:
    category, module = item[2], item[3]
    pattern = module if isinstance(module, str) else getattr(module, "pattern", "")
    named = re.match(r"\w*", pattern.lstrip("^(\\A"))
    home = origin(named.group()) if named and named.group() in sys.modules else None
    return bool(home and home.installed) or origin(str(category.__module__)).installed


def logging_levels() -> dict[str, int]:
    """Give the levels of all loggers that have one of their own."""
    loggers = {"": logging.getLogger(), **logging.Logger.manager.loggerDict}
    levels = {
        name: one.level for name, one in loggers.items() if isinstance(one, logging.Logger) and one.level
    }
    return {name: level for name, level in levels.items() if name or level != logging.WARNING}


_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "traps")
_LOCALE = ("LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY")
_TIME = {
    "time", "datetime", "localtime", "astimezone", "fromtimestamp", "timestamp", "strftime", "mktime", "ctime", "now",
    "today", "asctime", "tzname", "timezone",
}  # fmt: skip
_FOLDER = {"getcwd", "getcwdb", "cwd", "abspath", "realpath", "relpath", "resolve", "absolute"}
