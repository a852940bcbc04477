"""What a cell may hang into the process, to be called later: handlers, hooks, finalizers, registrations."""

from __future__ import annotations

import abc
import atexit
import copyreg
import gc
import logging
import signal
import socket
import sys
import threading
import time
import types
import warnings
import weakref
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, cast

from lean_magic.effects.log_handlers import told
from lean_magic.effects.printers import printers
from lean_magic.effects.recorder import Run
from lean_magic.values.class_rules import registered
from lean_magic.values.logger_rules import set_up
from lean_magic.values.origin import is_stand_in, origin

__all__ = ["PUT", "hooks"]


def hooks(run: Run) -> dict[str, Any]:
    """Give what is there now, by the name to be told; what only libraries use is asked for where the code names it."""
    found: dict[str, Any] = {
        "sys.excepthook": sys.excepthook,
        "sys.settrace": sys.gettrace(),
        "sys.setprofile": sys.getprofile(),
        "threading.excepthook": threading.excepthook,
        "warnings.catch_warnings": _shown_warnings(run.words),
    }
    said = run.words | run.constants | run.said.puts
    if "modules" in said:
        found["sys.modules"] = _made_by_hand()
        found["a module in sys.modules"] = _Growing(
            (name, id(one)) for name, one in list(sys.modules.items())
        )
    if "atexit" in said | set(run.imports):
        found["atexit"] = atexit._ncallbacks()  # noqa: SLF001  there is no public way to ask
    if "signal" in said:
        found |= {f"the handler of {one.name}": _handler(one) for one in signal.Signals}
    for word, (name, ask) in _ASKED.items():
        if word in said:
            found[name] = ask()
    for words, name, look in _LOOKED_AT:
        if not words.isdisjoint(said):
            found[name] = look(run)
    torch: Any = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "is_autocast_enabled"):
        found["a context of torch"] = _torch_contexts(torch)
    found["the state of accelerate"] = _accelerate()
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is not None:
        found["pyplot's open figures"] = list(helpers.Gcf.figs)
    return found


# Word in the code → (what it may set, how to ask for it).
_ASKED: dict[str, tuple[str, Callable[[], Any]]] = {
    "gc": ("garbage collection", lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug())),
    "setswitchinterval": ("sys.setswitchinterval", sys.getswitchinterval),
    "set_int_max_str_digits": ("sys.set_int_max_str_digits", sys.get_int_max_str_digits),
    "setdefaulttimeout": ("socket.setdefaulttimeout", socket.getdefaulttimeout),
    "copyreg": ("copyreg", lambda: dict(copyreg.dispatch_table)),
    "disable": ("logging.disable", lambda: logging.root.manager.disable),
    "tracemalloc": ("tracemalloc", lambda: _told("tracemalloc", "is_tracing")),
    "faulthandler": ("faulthandler", lambda: _told("faulthandler", "is_enabled")),
    "stack_size": ("threading.stack_size", object),  # to ask would set it
    "ion": ("pyplot.ion()", lambda: _told("matplotlib", "is_interactive")),
    "ioff": ("pyplot.ioff()", lambda: _told("matplotlib", "is_interactive")),
    "meta_path": ("sys.meta_path", lambda: list(sys.meta_path)),
    "path_hooks": ("sys.path_hooks", lambda: list(sys.path_hooks)),
    "setLogRecordFactory": ("logging.setLogRecordFactory", logging.getLogRecordFactory),
    "set_coroutine_origin_tracking_depth": ("sys", sys.get_coroutine_origin_tracking_depth),
    "set_asyncgen_hooks": ("sys.set_asyncgen_hooks", sys.get_asyncgen_hooks),
    "putenv": ("os.putenv", object),
    "unsetenv": ("os.unsetenv", object),
    "YAMLObject": ("yaml", object),  # its metaclass registers the class
    "tzset": ("the time zone", lambda: (time.tzname, time.timezone)),
    "setrlimit": ("setrlimit", object),
    "nice": ("os.nice", object),
    "sched_setaffinity": ("sched_setaffinity", object),
}


