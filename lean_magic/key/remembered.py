"""What functions under `functools.lru_cache` remember of earlier calls.

A call that is answered from memory reads nothing: not the file, not the variable that the answer was
made from. What is remembered counts like any other content, therefore, unless it is what the function
would say now: then it was computed in runs that were recorded, and all that the function reaches and
all that those runs observed are as they were.
"""

from __future__ import annotations

import ast
import re
import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lean_magic.errors import LeanMagicError, Unfingerprintable
from lean_magic.key.key import make_key
from lean_magic.key.patches import Patches
from lean_magic.key.source import analyse
from lean_magic.values import Walk, fingerprint
from lean_magic.values.fingerprint import combine
from lean_magic.values.memo import objects, pairs, remembers
from lean_magic.values.owners import CHANGERS, SETTERS

__all__ = ["Remembered"]

_WATCHED = ("files", "asks", "environment")


class Run(Protocol):
    """What is asked of a cell."""

    walk: Walk
    namespace: dict[str, Any]
    words: frozenset[str]


@dataclass(slots=True, repr=False, eq=False)
class _Known:
    """What a function remembers from recorded runs: whose calls, in what state, and what they observed."""

    objects: frozenset[int]
    state: str
    observed: list[Mapping[str, Any]] = field(default_factory=list)


class Remembered:
    """The functions of one session that remember."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Any, _Known] = weakref.WeakKeyDictionary()
        self._before: dict[int, frozenset[int]] = {}
        self._states: dict[int, str] = {}
        self._good: set[int] = set()
        self.recalled: list[Mapping[str, Any]] = []  # what answers from memory were observed to come from

    def told(self, run: Run, patches: Patches, holds: Callable[[Any], bool]) -> dict[str, str]:
        """Give a text for each function that a cell reaches and that remembers what it might not say now.

        `holds` tells whether what a run observed is so still. Raises Unfingerprintable for what cannot be compared.
        """
        self._before = {id(one): objects(one) for one in _wrappers(run.walk, run.namespace).values()}
        reached = _wrappers(run.walk, {})
        full = {name: one for name, one in reached.items() if self._before[id(one)]}
        self._states = {id(one): _state(name, run.namespace, patches) for name, one in full.items()}
        self._good = {id(one) for one in reached.values() if self._is_good(one, holds)}
        known = [self._known[one] for one in full.values() if id(one) in self._good]
        self.recalled = [seen for one in known for seen in one.observed]
        counts = "cache_info" in run.words
        texts = {
            name: (_digest(name, one) if id(one) not in self._good else "") + str(one.cache_info()) * counts
            for name, one in reached.items()
        }
        return {f"what {name} remembers": text for name, text in texts.items() if text}

    def expect(self, run: Run, patches: Patches) -> None:
        """Take down what the functions reach now, before a cell lets them remember something."""
        for name, one in _wrappers(run.walk, {}).items():
            if id(one) not in self._states:
                self._states[id(one)] = _state(name, run.namespace, patches)

    def _is_good(self, one: Any, holds: Callable[[Any], bool]) -> bool:
        now, known = self._before[id(one)], self._known.get(one)
        if not now:
            return True
        same = known is not None and known.objects == now and known.state == self._states[id(one)] != ""
        return same and all(map(holds, known.observed if known else ()))

    def note(self, run: Run, patches: Patches, observed: Mapping[str, Any], effects: Collection[str]) -> None:
        """Take down what the run that was told of last has made functions remember; it had `effects` of these kinds."""
        for name, one in _wrappers(run.walk, run.namespace).items():
            now, before = objects(one), self._before.get(id(one), frozenset())
            if now == before or (before and id(one) not in self._good):
                continue
            known = self._known.get(one) if before else None
            state = self._states.get(id(one)) or _state(name, run.namespace, patches)
            runs = [*(known.observed if known else ()), {kind: observed.get(kind) for kind in _WATCHED}]
            # A draw is remembered as it fell, and from memory nothing is shown or written again.
            gone = observed.get("generators") or _may_have_had(name, run.namespace, effects)
            self._known[one] = _Known(now, "" if gone else state, runs)


def _wrappers(walk: Walk, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Give the functions that remember, each under the name it is reached by."""
    met = {mark.rpartition("#")[0]: value for mark, value in walk.remembering().items()}
    bound = {name: value for name, value in namespace.items() if remembers(value)}
    return {**met, **bound}


def _nodes(name: str) -> list[ast.stmt]:
    try:
        return ast.parse(name).body
    except SyntaxError:  # a name of ours
        return [ast.fix_missing_locations(ast.Expr(ast.Name(name, ast.Load())))]


def _state(name: str, namespace: dict[str, Any], patches: Patches) -> str:
    """Digest all that a function reaches; "" if that is not known."""
    try:
        return make_key(analyse(_nodes(name)), namespace, patches=patches).digest
    except LeanMagicError:
        return ""


def _may_have_had(name: str, namespace: dict[str, Any], effects: Collection[str]) -> bool:
    """Whether a function may be what some of the effects of a run are of, by what its code says."""
    if not effects:
        return False
    try:
        found = make_key(analyse(_nodes(name)), namespace).facts
    except LeanMagicError:
        return True
    words = "\n".join({*found.attributes, *found.loads})
    if (found.in_place or found.puts) and not {"mutation", "attributes"}.isdisjoint(effects):
        return True
    return any(re.search(_SAYS[kind], words) for kind in effects if kind in _SAYS)


def _said(*words: str) -> str:
    return rf"(?m)^({'|'.join(words)})$"


# What code says that may have an effect of some kind.
_SAYS = {
    "output": _said(
        r"(print|display|write|show|warn|log|track)\w*",
        "debug|info|error|exception|critical|t(qdm|range)|update",
    ),
    "files": _said(
        r"(write|save|dump|to_|copy|mk|make|sym|rm)\w*",
        "open|touch|move|rename|replace|unlink|remove|connect|run",
    ),
    "mutation": _said(*CHANGERS),
    "attributes": _said(*SETTERS),
    "process": _said("environ|chdir|options|use|rc|rcParams|simplefilter|filterwarnings", r"(re)?set\w*"),
    "generators": _said(r"\w*seed", r"set\w*"),
}


def _digest(name: str, wrapper: Any) -> str:
    try:
        # In which order calls were last asked for decides only which is forgotten first.
        return combine(
            "remembered", *sorted(bytes.fromhex(fingerprint(pair, name)) for pair in pairs(wrapper))
        ).hex()
    except Unfingerprintable as error:
        why = "remembers results (lru_cache) that cannot be compared"
        raise Unfingerprintable(name, why, "call its cache_clear() before") from error
