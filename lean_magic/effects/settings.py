"""Settings of Python and of libraries: how to read each kind, its defaults, and how to set one."""

from __future__ import annotations

import decimal
import functools
import locale
import logging
import operator
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from lean_magic.effects.log_handlers import plain_handlers, put_handlers
from lean_magic.host import working_folder
from lean_magic.values.logger_rules import loggers

__all__ = ["GONE", "KINDS", "Settings"]

GONE = "<gone>"


def _nothing() -> dict[str, Any]:
    return {}


class Settings(NamedTuple):
    """One kind: `get` gives name → value ({} if its library is not loaded), `defaults` what it starts with."""

    get: Callable[[], dict[str, Any]]
    put: Callable[[str, Any], Any]
    defaults: Callable[[], dict[str, Any]] = _nothing


def _environ() -> dict[str, Any]:
    return dict(os.environ)


def _put_environ(name: str, value: Any) -> None:
    os.environ.pop(name, None) if value == GONE else os.environ.__setitem__(name, value)


def _rc() -> dict[str, Any]:
    module = sys.modules.get("matplotlib")
    return dict(dict.items(module.rcParams)) if module is not None and hasattr(module, "rcParams") else {}


def _rc_defaults() -> dict[str, Any]:
    module = sys.modules.get("matplotlib")
    return (
        dict(dict.items(module.rcParamsOrig))
        if module is not None and hasattr(module, "rcParamsOrig")
        else {}
    )


def _put_rc(name: str, value: Any) -> None:
    import matplotlib as mpl

    dict.__setitem__(mpl.rcParams, name, value)


def _backend() -> dict[str, Any]:
    """Name what shows figures, if somebody chose it, and what the setting says where that is not in force.

    What it came to by itself is another matter elsewhere.
    """
    settings, usual = _rc(), os.environ.get("MPLBACKEND")
    if not settings:
        return {}
    name, said = _in_force(settings), settings.get("backend")
    is_chosen = name != usual if usual else not settings.get("backend_fallback")
    return {
        "chosen": name if is_chosen else "",
        "said": said if isinstance(said, str) and said != name else "",
    }


def _in_force(settings: dict[str, Any]) -> Any:
    """Give the backend that pyplot has switched to, which a mere setting does not change any more."""
    is_loaded = "matplotlib.pyplot" in sys.modules
    switched = dict.get(sys.modules["matplotlib"].rcParamsDefault, "backend") if is_loaded else None
    return switched if isinstance(switched, str) else settings.get("backend")


def _put_backend(name: str, value: Any) -> None:
    if name == "said":
        _put_rc("backend", value or _in_force(_rc()))
        return
    wanted = value or os.environ.get("MPLBACKEND")
    pyplot = sys.modules.get("matplotlib.pyplot")
    if not wanted or wanted == _in_force(_rc()):
        return
    if pyplot is None:
        _put_rc("backend", wanted)  # which pyplot asks as it is loaded
    else:
        pyplot.switch_backend(wanted)


def _pyplot() -> dict[str, Any]:
    module = sys.modules.get("matplotlib.pyplot")
    return {"pyplot loaded": module._backend_mod is not None} if module is not None else {}  # noqa: SLF001


def _put_pyplot(name: str, value: Any) -> None:
    """Load pyplot's backend, as the first figure does, which lets figures be shown as pictures."""
    del name
    if value is True:
        import matplotlib.pyplot as plt

        plt._get_backend_mod()  # noqa: SLF001


def _pandas_options() -> tuple[Any, list[str]]:
    config = sys.modules.get("pandas._config.config")
    return config, list(config._registered_options) if config is not None else []  # noqa: SLF001


def _pandas() -> dict[str, Any]:
    config, names = _pandas_options()
    # To ask pandas for an option that is to go, or to set it, warns.
    tree = config._global_config if names else {}  # noqa: SLF001
    return {name: functools.reduce(operator.getitem, name.split("."), tree) for name in names}


def _pandas_defaults() -> dict[str, Any]:
    config, names = _pandas_options()
    return {name: config._registered_options[name].defval for name in names}  # noqa: SLF001


def _put_pandas(name: str, value: Any) -> None:
    import pandas as pd

    config, _ = _pandas_options()
    if name not in config._deprecated_options:  # noqa: SLF001
        pd.set_option(name, value)
        return
    *above, last = name.split(".")
    functools.reduce(operator.getitem, above, config._global_config)[last] = value  # noqa: SLF001
    if (told := config._registered_options[name].cb) is not None:  # noqa: SLF001
        told(name)


def _numpy() -> dict[str, Any]:
    module = sys.modules.get("numpy")
    if module is None or not hasattr(module, "get_printoptions"):
        return {}
    printing = {f"print {name}": value for name, value in module.get_printoptions().items()}
    calls = {"call": module.geterrcall(), "buffer": module.getbufsize()}
    return printing | calls | {f"error {name}": value for name, value in module.geterr().items()}


def _numpy_defaults() -> dict[str, Any]:
    errors = {"error divide": "warn", "error over": "warn", "error under": "ignore", "error invalid": "warn"}
    shown = {"edgeitems": 3, "threshold": 1000, "precision": 8, "suppress": False, "linewidth": 75}
    return _numpy() | errors | {f"print {name}": value for name, value in shown.items()}


