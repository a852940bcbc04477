"""Modules named by imports: where they are, and what a local one would load, before it is loaded."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import types
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lean_magic.values.code import CodeFacts, Import, facts
from lean_magic.values.fingerprint import leaf
from lean_magic.values.origin import is_local, path_origin
from lean_magic.values.silence import silence

__all__ = [
    "Source",
    "absolute",
    "asked",
    "closure",
    "held_by_modules",
    "is_plain",
    "load_plain",
    "loaded_own",
    "place_of",
    "plain_at",
    "quiet",
]

_SETTING_TYPES = (bool, int, float, complex, str, bytes, tuple, type(None))


def absolute(imported: Import, package: str) -> str:
    """Give the full name of the module an import asks for, from inside `package`."""
    if not imported.level:
        return imported.module
    parts = package.split(".")
    base = parts[: len(parts) - imported.level + 1]
    return ".".join([*base, imported.module] if imported.module else base)


def is_plain(value: Any) -> bool:
    """Whether a module's attribute is a plain value, which its functions may set: an option, a constant."""
    return isinstance(value, _SETTING_TYPES)


def plain_at(module: str, chain: Sequence[str]) -> tuple[str, Any] | None:
    """Find the first plain value along `module.chain`, with its full name; None if there is none yet."""
    owner: Any = sys.modules.get(module)
    for name in chain:
        if not isinstance(owner, types.ModuleType) or name not in vars(owner):
            return None
        value = vars(owner)[name]
        if is_plain(value):
            return f"{owner.__name__}.{name}", value
        owner = value
    return None


def load_plain(full_name: str) -> Any:
    """Give a plain value by its full name, importing its module as the cell would. Raises LookupError."""
    module, _, name = full_name.rpartition(".")
    try:
        with silence():
            found = plain_at(importlib.import_module(module).__name__, [name])
    except ImportError as error:
        raise LookupError(full_name) from error
    if found is None:
        raise LookupError(full_name)
    return found[1]


def held_by_modules(imports: Iterable[Import]) -> dict[int, tuple[str, str]]:
    """Give the ids of objects that modules hold, with (module, name).

    All that local modules hold counts, and of installed ones what the imports take from them by name.
    """
    held: dict[int, tuple[str, str]] = {}
    for imported in imports:
        space = getattr(sys.modules.get(imported.module), "__dict__", {})
        public = space.get("__all__") or [name for name in space if not name.startswith("_")]
        names = public if "*" in imported.names else imported.names
        held |= {id(space[name]): (imported.module, name) for name in names if _is_object(space.get(name))}
    for module, live in list(sys.modules.items()):
        if is_local(live):
            names = vars(live).items()
            held |= {
                id(value): (module, name) for name, value in names if name[:2] != "__" and _is_object(value)
            }
    return held


def _is_object(value: Any) -> bool:
    """Whether it is something with an identity that pickle does not find by itself."""
    return not isinstance(value, (*_SETTING_TYPES, types.ModuleType, types.FunctionType, type))


class Source(NamedTuple):
    """A local module that is not loaded: the digest of its source (blind to layout), and what its code says."""

    digest: str
    said: CodeFacts


def closure(name: str) -> dict[str, Source | None]:
    """Find every module that importing `name` would load, or find loaded.

    Gives the source of local ones that are not loaded, None for those that are and for installed ones.
    """
    found: dict[str, Source | None] = {}
    todo = [name]
    while todo:
        module = todo.pop()
        if module and module not in found:
            path = None if module in sys.modules else _locate(module)
            if path is None or path_origin(str(path)) != "local":
                found[module if module in sys.modules else module.partition(".")[0]] = None
                continue
            source, imports = _source(path.read_bytes(), path.suffix)
            found[module] = source
            package = module if path.name == "__init__.py" else module.rpartition(".")[0]
            todo += _names(imports, package) + _parents(module)
    return found


def place_of(module: str) -> str:
    """Give the path of a module's file, "" if it has none."""
    return str(_locate(module) or "")


def loaded_own() -> list[str]:
    """Name the local modules that are loaded, any of which code may find by a text that only running can tell."""
    return sorted(
        name for name, module in list(sys.modules.items()) if name != "__main__" and is_local(module)
    )


def asked(reached: CodeFacts, words: Collection[str], few: Collection[str]) -> dict[str, str]:
    """Give what code asks about modules by their names, with the answers: whether they are loaded, or can be.

    `words` are the texts of values, `few` the same where each of them may be looked for.
    """
    found: dict[str, str] = {}
    if not _LOADED.isdisjoint(reached.loads.get("sys", ())):
        names = sorted(name for name in {*reached.strings, *words} if name in sys.modules)
        found |= {f"sys.modules[{name!r}]": "loaded" for name in names}
    if not _FINDS.isdisjoint({*reached.attributes, *reached.loads}):
        names = sorted(
            {text.partition(".")[0] for text in {*reached.strings, *few} if re.fullmatch(_DOTTED, text)}
        )
        found |= {f"finding {name}": "is there" if _is_there(name) else "is not there" for name in names}
    return found


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


_FINDS = {"find_spec", "import_module", "__import__"}
_LOADED = {("modules",), ("modules", "get")}
_DOTTED = r"(?a:[^\W\d]\w*(\.[^\W\d]\w*)*)"


def quiet(parts: Iterable[str]) -> bool:
    """Whether loading these modules only defines things: nothing is called for its effect."""
    for part in parts:
        path = _locate(part.removeprefix("module "))
        if path is None or path.suffix != ".py" or not _only_defines(ast.parse(path.read_bytes()).body):
            return False
    return True


def _only_defines(nodes: Sequence[ast.stmt]) -> bool:
    for node in nodes:
        if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
            return False
        inner = [*getattr(node, "body", []), *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
        if isinstance(node, (ast.If, ast.For, ast.While, ast.With, ast.Try)) and not _only_defines(inner):
            return False
    return True


def _parents(module: str) -> list[str]:
    parent = module.rpartition(".")[0]
    return [parent] if parent else []


def _names(imports: tuple[Import, ...], package: str) -> list[str]:
    names = []
    for imported in imports:
        base = absolute(imported, package)
        names.append(base)
        # `from package import name` may name a submodule.
        names += [f"{base}.{name}" for name in imported.names if _locate(f"{base}.{name}") is not None]
    return names


def _locate(module: str) -> Path | None:
    """Find a module's file without importing anything, or None."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return None
    paths: Any = None
    spec = None
    parts = module.split(".")
    for position in range(len(parts)):
        if position and paths is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[: position + 1]), paths)
        if spec is None:
            return None
        locations: Any = spec.submodule_search_locations
        paths = getattr(locations, "_path", locations)  # a namespace package would look for its loaded parent
    return Path(spec.origin) if spec and spec.origin and os.path.exists(spec.origin) else None


@functools.lru_cache(maxsize=1024)
def _source(content: bytes, suffix: str) -> tuple[Source, tuple[Import, ...]]:
    """Read one file and list its imports; a file that is no Python, or broken, counts by its bytes."""
    try:
        tree = ast.parse(content) if suffix == ".py" else None
        code = compile(content, "<module>", "exec", dont_inherit=True) if tree else None
    except (SyntaxError, ValueError):
        tree = code = None
    if tree is None or code is None:
        return Source(leaf("bytes", content).hex(), CodeFacts()), ()
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [Import(alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imports.append(Import(node.module or "", node.level, tuple(alias.name for alias in node.names)))
    digest = leaf("source", ast.dump(tree).encode("utf-8", "surrogatepass")).hex()
    return Source(digest, facts(code)), tuple(imports)
