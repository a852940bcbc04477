"""Where code comes from: the notebook, a local file, an installed package, Python itself.

Code that the user edits is compared by content; installed code by the version of
its distribution; the standard library by the version of Python.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import os
import re
import site
import sys
import types
from typing import Any, NamedTuple

__all__ = [
    "IMMUTABLE",
    "Origin",
    "inside_extension",
    "is_a",
    "is_local",
    "is_own",
    "is_stand_in",
    "look_for_records",
    "module_of",
    "origin",
    "package_version",
    "path_origin",
    "record_of",
]


class Origin(NamedTuple):
    """`kind` is "notebook", "local", "installed" or "python"; `package` the top-level name."""

    kind: str
    package: str

    @property
    def installed(self) -> bool:
        """Whether a version stands for the code."""
        return self.kind == "installed"

    @property
    def own(self) -> bool:
        """Whether the user may edit the code, so that content stands for it."""
        return self.kind in {"notebook", "local"}


def origin(module: str) -> Origin:
    """Tell where the module called `module` comes from, as it is loaded now."""
    package = module.partition(".")[0]
    if package == "__main__" or not package:
        return Origin("notebook", "__main__")
    if package == "lean_magic":
        return Origin("installed", package)
    if package in sys.stdlib_module_names or package in sys.builtin_module_names:
        return Origin("python", package)
    live = sys.modules.get(module)
    if live is None:
        live = sys.modules.get(package)
    if live is None and "." not in module and (home := _extension_with(module)) is not None:
        return origin(home)
    above = sys.modules.get(module.rpartition(".")[0])
    if getattr(live, "__file__", None) is None and str(getattr(above, "__file__", None)).endswith(_BUILT):
        live = above  # an extension in C, which has made this one inside itself
    return Origin(_live_kind(live), package)


def inside_extension(name: str) -> types.ModuleType | None:
    """Find a module of a bare name that an extension in C has made inside itself, and that no import finds."""
    home = _extension_with(name) if name not in sys.modules and name.isidentifier() else None
    inner: types.ModuleType | None = None if home is None else vars(sys.modules[home])[name]
    return inner


def _extension_with(name: str) -> str | None:
    """Name the extension that holds such a module."""
    return _searched(name, len(sys.modules))


@functools.lru_cache(maxsize=256)
def _searched(name: str, loaded: int) -> str | None:
    del loaded  # where there are more modules, there may be one that has it
    for home, one in list(sys.modules.items()):
        inner: Any = vars(one).get(name) if is_a(one, types.ModuleType) else None
        is_bare = is_a(inner, types.ModuleType) and not hasattr(inner, "__file__") and inner.__name__ == name
        if is_bare and str(getattr(one, "__file__", None)).endswith(_BUILT):
            return home
    return None


_BUILT = tuple(importlib.machinery.EXTENSION_SUFFIXES)


def _live_kind(live: Any) -> str:
    if live is None:
        return "notebook"
    path = getattr(live, "__file__", None)
    if not path:
        paths = list(getattr(live, "__path__", []) or [])
        path = os.path.join(paths[0], "__init__.py") if paths else None
    # A module made in the notebook (types.ModuleType) has no file: it is the notebook's own.
    return path_origin(path) if path else "notebook"


@functools.lru_cache(maxsize=4096)
def path_origin(path: str) -> str:
    """Tell the kind of origin of a file: "installed", "python" or "local"."""
    real = os.path.realpath(path)
    if any(folder in real for folder in _SITE) or any(map(real.startswith, _site_folders())):
        return "installed"
    if any(real.startswith(folder) for folder in _python_folders()):
        return "python"
    return "local"


def is_local(module: Any) -> bool:
    """Whether a module's file is the user's; some modules that libraries make by hand have the path of nothing."""
    path, name = getattr(module, "__file__", None), str(getattr(module, "__name__", ""))
    ours = name.partition(".")[0] in {"lean_magic", "__main__"}  # the program itself has a second name, too
    return not ours and isinstance(path, str) and os.path.isabs(path) and path_origin(path) == "local"


_SITE = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def is_stand_in(name: str, module: Any) -> bool:
    """Whether what `sys.modules` holds under a name is neither a module nor what its own library has put there."""
    cls = type(module)  # a mock says of itself whatever it is asked
    return not issubclass(cls, types.ModuleType) and origin(cls.__module__).package != name.partition(".")[0]


@functools.lru_cache(maxsize=1)
def _site_folders() -> tuple[str, ...]:
    found = {*site.getsitepackages(), site.getusersitepackages()}
    return tuple(os.path.realpath(folder) + os.sep for folder in found if folder)


@functools.lru_cache(maxsize=1)
def _python_folders() -> tuple[str, ...]:
    # Not by sysconfig: this is asked as files are opened, and it opens one to find out.
    name = "python{}.{}".format(*sys.version_info[:2])
    found = {os.path.dirname(os.__file__), os.path.join(sys.base_exec_prefix, sys.platlibdir, name)}
    return tuple(os.path.realpath(folder) + os.sep for folder in found if folder)


def module_of(obj: Any) -> str:
    """Name the module of a class or function; Cython's own function class has a descriptor there."""
    name = getattr(obj, "__module__", None)
    return name if isinstance(name, str) else "builtins"


IMMUTABLE = 1 << 8  # Py_TPFLAGSIMMUTABLETYPE: a class written in C, which has no code to compare


