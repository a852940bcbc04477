"""What a cell may hang into the process, to be called later: handlers, hooks, finalizers, registrations."""

from __future__ import annotations

import abc
import atexit
import signal
import sys
import threading
import types
import weakref
from typing import Any

from lean_magic.effects.recorder import Run
from lean_magic.values.code_rules import registered

__all__ = ["hooks"]


def hooks(run: Run) -> dict[str, Any]:
    """Give what is there now, by the name to be told; what only libraries use is asked for where the code names it."""
    found: dict[str, Any] = {
        "sys.excepthook": sys.excepthook,
        "sys.settrace": sys.gettrace(),
        "sys.setprofile": sys.getprofile(),
        "threading.excepthook": threading.excepthook,
        "sys.modules": _made_by_hand(),
    }
    said = run.words | run.constants
    if "atexit" in said | set(run.imports):
        found["atexit"] = atexit._ncallbacks()  # noqa: SLF001  there is no public way to ask
    if "signal" in said:
        found |= {f"the handler of {one.name}": _handler(one) for one in signal.Signals}
    if "finalize" in said:
        found["weakref.finalize"] = set(weakref.finalize._registry)  # type: ignore[attr-defined]  # noqa: SLF001
    if "register" in said:
        found["an abstract base class of a library"] = int(str(abc.get_cache_token())) - _own_registrations(
            run
        )
    return found


def _handler(one: signal.Signals) -> Any:
    try:
        return signal.getsignal(one)
    except ValueError:  # not known to this system
        return None


def _made_by_hand() -> frozenset[tuple[str, int]]:
    """Name the modules that no import can find."""
    modules = list(sys.modules.items())
    return frozenset(
        (name, id(module)) for name, module in modules if name != "__main__" and not _has_spec(module)
    )


def _has_spec(module: Any) -> bool:
    return not isinstance(module, types.ModuleType) or vars(module).get("__spec__") is not None


def _own_registrations(run: Run) -> int:
    """Count what is registered with classes of the notebook, which are put back with them."""
    own = {id(value): value for value in run.namespace.values() if isinstance(value, type)}
    return sum(len(registered(cls)) for cls in own.values())