def _put_gc(wanted: tuple[bool, tuple[int, int, int], int]) -> None:
    (gc.enable if wanted[0] else gc.disable)()
    gc.set_threshold(*wanted[1])
    gc.set_debug(wanted[2])


def _put_interactive(wanted: bool) -> None:
    from matplotlib import pyplot

    (pyplot.ion if wanted else pyplot.ioff)()


# What of these is no more than a setting: name → how to set it.
PUT: dict[str, Callable[[Any], Any]] = {
    "garbage collection": _put_gc,
    "sys.setswitchinterval": sys.setswitchinterval,
    "sys.set_int_max_str_digits": sys.set_int_max_str_digits,
    "socket.setdefaulttimeout": socket.setdefaulttimeout,
    "logging.disable": logging.disable,
    "pyplot.ion()": _put_interactive,
    "pyplot.ioff()": _put_interactive,
}


class _Growing(frozenset[Any]):
    """Differs from what was there before only if that is no longer there."""

    def __ne__(self, before: object) -> bool:
        return not cast("AbstractSet[Any]", before) <= self

    __hash__ = frozenset.__hash__


def _shown_warnings(said: AbstractSet[str]) -> list[Any]:
    """Tell what becomes of warnings, which an entered `catch_warnings` changes until it is left.

    Where code enters nothing by itself, another list of filters is a matter of threads of a library, which enter and
    leave it as it happens.
    """
    shows = warnings.showwarning
    theirs = origin(str(getattr(shows, "__module__", ""))).installed  # which libraries do as they are loaded
    filters = id(warnings.filters) if not _ENTERS.isdisjoint(said) else None
    return [filters, warnings._showwarnmsg_impl, None if theirs else shows]  # type: ignore[attr-defined]  # noqa: SLF001


_ENTERS = {"catch_warnings", "__enter__", "enter_context"}


