"""Value → digest: equal for equal content, in any process, on any day, on any device.

A `Walk` visits a graph of objects depth first in an order that depends on
content alone. Objects with an identity (lists, arrays, instances, functions …)
are numbered as they are met; meeting one again contributes its number. So the
digest sees aliasing, cycles end, and the n-th object of one walk corresponds to
the n-th object of any other walk with the same digest, which is how a replay
finds the live object that stood where the recorded one did.

Immutable values (numbers, strings, tuples, dates …) have no identity here:
whether two equal strings are one object is the interpreter's choice.

Digests are 128-bit xxh3 (https://xxhash.com), over tagged, fixed-layout records.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lean_magic.errors import Unfingerprintable
from lean_magic.values.describe import describe
from lean_magic.values.marks import Marks
from lean_magic.values.origin import module_of, origin
from lean_magic.values.records import combine, leaf

__all__ = [
    "INSIDE",
    "Fingerprint",
    "Ref",
    "Rule",
    "Walk",
    "combine",
    "fingerprint",
    "leaf",
    "register",
]

# Deep, not endless: frames that a walk may stack before it gives up. Rules call each other from Python
# alone (no `map`, no generators), since only calls through C use up the stack that a process dies of.
_DEPTH = 10_000
# How often the members of sets inside sets are looked into, to put the outer set's members in order.
_PROBES = 3
# Their objects hold thousands of words that name their own parts; what other libraries hold may be the user's word.
_MODELS = {
    "accelerate", "diffusers", "flax", "jax", "keras", "lightgbm", "peft", "sentence_transformers", "sklearn", "spacy",
    "tensorflow", "timm", "tokenizers", "torch", "torchaudio", "torchvision", "transformers", "xgboost",
}  # fmt: skip
_NAMES = 100_000  # texts that are kept, apart from those that look like paths


class Ref(NamedTuple):
    """A name that code looks up when it runs: `space` is the module whose globals it uses."""

    space: str
    name: str
    attrs: tuple[str, ...] = ()


class Fingerprint(NamedTuple):
    """What one value amounts to: its digest (hex), a few words, and what its code looks up."""

    digest: str
    text: str
    refs: frozenset[Ref]


Rule = Callable[["Walk", Any], bytes]
Together = Callable[["Walk", list[Any]], bytes | None]

# Immutable values, which have no identity: class → rule. Filled by values/rules.py.
PLAIN: dict[type, Rule] = {}
# Those of them that hold nothing else.
_ATOMS: set[type] = set()
# Classes of which many can be digested in one go: class → rule for a list, which may give None.
TOGETHER: dict[type, Together] = {}
_MANY = 32  # objects; part of the digest
_late: dict[str, tuple[str, Rule]] = {}
_rule_for: list[Callable[[type], Rule]] = []
_together_for: list[Callable[[type], Together | None]] = []
_HOLDERS = {tuple, frozenset, slice, datetime.datetime, datetime.time}


def register(
    plain: Mapping[type, Rule],
    late: Mapping[str, tuple[str, Rule]],
    rule_for: Callable[[type], Rule],
    together_for: Callable[[type], Together | None],
) -> None:
    """Say how values are digested; done once, as the package is imported.

    `late` are plain classes of modules that need not be loaded yet: module → (class, rule).
    """
    PLAIN.update(plain)
    _ATOMS.update(plain.keys() - _HOLDERS)
    _late.update(late)
    _rule_for[:], _together_for[:] = [rule_for], [together_for]


def _learn() -> None:
    """Take over the rules for classes whose modules have been loaded by now."""
    for module in [module for module in _late if module in sys.modules]:
        name, rule = _late[module]
        cls = getattr(sys.modules[module], name, None)
        if cls is not None:  # else it is being loaded
            PLAIN[cls] = rule
            _ATOMS.add(cls)
            _late.pop(module, None)


class Walk(Marks):
    """One visit of a graph that may span several named parts.

    `objects` holds the objects with an identity in the order they were met; it
    also keeps them, and what reducing them created, alive while ids are compared.
    """

    def __init__(self) -> None:
        super().__init__()
        _learn()
        self.spaces: dict[str, dict[str, Any]] = {}
        self.modules: set[str] = set()
        self.standard: set[str] = set()
        self.codes: list[types.CodeType] = []
        self.texts: set[str] = set()
        self.words: set[str] = set()
        self.names: set[str] = set()  # texts that do not lie inside a model
        self.functions: set[str] = set()  # of others, met as values: code may give them other names
        self._inside = 0  # so many objects of models
        self._foreign: set[type] = set()
        self.patched: dict[type, bytes] = {}
        self.values: dict[str, tuple[Any, str]] = {}
        self.ahead: dict[int, bytes] = {}  # by id: digests of contents, made before they are met
        self.fixed: set[str] = set()  # parts in which nothing was met that could change
        self._is_fixed = True
        self._kept: list[Any] = []
        self._classes: set[type] = set()
        self._refs: set[Ref] = set()
        self._probing: int | None = None

    def fingerprint(self, part: str, value: Any) -> Fingerprint:
        """Fingerprint `value` as the part called `part`.

        Raises Unfingerprintable, naming the part, where content cannot be compared.
        """
        self._refs, self._is_fixed, self._inside = set(), True, 0
        self.begin(part)
        try:
            with _deep():
                digest = self.digest(value)
        except Unfingerprintable as error:
            raise Unfingerprintable(part, error.why, _remedy(part, value, error.remedy)) from error
        except RecursionError as error:
            raise Unfingerprintable(part, "is nested too deeply to compare") from error
        self.values[part] = (value, digest.hex())
        (self.fixed.add if self._is_fixed else self.fixed.discard)(part)
        return Fingerprint(digest.hex(), describe(value), frozenset(self._refs))

    def digest(self, value: Any) -> bytes:
        """Digest any value met on the way (16 bytes)."""
        cls = type(value)
        plain = PLAIN.get(cls)
        if plain is not None:
            return plain(self, value)
        self._is_fixed = False
        number = self._marks.get(id(value))
        if number is not None:
            self.link(number)
            return combine("same", self._mark(number).encode())
        if cls not in self._classes:
            self._meet(cls)
        foreign = cls in self._foreign
        self._inside += foreign
        try:
            return self.noted(value, _rule_for[0](cls)(self, value))
        finally:
            self._inside -= foreign

    def _meet(self, cls: type) -> None:
        self._classes.add(cls)
        self.use_module(module_of(cls))
        if module_of(cls).partition(".")[0] in _MODELS:
            self._foreign.add(cls)

    def name(self, *texts: str) -> None:
        """Note texts that may name a file or a folder, unless they lie inside a model."""
        if not self._inside and len(self.names) < _NAMES:
            self.names.update(texts)

    def digests(self, values: Any) -> bytes:
        """Digest an ordered collection of values, to be used as pieces of a record."""
        together = self._together(values) if len(values) >= _MANY else None
        return b"".join([self.digest(value) for value in values]) if together is None else together

    def _together(self, values: Any) -> bytes | None:
        """Digest many objects of one class in one go, if its library can, and none of them was met before."""
        classes = set(map(type, values))
        if len(classes) > 1:
            return None
        cls = classes.pop()
        rule = _together_for[0](cls)
        if rule is None or not self.unmet(values):
            return None
        if cls not in self._classes:
            self._meet(cls)
        foreign = cls in self._foreign
        self._inside += foreign
        try:
            return rule(self, list(values))
        finally:
            self._inside -= foreign

    def unordered(self, values: Any) -> bytes:
        """Digest a collection whose order says nothing, in an order that depends on content alone."""
        items = list(values)
        if _hold_no_objects(items):
            return b"".join(sorted([self.digest(item) for item in items]))
        if self._probing == 0:
            return b"".join(sorted([self._kind(item) for item in items]))
        return self.digests(self._in_order(items))

    def _in_order(self, items: list[Any]) -> list[Any]:
        """Order members by content. Numbers are given as objects are met, so each is first met by itself."""
        keys: list[bytes] = []
        for probing in range(_PROBES if self._probing is None else self._probing):
            keys = [self._alone(item, probing) for item in items]
            if len(set(keys)) == len(keys):
                break
        return [item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0])]

    def _alone(self, value: Any, probing: int) -> bytes:
        """Digest a value and forget that it was met; sets inside are looked into `probing` levels deep."""
        start, before = len(self.objects), (self._probing, dict(self.patched))
        self._probing = probing
        try:
            return self.digest(value)
        finally:
            for met in self.objects[start:]:
                self._digests.pop(self._marks.pop(id(met), -1), None)
            del self.objects[start:]
            self._probing, self.patched = before

    def _kind(self, value: Any) -> bytes:
        plain = _hold_no_objects([value])
        return self.digest(value) if plain else leaf("kind", type(value).__qualname__.encode())

    def mark_all(self, values: list[Any]) -> None:
        """Give each of these its number."""
        self._is_fixed &= not values
        super().mark_all(values)

    def keep(self, value: Any) -> Any:
        """Keep a temporary alive, so that its id is not given to another object."""
        self._kept.append(value)
        return value

    def classes(self) -> set[type]:
        """Give the classes of what was met."""
        return self._classes

    def kept(self) -> set[int]:
        """Give the ids of the temporaries that were kept."""
        return set(map(id, self._kept))

    def refer(self, space: dict[str, Any], name: str, attrs: tuple[str, ...] = ()) -> None:
        """Note that code looks `name` up in the globals `space`."""
        self._refs.add(Ref(self.label(space), name, attrs))

    def label(self, space: dict[str, Any]) -> str:
        """Name the globals of a module as they are met: two modules may have one name."""
        name = label = str(space.get("__name__", "script"))
        count = 0
        while self.spaces.setdefault(label, space) is not space:
            count += 1
            label = f"{name}@{count}"
        return label

    def use_module(self, name: str) -> None:
        """Note that code or classes of the installed module `name` take part."""
        home = origin(name)
        if home.installed:
            self.modules.add(name)
        elif home.kind == "python":
            self.standard.add(home.package)

    def fail(self, value: Any, why: str, remedy: str = "") -> Unfingerprintable:
        """Build the error for a value that cannot be compared (the part's name is added above)."""
        del self
        return Unfingerprintable(type(value).__qualname__, why, remedy)


def _remedy(part: str, value: Any, remedy: str) -> str:
    """Say that a variable may be left out, too, where nothing better is known."""
    is_data = part.isidentifier() and not isinstance(value, (types.FunctionType, type))
    return (
        f"{remedy}, or `--ignore {part}` if it makes no difference"
        if is_data and remedy == INSIDE
        else remedy
    )


INSIDE = "make it inside the cell"


def _hold_no_objects(values: Iterable[Any]) -> bool:
    """Whether nothing in these values has an identity."""
    todo = [values]
    while todo:
        for value in todo.pop():
            if type(value) in (tuple, frozenset):
                todo.append(value)
            elif type(value) not in _ATOMS and (
                type(value) not in _HOLDERS or getattr(value, "tzinfo", value) is not None
            ):
                return False
    return True


def fingerprint(value: Any, name: str = "value") -> str:
    """Fingerprint one value by itself: 32 hex digits.

    Raises Unfingerprintable where content cannot be compared.
    """
    return Walk().fingerprint(name, value).digest


@contextlib.contextmanager
def _deep() -> Iterator[None]:
    """Allow deep recursion, and keep the garbage collector from going through all that is visited again and again."""
    before, collects = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(max(before, _DEPTH))
    gc.disable()
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
        if collects:
            gc.enable()