def is_a(value: Any, kinds: type | tuple[type, ...]) -> bool:
    """Whether a value is of a class by its type alone; `isinstance` also asks the value, which may run its code."""
    return issubclass(type(value), kinds)


def is_own(obj: Any) -> bool:
    """Whether a function or class is the user's own, to be compared by content."""
    if isinstance(obj, type) and obj.__flags__ & IMMUTABLE:
        return False
    space = getattr(obj, "__globals__", None)
    name = space.get("__name__") if isinstance(space, dict) else None
    if name is None:  # a class, or a function that was made with globals of its own
        name = getattr(obj, "__module__", None)
    return origin(str(name or "")).own


def package_version(package: str) -> str:
    """Version of the distribution that provides a top-level package, or "" if nobody knows.

    A package upgraded on disk under a running kernel still runs its old code: then both versions are told.
    """
    installed = _installed_version(package)
    module = sys.modules.get(package)
    # A plain module that makes its version up when it is asked for warns that nobody should.
    plain = type(module) is types.ModuleType
    loaded = vars(module).get("__version__") if plain else getattr(module, "__version__", None)
    if not isinstance(loaded, str):
        return installed
    # What stands behind a "+" names the build; wheels of torch say it of themselves, and their records do not.
    known = {loaded, loaded.partition("+")[0]} & {*installed.split()}
    return installed if known else f"{installed} (loaded: {loaded})"


@functools.lru_cache(maxsize=1024)
def _installed_version(package: str) -> str:
    folder = record_of(package)
    if folder and not _is_replaced():
        return os.path.basename(folder).removesuffix(_RECORD).partition("-")[2]
    if folder == "" and not _is_replaced() and (found := _providers(package)):
        return " ".join(f"{name} {version}" for name, version in sorted(found.items()))
    import importlib.metadata  # which brings the parser of mails along

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pass
    names = _distributions().get(package, [])
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in sorted(set(names)))


def _is_replaced() -> bool:
    """Whether somebody stands in for `importlib.metadata.version`, and is to be believed."""
    metadata = sys.modules.get("importlib.metadata")
    return metadata is not None and getattr(metadata.version, "__module__", "") != metadata.__name__


_RECORD = ".dist-info"


@functools.lru_cache(maxsize=1024)
def record_of(package: str) -> str | None:
    """Find the folder that an installer has left of a distribution named like a package.

    "" if there is none, None if that takes a closer look. Its name is that of the distribution, normalised, and
    the version: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    This spares a process that only replays the import of importlib.metadata and of the parser of mails.
    """
    for folder in sys.path:
        with contextlib.suppress(OSError):  # no folder: an archive, or nothing
            names = _records(folder or ".", os.stat(folder or ".").st_mtime_ns).get(
                _normal(package.lower()), []
            )
            if names:
                record = os.path.join(folder, names[0])
                only = len(names) == 1 and names[0].endswith(_RECORD) and names[0].count("-") == 2
                return record if only and os.path.isfile(os.path.join(record, "METADATA")) else None
    return ""


@functools.lru_cache(maxsize=256)
def _records(folder: str, changed: int) -> dict[str, list[str]]:
    """Give the records in a folder by the names of their distributions; `changed` is when it last was (ns)."""
    del changed
    found: dict[str, list[str]] = {}
    for name in os.listdir(folder):
        if name.endswith((_RECORD, ".egg-info")):
            stem = name.rpartition(".")[0].partition("-")[0]
            found.setdefault(_normal(stem.lower()), []).append(name)
    return found


def _providers(package: str) -> dict[str, str]:
    """Give the distributions of other names that provide a package, as scikit-learn does sklearn, and their versions.

    importlib.metadata looks for that, too, but reads all of every distribution there is.
    """
    found: dict[str, str] = {}
    for folder in sys.path:
        with contextlib.suppress(OSError):
            names = _records(folder or ".", os.stat(folder or ".").st_mtime_ns).values()
            for record in (os.path.join(folder, name) for group in names for name in group):
                if _provides(record, package):
                    about = _text(record, "METADATA") or _text(record, "PKG-INFO")
                    told = [
                        re.search(rf"^{word}: *(.+?)\s*$", about, re.MULTILINE)
                        for word in ("Name", "Version")
                    ]
                    if all(told):
                        found.setdefault(*(match[1] for match in told if match))
    return found


def _provides(record: str, package: str) -> bool:
    """Whether what an installer has left of a distribution lists a package, or a module of that name."""
    if declared := _text(record, "top_level.txt").split():
        return package in declared
    listed = rf"^{re.escape(package)}(?:/|\.py,|\.[^/\n]*\.(?:so|pyd),)"
    return re.search(listed, _text(record, "RECORD"), re.MULTILINE) is not None


def _text(record: str, name: str) -> str:
    with (
        contextlib.suppress(OSError),
        open(os.path.join(record, name), encoding="utf-8", errors="replace") as file,
    ):
        return file.read()
    return ""


def _normal(name: str) -> str:
    name = name.replace("-", "_").replace(".", "_")
    return re.sub("_+", "_", name) if "__" in name else name


def look_for_records() -> None:
    """List what is installed, which the first cached cell would do."""
    for folder in sys.path:
        with contextlib.suppress(OSError):
            _records(folder or ".", os.stat(folder or ".").st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _distributions() -> dict[str, list[str]]:
    import importlib.metadata

    return dict(importlib.metadata.packages_distributions())
