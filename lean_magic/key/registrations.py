"""Calls that hang something into a library: `csv.register_dialect(…)`, `mimetypes.add_type(…)`, `tqdm.pandas()`.

Where a library keeps what is registered with it nobody can tell, and often it is C. So what was
registered in this session, with the values it was given, counts for every cell that reaches the
library, and a cell that registers something runs. Calls are known by their names, or by what they
do with what they are given (`configuring`).
"""

from __future__ import annotations

import abc
import ast
import functools
import re
import sys
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lean_magic.key.configuring import configured, resolved
from lean_magic.key.library_items import chain_of
from lean_magic.key.syntax import below
from lean_magic.key.unnamed import called_from, functions
from lean_magic.values.code import code_digest, facts
from lean_magic.values.origin import is_a, is_own, module_of, origin
from lean_magic.values.owners import keeps_items, owner_at

__all__ = ["Registrations", "registering"]

_REGISTERS = frozenset({
    "addLevelName", "addfont", "add_safe_globals", "clear_safe_globals", "add_type", "add_charset", "add_constructor",
    "add_representer", "install_opener", "enable", "disable", "setfirstweekday", "field_size_limit", "setLoggerClass",
    "captureWarnings", "reconfigure", "install", "autolog", "bindtextdomain", "textdomain",
    "extension", "init_notebook_mode", "init_printing", "init_vprinting", "init_session",
    "mechanics_printing", "patch_sklearn", "custom_op", "triton_op", "impl",
})  # fmt: skip
_REGISTER_LIKE = ("set_", "reset_", "seterr", "enable_", "disable_")
_SETS = ("set", "reset", "reconfigure", "enable", "disable")
# Package → those of its settings, and of what is no setting, that are known and put back, or refused by what they do.
_KNOWN = {
    "IPython": r".*",
    "gc": r"set_(threshold|debug)|(en|dis)able",
    "logging": r"disable",
    "matplotlib": r"(?!set_epoch).*",
    "networkx": r"set_(node|edge)_attributes",
    "numpy": r"set_(printoptions|state)|seterr\w*|info",
    "pandas": r"(re)?set_(option|eng_float_format)",
    "seaborn": r".*",
    "sklearn": r".*",
    "sys": r".*",
    "torch": (
        r"set_(default_(dtype|device|tensor_type)|deterministic_debug_mode|float32_matmul_precision|num_threads"
        r"|printoptions|grad_enabled|detect_anomaly|anomaly_enabled|rng_state(_all)?)|enable_grad|set_model_mode"
        r"|reset_(peak_memory_stats|accumulated_memory_stats|max_memory_\w+)"
    ),
    "transformers": r"set_(seed|verbosity\w*)",
    "warnings": r".*",
}
_CONFIGURES = (
    ["config", "set"], ["config", "update"], ["config", "update_defaults"], ["copyreg", "pickle"],
    ["nest_asyncio", "apply"], ["nest_asyncio2", "apply"],
)  # fmt: skip
_OF_CLASSES = "pandas"  # tqdm's
_REGISTRARS = {("torch.library", "Library"): "torch"}  # whose objects register with the whole library
_EVERYWHERE = {"codecs", "copyreg"}  # what every text may use, and whatever is copied


