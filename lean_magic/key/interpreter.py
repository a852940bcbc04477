"""Settings of Python's own that a cell's code asks for, or that decide what becomes of warnings and messages."""

from __future__ import annotations

import decimal
import gc
import locale
import logging
import os
import re
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from lean_magic.host import working_folder
from lean_magic.values.code import CodeFacts
from lean_magic.values.filter_rules import SETS_FILTERS, as_set
from lean_magic.values.logger_rules import keepers, loggers, set_up
from lean_magic.values.origin import origin

__all__ = ["interpreter_settings", "logging_settings", "logs", "look_at_filters", "note_filters"]


def logs(reached: CodeFacts) -> bool:
    """Whether code may send messages or warnings."""
    return not (_LOGGING | {"warn", "warn_explicit"}).isdisjoint({*reached.loads, *reached.attributes})


def logging_settings() -> dict[str, Any]:
    """Give what becomes of a message, where somebody has set that: the handlers and filters of loggers."""
    found: dict[str, Any] = {
        f"on logger {name or 'root'}": list(state)
        for name, state in _loggers().items()
        if state != _AT_START.get(name) and not origin(name or "root").installed
    }
    captures = logging._warnings_showwarning is not None  # type: ignore[attr-defined]  # noqa: SLF001  set by captureWarnings
    disabled, makes = logging.Logger.manager.disable, logging.getLogRecordFactory()
    if disabled or captures or makes is not logging.LogRecord:
        found["in logging"] = [disabled, captures, makes]
    if kept := sorted(keepers()):
        found["keeps messages"] = kept
    return found


def _loggers() -> dict[str, tuple[list[Any], list[Any], bool, bool]]:
    """Give what hangs on loggers, but for those of libraries."""
    return set_up(lambda _, one: not _is_of_a_library(one))


def _is_of_a_library(logger: logging.Logger) -> bool:
    """Whether a library has set up how a logger shows its messages, as the front end does for itself."""
    kinds = [(type(one).__module__, type(one.formatter).__module__) for one in logger.handlers]
    theirs = (any(origin(home).installed for home in homes) for homes in kinds)
    return bool(kinds) and not logger.filters and all(theirs)


_AT_START = _loggers()  # the front end's own


def interpreter_settings(reached: CodeFacts) -> dict[str, Any]:
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
    found["warning filters"] = _filters() or ""
    if words & _LOGGING:
        found["logging levels"] = logging_levels() or ""
    found |= _interpreter(words) | _capacity(words)
    if words & _TIME:
        found["time zone"] = (time.tzname, time.timezone)
    if reached.hashes:
        found["hash seed (PYTHONHASHSEED)"] = hash("of a text")
    if words & {"umask", "st_mode"}:
        found["umask"] = _umask()
    if words & _FOLDER:
        found["working folder"] = working_folder()
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
    if (
        words & {"getrecursionlimit", "setrecursionlimit", "RecursionError"}
        or sys.getrecursionlimit() != _USUAL
    ):
        found["recursion limit"] = sys.getrecursionlimit()
    if words & {"isenabled", "get_threshold"}:
        found["garbage collection"] = gc.isenabled(), gc.get_threshold()
    found |= {name: ask() for name, ask in _ASKED.items() if name in words}
    if "getdefaulttimeout" in words:
        found["socket timeout"] = socket.getdefaulttimeout()
    if "getsignal" in words:
        found["signal handlers"] = [str(signal.getsignal(one)) for one in signal.valid_signals()]
    if words & _ARGUMENTS or ("sys" in words and "argv" in words):
        # The front end's own arguments name a file that is another one for each kernel.
        found["sys.argv"] = [argument for argument in sys.argv[1:] if not re.search(_KERNEL, argument)]
    if "sys" in words and "path" in words:
        found["sys.path"] = list(sys.path)
    if words & {"getlocale", "localeconv", "setlocale", "strcoll", "strxfrm", "nl_langinfo"}:
        found["whole locale"] = locale.setlocale(locale.LC_ALL)
    return found


_ASKED: dict[str, Callable[[], Any]] = {
    "getswitchinterval": sys.getswitchinterval,
    "get_debug": gc.get_debug,
    "is_tracing": lambda: "tracemalloc" in sys.modules and sys.modules["tracemalloc"].is_tracing(),
    "meta_path": lambda: [type(one).__name__ for one in sys.meta_path],
    "path_hooks": lambda: len(sys.path_hooks),
    "dont_write_bytecode": lambda: sys.dont_write_bytecode,
    "gettrace": lambda: str(sys.gettrace()),
    "getprofile": lambda: str(sys.getprofile()),
}


