"""Who computes: a function, all that it reaches and the options that matter → a digest.

It is the key of a cell that reads the function and its options, so a changed weight, prompt, dimension or
line of code is another function. Where and how fast it computes is no part of it.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lean_magic.effects import Run
from lean_magic.errors import Unfingerprintable
from lean_magic.items.digests import looks_at_names
from lean_magic.key import (
    Key,
    Patches,
    analyse,
    make_key,
    modules,
    possible_after,
    possible_now,
)
from lean_magic.key.parts import Part
from lean_magic.values import Walk, fingerprint
from lean_magic.values.code import code_digest
from lean_magic.values.fingerprint import combine, leaf
from lean_magic.values.reduced import held_by

__all__ = ["Identity", "identify", "name_of", "unwrapped"]

_FORMAT = b"1"  # raised whenever keys or segments change their meaning: older items are then not found
_FUNCTION, _OPTION = "mapped function", "option "
_FILTERS = "setting warning filters"

# Options of these names say where and how fast a function computes, not what; of variables, only a device does.
_NUMBERS = frozenset({"batch_size", "num_workers", "n_jobs", "num_proc", "prefetch_factor"})
_FLAGS = frozenset({"show_progress_bar", "show_progress", "progress_bar", "disable_tqdm"})
_DEVICES = frozenset({"device", "target_device"})


@dataclass(frozen=True, slots=True)
class Identity:
    """A function as the cache knows it; `device` is where tensors go, `by_name` that paths count by their names."""

    digest: str
    name: str
    parts: Mapping[str, Part]
    run: Run
    by_name: bool = False
    device: Any = None
    key: Key | None = None
    plain: Mapping[str, str] = field(default_factory=dict)  # what `plain_now` gave, where there is no key
    names: Mapping[str, Any] = field(default_factory=dict)  # function and options, as the key knows them

    def plain_now(self) -> Mapping[str, str]:
        """Digest the plain values of libraries that the function may read, now that it has run."""
        if self.key is None:
            return self.plain
        return {name: part.digest for name, part in possible_after(self.key).items()}

    def to_send(self) -> Identity:
        """Give what a worker needs of it, without the objects that were digested."""
        return replace(self, plain=self.plain_now(), key=None, device=None, names={})

    def possible_now(self, name: str) -> str:
        """Digest a plain value of a library as it is now; see `key.possible_now`."""
        return "" if self.key is None else possible_now(self.key, name)

    @property
    def remembers(self) -> bool:
        """Whether it reaches a function under `functools.lru_cache`."""
        return self.key is not None and bool(self.key.walk.memos)

    @contextlib.contextmanager
    def whole_run(self) -> Iterator[Run]:
        """Give the run with all that was met, to ask what functions remember."""
        assert self.key is not None
        with _bound(self.names):
            yield replace(self.run, walk=self.key.walk, namespace=_namespace())

    def remembering(self, told: Mapping[str, str]) -> Identity:
        """Give this function as one that answers from what others remember, if that counts."""
        if not told:
            return self
        more = {name: Part(leaf("text", text.encode()).hex(), text) for name, text in told.items()}
        pieces = (leaf(name, part.digest.encode()) for name, part in sorted(more.items()))
        return replace(
            self,
            digest=combine("remembering", self.digest.encode(), *pieces).hex(),
            parts={**self.parts, **more},
        )

    def is_loaded(self, now: Identity) -> bool:
        """Whether `now` is this function with the local modules loaded that it imports, and nothing else is new.

        Before, they counted by the sources that importing them loads; from then on by what they hold.
        """
        if self.key is None or now.key is None:
            return False
        loaded = {
            name.partition(" ")[2]
            for name in self.parts.keys() - now.parts.keys()
            if name.startswith("module ")
        }
        facts = now.key.facts
        if not loaded or facts.in_place or facts.stores or not modules.quiet(loaded):
            return False
        differing = {
            name
            for name in {*self.parts, *now.parts}
            if name not in self.parts
            or name not in now.parts
            or self.parts[name].digest != now.parts[name].digest
        }
        heads = tuple(f"{name}." for name in loaded)
        return all(name.startswith(("module ", "package ", "setting ", *heads)) for name in differing)


def name_of(function: Any) -> str:
    """Name a function as its author does."""
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def unwrapped(function: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Take the options out of a `functools.partial`, so that they count one by one."""
    kept = dict(options)
    while type(function) is functools.partial and not function.args and not held_by(function):
        function, kept = function.func, {**function.keywords, **kept}
    return function, kept