def _torch_contexts(torch: Any) -> list[Any]:
    """Tell which contexts of torch are entered that no setting of its own stands for."""
    kinds = ("cpu", "cuda")
    casts = [(torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in kinds]
    return [torch.is_inference_mode_enabled(), *casts]


def _torch_modes(run: Run) -> list[int]:
    """Give the modes of torch that are entered, but for that of the default device."""
    del run
    overrides: Any = sys.modules.get("torch.overrides")
    if overrides is None:
        return []
    known = sys.modules["torch.utils._device"].DeviceContext
    stack = overrides._get_current_function_mode_stack()  # noqa: SLF001
    dispatching = sys.modules["torch.utils._python_dispatch"]._get_current_dispatch_mode_stack()  # noqa: SLF001
    return [id(mode) for mode in (*stack, *dispatching) if not isinstance(mode, known)]


def _accelerate() -> list[bool]:
    """Tell which states of the process the first `Accelerator`, or trainer of transformers, has made."""
    state: Any = sys.modules.get("accelerate.state")
    kinds = (getattr(state, name, None) for name in ("PartialState", "AcceleratorState"))
    return [bool(getattr(kind, "_shared_state", None)) for kind in kinds]


def _told(module: str, question: str) -> bool:
    """Ask a module that may not be loaded whether it does anything."""
    return module in sys.modules and getattr(sys.modules[module], question)()


# What registers functions that show objects.
_PRINTERS = {
    "init_printing",
    "init_vprinting",
    "mechanics_printing",
    "init_session",
    "notebook_extension",
    "for_type",
    "for_type_by_name",
    "extension",
    "type_printers",
    "deferred_printers",
}

_ON_LOGGERS = {
    "addHandler",
    "addFilter",
    "removeHandler",
    "handlers",
    "filters",
    "dictConfig",
    "fileConfig",
    "captureWarnings",
}


def _loggers(run: Run) -> dict[str, Any]:
    """Give what hangs on loggers, but for those that the cell reaches, which are put back, and those of libraries."""
    live = {id(one) for one in run.walk.objects if isinstance(one, logging.Logger)}
    found = set_up(lambda name, one: id(one) not in live and not origin(name or "root").installed)
    # Whether a logger hands on, and whether it is disabled, are settings that are put back.
    return {
        name: (handlers, filters) for name, (handlers, filters, *_) in found.items() if handlers or filters
    }


def _root(run: Run) -> list[Any]:
    """Give the root logger's handlers, but for those that are put back; others may have been given by a name."""
    own = "handlers" in run.words | run.constants
    return [one for one in logging.root.handlers if own or told(one) is None]


def _finalizers(run: Run) -> set[Any]:
    del run
    return set(weakref.finalize._registry)  # type: ignore[attr-defined]  # noqa: SLF001


def _outputs(run: Run) -> list[tuple[int, Any]]:
    found = run.namespace.get("_oh")
    return list(found.items()) if type(found) is dict else []


def _mocks(run: Run) -> list[int]:
    """Give the patches of `unittest.mock` that are in force beyond a `with` or a decorator."""
    del run
    mock: Any = sys.modules.get("unittest.mock")
    return list(map(id, mock._patch._active_patches)) if mock is not None else []  # noqa: SLF001


def _loop(run: Run) -> Any:
    """Give the settings of the event loop that runs the cells."""
    del run
    loops: Any = sys.modules.get("asyncio.events")
    loop = loops._get_running_loop() if loops is not None else None  # noqa: SLF001  else there may be none
    return loop is not None and (loop.get_debug(), loop.get_exception_handler())


def _registrations(run: Run) -> int:
    """Count what is registered with abstract base classes, but for those of the notebook."""
    return cast("int", abc.get_cache_token()) - _own_registrations(run)


# Words in the code, what it may change, how to look at that.
_LOOKED_AT: tuple[tuple[AbstractSet[str], str, Callable[[Run], Any]], ...] = (
    (_PRINTERS, "a function that shows objects", lambda run: printers(run.shell)),
    (_ON_LOGGERS, "a handler of a logger", _loggers),
    ({"basicConfig"}, "the root logger", _root),
    ({"Out", "_oh"}, "Out", lambda run: _Growing((place, id(one)) for place, one in _outputs(run))),
    ({"finalize"}, "weakref.finalize", _finalizers),
    ({"start", "stop", "stopall", "patch"}, "a patch of unittest.mock", _mocks),
    ({"set_debug", "set_exception_handler"}, "a setting of the event loop", _loop),
    ({"__enter__", "enter_context"}, "a mode of torch", _torch_modes),
    ({"register"}, "an abstract base class of a library", _registrations),
)


def _handler(one: signal.Signals) -> Any:
    try:
        return signal.getsignal(one)
    except ValueError:  # not known to this system
        return None


def _made_by_hand() -> frozenset[tuple[str, int]]:
    """Name the modules that no import can find, and what stands in the place of one."""
    modules = list(sys.modules.items())
    return frozenset(
        (name, id(module)) for name, module in modules if name != "__main__" and not _is_found(name, module)
    )


def _is_found(name: str, module: Any) -> bool:
    """Whether an import of this name gives this module; libraries name some of theirs twice, below a name of theirs."""
    if module is None:  # which keeps a module from being imported
        return False
    if not issubclass(type(module), types.ModuleType):
        return not is_stand_in(name, module)
    spec = vars(module).get("__spec__")
    return spec is not None and ("." in name or origin(spec.name).package == origin(name).package)


def _own_registrations(run: Run) -> int:
    """Count what is registered with classes of the notebook, which are put back with them."""
    own = {id(value): value for value in run.namespace.values() if isinstance(value, type)}
    return sum(len(registered(cls)) for cls in own.values())