def _put_numpy(name: str, value: Any) -> None:
    import numpy as np

    kind, _, option = name.partition(" ")
    put: dict[str, Callable[[Any], Any]] = {
        "print": lambda wanted: np.set_printoptions(**{option: wanted}),
        "error": lambda wanted: np.seterr(**{option: wanted}),
        "call": np.seterrcall,
        "buffer": np.setbufsize,
    }
    put[kind](value)


def _torch() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "get_default_dtype"):
        return {}
    return {
        "default_dtype": torch.get_default_dtype(),
        "default_device": str(torch.get_default_device()),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "anomaly": torch.is_anomaly_enabled(),
        "grad": torch.is_grad_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
        "printing": dict(vars(torch._tensor_str.PRINT_OPTS)),  # noqa: SLF001  there is no public way to read them
    } | {f"cudnn {name}": getattr(torch.backends.cudnn, name) for name in _CUDNN}


_CUDNN = ("benchmark", "deterministic", "enabled")


def _torch_defaults() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    plain = {"default_device": "cpu", "deterministic": (False, False), "grad": True, "matmul": "highest"}
    plain |= {"anomaly": False, "cudnn benchmark": False, "cudnn deterministic": False, "cudnn enabled": True}
    return _torch() | plain | {"default_dtype": torch.float32}


def _put_torch(name: str, value: Any) -> None:
    import torch

    put: dict[str, Callable[[Any], Any]] = {
        "default_dtype": torch.set_default_dtype,
        "default_device": torch.set_default_device,
        "deterministic": lambda wanted: torch.use_deterministic_algorithms(wanted[0], warn_only=wanted[1]),
        "anomaly": torch.autograd.set_detect_anomaly,
        "grad": torch.set_grad_enabled,
        "matmul": torch.set_float32_matmul_precision,
        "threads": torch.set_num_threads,
        "printing": lambda options: torch.set_printoptions(**options),
    }
    if name.startswith("cudnn "):
        setattr(torch.backends.cudnn, name.removeprefix("cudnn "), value)
    else:
        put[name](value)


def _sklearn() -> dict[str, Any]:
    module = sys.modules.get("sklearn")
    return dict(module.get_config()) if module is not None and hasattr(module, "get_config") else {}


def _put_sklearn(name: str, value: Any) -> None:
    import sklearn

    sklearn.set_config(**{name: value})


def _polars() -> dict[str, Any]:
    module = sys.modules.get("polars")
    return {"state": module.Config.save()} if module is not None and hasattr(module, "Config") else {}


def _put_polars(name: str, value: Any) -> None:
    del name
    import polars as pl

    pl.Config.load(value)


_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


_SIGNALS = ("flags", "traps")


def _decimal() -> dict[str, Any]:
    context = decimal.getcontext()
    signals = {name: dict(getattr(context, name)) for name in _SIGNALS}
    return {name: getattr(context, name) for name in _DECIMAL} | signals


def _put_decimal(name: str, value: Any) -> None:
    if name in _SIGNALS:
        getattr(decimal.getcontext(), name).update(value)
    else:
        setattr(decimal.getcontext(), name, value)


def _logging() -> dict[str, Any]:
    return {name: (one.level, one.propagate, one.disabled) for name, one in loggers().items()}


def _put_logging(name: str, value: Any) -> None:
    if value != GONE:
        one = logging.getLogger(name or None)
        one.setLevel(value[0])
        one.propagate, one.disabled = value[1:]


def _process() -> dict[str, Any]:
    mask = os.umask(0o77)
    os.umask(mask)
    return {
        "working folder": working_folder(),
        "locale": locale.setlocale(locale.LC_ALL),
        "umask": mask,
        "recursion limit": sys.getrecursionlimit(),
        "sys.argv": list(sys.argv),
    }


def _put_process(name: str, value: Any) -> None:
    put: dict[str, Callable[[Any], Any]] = {
        "working folder": os.chdir,
        "locale": lambda wanted: locale.setlocale(locale.LC_ALL, wanted),
        "umask": os.umask,
        "recursion limit": sys.setrecursionlimit,
        "sys.argv": lambda wanted: operator.setitem(sys.argv, slice(None), wanted),
    }
    put[name](value)


KINDS = {
    "environment": Settings(_environ, _put_environ),
    "matplotlib": Settings(_rc, _put_rc, _rc_defaults),
    "backend": Settings(_backend, _put_backend, lambda: {"chosen": "", "said": ""}),
    "pyplot": Settings(_pyplot, _put_pyplot, lambda: {"pyplot loaded": False}),
    "pandas": Settings(_pandas, _put_pandas, _pandas_defaults),
    "numpy": Settings(_numpy, _put_numpy, _numpy_defaults),
    "torch": Settings(_torch, _put_torch, _torch_defaults),
    "sklearn": Settings(_sklearn, _put_sklearn),
    "polars": Settings(_polars, _put_polars),
    "decimal": Settings(_decimal, _put_decimal),
    "logging": Settings(_logging, _put_logging),
    "log handlers": Settings(lambda: {"root": plain_handlers()}, lambda _, value: put_handlers(value)),
    "process": Settings(_process, _put_process),
}