def _capacity(words: set[str]) -> dict[str, Any]:
    """Give what the code asks of what this process may use."""
    found: dict[str, Any] = {}
    torch: Any = sys.modules.get("torch")
    if torch is not None and "get_num_threads" in words:
        found["torch.get_num_threads"] = torch.get_num_threads()
    limits: Any = sys.modules.get("resource")
    if limits is not None and "getrlimit" in words:
        kinds = sorted(word for word in words if word.startswith("RLIMIT_") and hasattr(limits, word))
        found["resource limits"] = [(kind, limits.getrlimit(getattr(limits, kind))) for kind in kinds]
    return found


_ARGUMENTS = {"parse_args", "parse_known_args", "argparse", "optparse", "getopt", "fire", "click"}
_KERNEL = r"^-f$|^--f=|kernel\S*\.json$|^--HistoryManager|^--LeanMagic"
_USUAL = 1000  # calls; IPython allows more
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
    """List the warning filters that the user set, not those of the front end or a library, and lost ones of Python."""
    now = list(map(as_set, warnings.filters))
    own = [item for item in now if item in _users or (item not in _libraries and not _is_librarys(item))]
    lost = [item for item in _PYTHONS if as_set(item) not in now]
    return [*map(str, own), *(f"not {item}" for item in lost)]


def look_at_filters(words: Iterable[str], *, earlier: bool = False) -> None:
    """Tell the user's new warning filters from those of libraries, after code that says `words` has run.

    With `earlier` that is all code that ran before ours was loaded.
    """
    said = set(words)
    if earlier and not SETS_FILTERS.isdisjoint(said):
        _seen[:] = _libraries[:] = _pythons()
    new = [item for item in map(as_set, warnings.filters) if item not in _seen]
    _seen.extend(new)
    if SETS_FILTERS.isdisjoint(said):
        _libraries.extend(new)
    else:
        _users.extend(item for item in new if getattr(item[2], "__name__", "") in said)


def note_filters(before: list[Any]) -> list[Any]:
    """Take the filters that came since `before`, while no code of the user's ran, for those of libraries."""
    now = list(map(as_set, warnings.filters))
    new = [item for item in now if item not in before and item not in _seen]
    _seen.extend(new)
    _libraries.extend(new)
    return now


_QUIET = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
_PYTHONS: list[Any] = [  # the filters that Python starts with
    ("default", None, DeprecationWarning, "__main__", 0),
    *(("ignore", None, category, None, 0) for category in _QUIET),
]


def _pythons() -> list[Any]:
    """List the filters that Python starts with, as far as they are there."""
    known = list(map(as_set, _PYTHONS))
    return [item for item in map(as_set, warnings.filters) if item in known]


def _in_shell() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


# In a program nobody has looked at the code that ran before; a front end sets filters of its own.
_seen: list[Any] = list(map(as_set, warnings.filters)) if _in_shell() else _pythons()
_libraries: list[Any] = list(_seen)
_users: list[Any] = []  # of which the code names the category


def _is_librarys(item: Any) -> bool:
    category, module = item[2], item[3]
    pattern = module if isinstance(module, str) else getattr(module, "pattern", "")
    named = re.match(r"\w*", pattern.lstrip("^(\\A"))
    home = origin(named.group()) if named and named.group() in sys.modules else None
    return bool(home and home.installed) or origin(str(category.__module__)).installed


def logging_levels() -> dict[str, int]:
    """Give the levels of all loggers that have one of their own."""
    levels = {name: one.level for name, one in loggers().items() if one.level}
    return {name: level for name, level in levels.items() if name or level != logging.WARNING}


_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "traps")
_LOCALE = ("LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY")
_TIME = {
    "time", "datetime", "localtime", "astimezone", "fromtimestamp", "timestamp", "strftime", "mktime", "ctime", "now",
    "today", "asctime", "tzname", "timezone", "tzlocal", "formatdate", "from_file",
}  # fmt: skip
_FOLDER = {"getcwd", "getcwdb", "cwd", "abspath", "realpath", "relpath", "resolve", "absolute", "chdir"}