class Registrations:
    """What the cells of one session registered with libraries."""

    def __init__(self) -> None:
        self._calls: dict[str, dict[str, dict[str, Any]]] = {}

    def note(self, nodes: Sequence[ast.stmt], namespace: Mapping[str, Any]) -> None:
        """Note the registrations that a cell makes, with the values they were given."""
        entered = _entered(nodes)
        home_of = functools.lru_cache(lambda *chain: _home_of([*chain], namespace))
        for call in (call for call in below(nodes, ast.Call) if id(call) not in entered):
            home, inside = home_of(*chain_of(call.func))
            if home:
                self._note(home, call, namespace, inside)
        for statement in below(nodes, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete):
            self._put(statement, namespace)
        for definition in below(nodes, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
            for decorator in definition.decorator_list:
                self._decorated(decorator, definition.name, namespace)

    def _put(self, node: ast.stmt, namespace: Mapping[str, Any]) -> None:
        """Note what a statement puts as an item into what a library keeps."""
        for item in below([node], ast.Subscript):
            chain = [] if isinstance(item.ctx, ast.Load) else chain_of(item.value)
            owner = owner_at(namespace.get(chain[0]), chain[1:]) if chain else None
            if owner is not None and keeps_items(owner):
                self._note(owner.module.partition(".")[0], node, namespace, {})

    def _note(
        self, home: str, node: ast.AST, namespace: Mapping[str, Any], inside: Mapping[str, Any]
    ) -> None:
        names = sorted({name.id for name in below([node], ast.Name)} - {*inside})
        values = {name: namespace[name] for name in names if name in namespace}
        given = {
            name: one
            for name, one in values.items()
            if not isinstance(one, types.ModuleType) and not _registrar(one)
        }
        given |= inside
        calls = self._calls.setdefault(home, {})
        text = ast.unparse(node)
        calls.pop(text, None)  # of calls that set one thing the last counts
        calls[text] = given

    def _decorated(self, decorator: ast.expr, name: str, namespace: Mapping[str, Any]) -> None:
        """Note what a decorator registers: the function or class that it stands before."""
        chain = chain_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
        home = _home(chain, namespace)
        if home and name in namespace:
            self._calls.setdefault(home, {})[f"@{ast.unparse(decorator)} {name}"] = {name: namespace[name]}

    def of(self, packages: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Give what was registered with these top-level packages."""
        for home in sorted(self._calls.keys() & ({*packages} | _EVERYWHERE)):
            yield f"registered with {home}", self._calls[home]


def registering(uses: Iterable[tuple[str, ...]], namespace: Mapping[str, Any]) -> str:
    """Name the first call of some code that registers something with a library, or "".

    What is set where it is entered (`with`) is set back where it is left.
    """
    return next((".".join(chain) for chain in _calls(uses) if _home(chain, namespace)), "")


def _calls(uses: Iterable[tuple[str, ...]]) -> list[list[str]]:
    return sorted([*chain] for kind, *chain in uses if kind != "with")


def _entered(nodes: Sequence[ast.stmt]) -> set[int]:
    return {id(item.context_expr) for item in below(nodes, ast.withitem)}


def _home_of(chain: list[str], namespace: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Name the package with which a call registers something, itself or in a function of the user's, or ""."""
    home = _home(chain, namespace)
    return _inside(chain, namespace) if chain and not home else (home, {})


def _home(chain: list[str], namespace: Mapping[str, Any]) -> str:
    """Name the package of a library with which a call of `a.b.c` registers something, or ""."""
    if not chain:
        return ""
    configures = chain[-2:] in _CONFIGURES
    if not (configures or _registers(chain[-1]) or chain[-1] == _OF_CLASSES):
        package = configured(chain, namespace)
        return "" if re.fullmatch(_KNOWN.get(package, "(?!)"), chain[-1]) else package
    first = sys.modules.get(chain[0].removeprefix("import ")) if " " in chain[0] else namespace.get(chain[0])
    if len(chain) == 2 and _registrar(first):
        return _registrar(first)
    owner = owner_at(first, chain[1:-1]) if len(chain) > 1 else None
    value = first if owner is None else getattr(owner.value, chain[-1], None)
    is_missing = value is None or (owner is None and len(chain) > 1)
    if is_missing or not _may_register(owner.value if owner is not None else None, chain[-1]):
        return ""
    home = owner.module if owner is not None else module_of(value)
    # tqdm hangs it on the classes of pandas.
    package = _OF_CLASSES if chain[-1] == _OF_CLASSES else home.partition(".")[0]
    if not configures and chain[-1].startswith(_SETS) and _is_known(value, package, chain[-1]):
        return ""
    return "" if origin(home).own or package == "builtins" else package.lstrip("_")


def _registrar(value: Any) -> str:
    """Name the library with which the methods of an object register, or ""."""
    return _REGISTRARS.get((type(value).__module__, type(value).__qualname__), "")


def _inside(chain: list[str], namespace: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name the package with which a function of the user's registers something, and give what it says and reads.

    What it says counts by its digest: a cell that only sees what was set does not run it.
    """
    own = functions(resolved(chain, namespace)[0])
    codes = called_from({one.__code__: one.__globals__ for one in own})
    home = next(
        filter(
            None,
            (_home(one, space) for code, space in codes.items() for one in _calls(facts(code).uses)),
        ),
        "",
    )
    said = {chain[-1]: [code_digest(code).hex() for code in codes]} if home else {}
    read = {
        name: space[name]
        for code, space in (codes.items() if home else ())
        for name in sorted(facts(code).loads.keys() & space.keys())
        if not is_a(space[name], (types.ModuleType, types.FunctionType, type))
    }
    return home, {**read, **said}


def _registers(name: str) -> bool:
    own = name.removeprefix("un")
    if own.startswith("register"):
        what = own.removeprefix("register_")
        return not (what.startswith("parametrization") or what.endswith(("_accessor", "_namespace")))
    if name.startswith(_REGISTER_LIKE):
        return name != "set_"  # a tensor's
    return name in _REGISTERS or (name.startswith("add_") and name.endswith("resolver"))


def _may_register(owner: Any, name: str) -> bool:
    """Whether a call on a module, on a class or on another object may be one that registers."""
    if not isinstance(owner, type):
        return name != _OF_CLASSES
    # What is registered with abstract base classes of the user's is seen.
    is_seen = isinstance(owner, abc.ABCMeta) and is_own(owner)
    is_register = name == "register" or name.startswith(("add_", "set_default_"))
    return name == _OF_CLASSES or (is_register and not is_seen)


def _is_known(value: Any, package: str, name: str) -> bool:
    """Whether it is no call that sets something, or one whose effect is known."""
    return not callable(value) or re.fullmatch(_KNOWN.get(package, "(?!)"), name) is not None
