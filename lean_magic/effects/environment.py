"""Variables of the environment that a cell reads, by whatever way: observed at the moment they are read.

`expanduser`, `gettempdir`, `which` and a library's own settings all end in `os.environ`, whose
mapping is watched while a cell runs. An installed package that is imported by the cell looks for
its own variables, which count, and for the user's folders, which do not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

from lean_magic.effects.contents import is_ours
from lean_magic.effects.elsewhere import variables
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unstorable
from lean_magic.values import fingerprint
from lean_magic.values.origin import origin

__all__ = ["Environment"]

_ALL = "*"
# Differ from kernel to kernel and say nothing about the user's work.
_SESSION = (
    "PYTHONHASHSEED", "JPY_", "_", "SHLVL", "PWD", "OLDPWD", "TERM", "SSH_", "PYDEVD_", "LEAN_MAGIC_", "IPY", "PS1",
    "KMP_",
)  # fmt: skip
_USERS = ("HOME", "USER", "LOGNAME", "PATH", "XDG_", "TMP", "TEMP", "PYTHON")
_SECRETS = ("KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL", "AUTH")
_watching: list[Environment] = []


class _Watched(dict[Any, Any]):
    """Stands in for the mapping below `os.environ`, and tells what is read and set."""

    def __getitem__(self, name: Any) -> Any:
        _tell(name)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[Any]:
        _tell(_ALL)
        return super().__iter__()

    def __len__(self) -> int:
        _tell(_ALL)
        return super().__len__()

    def items(self) -> Any:
        """Give all that is there."""
        _tell(_ALL)
        return super().items()

    def __setitem__(self, name: Any, value: Any) -> None:
        _tell(name, is_set=True)
        super().__setitem__(name, value)

    def __delitem__(self, name: Any) -> None:
        _tell(name, is_set=True)
        super().__delitem__(name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (list(super().items()),)


def _tell(name: Any, *, is_set: bool = False) -> None:
    if is_ours():
        return
    text = os.fsdecode(name) if isinstance(name, bytes) else str(name)
    if is_set or _matters(text):
        for one in tuple(_watching):
            one.met(text, is_set=is_set)


def _matters(name: str) -> bool:
    """Whether the cell asks for the variable, or an installed package as it is imported, for one of its own."""
    frame: Any = sys._getframe(3)  # noqa: SLF001  past what stands in for the mapping
    while frame is not None:
        home = str(frame.f_globals.get("__name__") or "")
        if home == "importlib._bootstrap":
            return not name.startswith((_ALL, *_SESSION, *_USERS))
        if home == "IPython.core.interactiveshell" or home.startswith("lean_magic."):
            return False  # the shell, or we, at our own work
        if home != "os" and origin(home).own:
            return True
        frame = frame.f_back
    return True


class Environment(Recorder):
    """Notes each variable that is read before the cell sets it."""

    name = "environment"

    def __init__(self) -> None:
        self._start: dict[str, str] = {}
        self._own: set[str] = set()
        self._read: set[str] = set()
        self._mapping: Any = None

    def begin(self, run: Run) -> None:
        """Watch the mapping."""
        del run
        self._start = dict(os.environ)
        self._mapping = _mapping()
        _put(_Watched(self._mapping))
        _watching.append(self)

    def cancel(self, run: Run) -> None:
        """Put the mapping back that was there, with what the cell made of it."""
        del run
        if self in _watching:
            _watching.remove(self)
            now = dict(dict.items(_mapping()))
            dict.clear(self._mapping)
            dict.update(self._mapping, now)
            _put(self._mapping)

    def met(self, name: str, *, is_set: bool) -> None:
        """Note that a variable is read or set."""
        if is_set:
            self._own.add(name)
        elif name not in self._own:
            self._read.add(name)

    def end(self, run: Run) -> Record:
        """Give each variable that was read as it was before the cell."""
        self.cancel(run)
        others = variables(run)
        self._read |= ({_ALL} if others is None else others) - self._own
        names = [_ALL] if _ALL in self._read else sorted(self._read)
        return Record({name: _told(name, self._start) for name in names})

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare what the run read."""
        del run
        for name, (digest, before) in (observed or {}).items():
            now = _told(name, dict(os.environ))
            if now[0] != digest:
                what = "variables" if name == _ALL else name
                return f"environment {what}: {before or 'not set'} → {now[1] or 'not set'}"
        return ""

    def include(self, record: Record) -> None:
        """Count what a cell inside read as read by this one."""
        self._read |= record.observed.keys() - self._own


def _told(name: str, environ: dict[str, str]) -> list[str]:
    """Give the digest of a variable, or of all but the session's own, and a few words for it."""
    if name == _ALL:
        content = {one: environ[one] for one in sorted(environ) if not one.startswith(_SESSION)}
        return [fingerprint(content), f"{len(content)} of them"]
    value = environ.get(name)
    hidden = any(word in name.upper() for word in _SECRETS)
    return [fingerprint(value), "" if value is None else "…" if hidden else value[:40]]


def _mapping() -> Any:
    if type(os.environ).__name__ != "_Environ":
        raise Unstorable("os.environ", "is not what Python made any more", "change what it holds instead")
    return vars(os.environ)["_data"]


def _put(mapping: Any) -> None:
    for environ in {id(one): one for one in (os.environ, getattr(os, "environb", os.environ))}.values():
        vars(environ)["_data"] = mapping