def identify(
    function: Callable[..., Any],
    options: Mapping[str, Any],
    version: Any = None,
    ignore: tuple[str, ...] = (),
    patches: Patches | None = None,
) -> Identity:
    """Find out who computes. Raises Unfingerprintable or Unresolvable, naming what stands in the way."""
    function, options = unwrapped(function, options)
    counted = {name: value for name, value in options.items() if not _is_neutral(name, value)}
    if version is not None:
        return _by_version(function, counted, version)
    space = _namespace()
    skipped = {*ignore, *(name for name in _DEVICES & space.keys() if _is_device(space[name]))}
    names = {_FUNCTION: function, **{_OPTION + name: value for name, value in counted.items()}}
    with _bound(names):
        found = analyse(
            [ast.fix_missing_locations(ast.Expr(ast.Tuple([_load(name) for name in names], _LOAD)))]
        )
        try:
            key = make_key(found, _namespace(), ignore=tuple(skipped), patches=patches)
        except Unfingerprintable as error:
            raise Unfingerprintable(name_of(function), error.why, _remedy(error)) from error
    key = _without_warnings(key)
    return Identity(
        _digest(key.digest),
        name_of(function),
        {_said(name, function): part for name, part in key.parts.items()},
        _run(key),
        looks_at_names(key.facts, key.walk.codes),
        _device(key.walk, options),
        key,
        names=names,
    )


def _without_warnings(key: Key) -> Key:
    """Leave out the filters of warnings, which shape what is shown, unless the code asks for them."""
    if "warnings" in key.facts.loads or "catch_warnings" in key.facts.attributes:
        return key
    return replace(key, parts={name: part for name, part in key.parts.items() if name != _FILTERS})


def _said(name: str, function: Any) -> str:
    return name_of(function) if name == _FUNCTION else name.removeprefix(_OPTION)


def _remedy(error: Unfingerprintable) -> str:
    return f"{error.remedy or 'make it inside the function'}, or give cached_map a version="


def _by_version(function: Any, counted: Mapping[str, Any], version: Any) -> Identity:
    """Trust the user's word for all that the function reaches."""
    told = {"version": version, **{_OPTION + name: value for name, value in counted.items()}}
    parts = {name: Part(fingerprint(value, name)) for name, value in told.items()}
    where = f"{getattr(function, '__module__', '')}.{name_of(function)}"
    if "<" in where and hasattr(function, "__code__"):  # a lambda, or one of many made in a function
        where += code_digest(function.__code__).hex()
    pieces = (leaf(name, part.digest.encode()) for name, part in sorted(parts.items()))
    digest = combine("version", leaf("", where.encode()), *pieces).hex()
    return Identity(_digest(digest), name_of(function), parts, _bare(), by_name=True)


def _digest(key: str) -> str:
    return combine("map", _FORMAT, key.encode()).hex()


def _load(name: str) -> ast.expr:
    return ast.Name(name, _LOAD)


_LOAD = ast.Load()
_binding = threading.RLock()


def _namespace() -> dict[str, Any]:
    return vars(sys.modules["__main__"])


@contextlib.contextmanager
def _bound(names: Mapping[str, Any]) -> Iterator[None]:
    """Bind names that no code can use, for the time of a key; one thread at a time."""
    space = _namespace()
    with _binding:
        space.update(names)
        try:
            yield
        finally:
            for name in names:
                space.pop(name, None)


def _is_neutral(name: str, value: Any) -> bool:
    if name in _NUMBERS:
        return value is None or type(value) is int
    if name in _FLAGS:
        return value is None or type(value) in (bool, int)
    return name in _DEVICES and (value is None or _is_device(value))


def _is_device(value: Any) -> bool:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.device):
        return True
    kind, _, number = value.partition(":") if isinstance(value, str) else ("", "", "")
    return kind in {"cpu", "cuda", "mps", "xpu"} and (not number or number.isdecimal())


def _device(walk: Walk, options: Mapping[str, Any]) -> Any:
    """Find where the function's model is, or where it is asked to compute; None if that cannot be told."""
    for value in options.values():
        if value is not None and _is_device(value) and value in {options.get(name) for name in _DEVICES}:
            return value
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    tensors = (value for value in walk.objects if isinstance(value, torch.Tensor))
    return next((tensor.device for tensor in tensors), None)


def _run(key: Key) -> Run:
    """Say what the recorder of files has to know about the function."""
    return Run(
        shell=None,
        namespace={},
        walk=Walk(),
        **key.said(),
    )


def _bare() -> Run:
    return Run(shell=None, namespace={}, walk=Walk())
