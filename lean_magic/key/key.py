"""Named parts in fixed order → Key; the difference of two Keys → reasons for a miss."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lean_magic.key import modules
from lean_magic.key.parts import TEXT, UNBOUND, Part
from lean_magic.key.patches import Patches
from lean_magic.key.process import Settings
from lean_magic.key.reach import Reach
from lean_magic.key.source import Analysis
from lean_magic.values import Walk
from lean_magic.values.code import CodeFacts, facts
from lean_magic.values.fingerprint import combine, fingerprint, leaf
from lean_magic.values.origin import origin

__all__ = ["Difference", "Key", "after_loading", "difference", "make_key", "possible_after", "possible_now"]

# Raised whenever digests or the meaning of parts change: older entries become plain misses.
_VERSION = "12"


@dataclass(slots=True, repr=False, eq=False)
class Key:
    """What a cell depends on, as known before it runs.

    `parts` make the digest; `possible` parts are compared with what an entry observed,
    since only its run could tell whether the cell reads them.
    """

    family: str
    parts: Mapping[str, Part]
    possible: Mapping[str, Part]
    walk: Walk = field(default_factory=Walk)
    facts: CodeFacts = field(default_factory=CodeFacts)
    outside: frozenset[str] = frozenset()
    unloaded: bool = False
    for_loading: frozenset[str] = frozenset()
    pending: frozenset[tuple[str, tuple[str, ...]]] = frozenset()

    @property
    def digest(self) -> str:
        """32 hex digits over all parts that are sure."""
        pieces = (leaf(name, part.digest.encode()) for name, part in sorted(self.parts.items()))
        return combine("key", *pieces).hex()

    def said(self) -> dict[str, Any]:
        """Give the texts, words, packages and modules that code and values name, each under its name in `Run`."""
        return {
            "strings": frozenset(self.facts.strings) | self.walk.names,
            "inner": frozenset(self.walk.texts),
            "constants": frozenset(self.facts.strings),
            "words": frozenset({*self.facts.attributes, *self.facts.loads} - self.facts.idle),
            "packages": frozenset(name.partition(".")[0] for name in self.walk.modules) | self.outside,
            "modules": frozenset(name.partition(" ")[2] for name in self.parts if name.startswith("module ")),
        }


def make_key(
    found: Analysis,
    namespace: dict[str, Any],
    depends: Mapping[str, Any] | None = None,
    ignore: Sequence[str] = (),
    fixed: Mapping[str, str] | None = None,
    patches: Patches | None = None,
) -> Key:
    """Build the key of an analysed cell in a namespace.

    `depends` are extra values by their text, `ignore` names left out, `fixed` texts that count as
    they are, `patches` what the session set on installed modules.
    Raises Unfingerprintable or Unresolvable, naming what stands in the way.
    """
    reach = Reach(namespace, frozenset(ignore), patches or Patches())
    reach.follow(found)
    reach.finish(found)
    for text, value in (depends or {}).items():
        whole = reach.walk.fingerprint(f"--depends {text}", value)
        reach.sure[f"--depends {text}"] = Part(whole.digest, whole.text)
    for name, (digest, text) in reach.settings.all(
        reach.walk.modules | reach.outside, reach.everything()
    ).items():
        reach.sure[name] = Part(digest, text)
    parts = {"code": Part(found.digest)}
    texts = {"python": "{}.{}".format(*sys.version_info[:2]), "format": _VERSION, **(fixed or {})}
    parts |= {name: _text(content) for name, content in texts.items()}
    parts |= reach.sure
    if not _SOURCES.isdisjoint(reach.facts.attributes | set(reach.facts.loads)):
        parts = {name: _spelled(part) for name, part in parts.items()}
        parts[_SPELLING] = _text(_sources(reach))
    return Key(
        found.digest,
        parts,
        reach.possible,
        reach.walk,
        reach.facts,
        frozenset(reach.outside),
        bool(reach.unloaded),
        frozenset(reach.for_loading),
        frozenset(reach.pending),
    )


_SPELLING = "text of the code"
# What tells the text of functions, in which comments count, its lines, or where it is.
_SOURCES = {
    "getsource", "getsourcelines", "getcomments", "findsource", "co_firstlineno", "lineno", "f_lineno", "tb_lineno",
    "format_exc", "print_exc", "format_exception", "print_exception", "format_tb", "print_tb", "extract_tb",
    "getfile", "getsourcefile", "getabsfile", "co_filename",
}  # fmt: skip


def _sources(reach: Reach) -> str:
    """Give the text that the user's functions stand in, by whose lines is counted, and the files that it is in."""
    names = {code.co_filename for code in reach.walk.codes}
    texts = {"".join(linecache.getlines(name)) for name in names}
    texts |= {str(path.absolute()) for path in map(Path, names) if path.exists()}
    texts |= {str(modules.place_of(name)) for name in reach.unloaded}
    return combine("texts", *sorted(leaf("text", text.encode("utf-8", "replace")) for text in texts)).hex()


def _spelled(part: Part) -> Part:
    return Part(
        combine("spelled", part.digest.encode(), leaf("text", part.text.encode("utf-8", "replace"))).hex(),
        part.text,
    )


def possible_after(key: Key) -> dict[str, Part]:
    """Give the possible parts, with plain values of modules that only the run has loaded."""
    # What a local module holds that the key did not see is told by its file, which is observed.
    found = (modules.plain_at(*place) for place in key.pending if not origin(place[0]).own)
    loaded = {place[0]: Part(fingerprint(place[1], place[0])) for place in found if place is not None}
    return {**loaded, **key.possible}


def possible_now(key: Key, name: str) -> str:
    """Digest a possible part as it is now, "" if there is none; loads its module if the cell would."""
    part = key.possible.get(name)
    if part is not None:
        return part.digest
    if not key.pending or name.partition(".")[0] not in {
        module.partition(".")[0] for module, _ in key.pending
    }:
        return ""
    try:
        return fingerprint(modules.load_plain(name), name)
    except LookupError:
        return ""


def after_loading(key: Key, found: Analysis, namespace: dict[str, Any], patches: Patches) -> Key | None:
    """Give the key the same cell will have now that the local modules it imports are loaded.

    Before, they counted by the sources that importing them would load; from now on they count by what
    they hold. None if loading them did something that a second run would not do again.
    """
    if not key.unloaded or not modules.quiet(name for name in key.parts if name.startswith("module ")):
        return None
    reach = Reach(namespace, patches=patches)
    reach.walk.spaces["__main__"] = namespace
    reach.follow_imports(found)
    reach.finish()
    reached = {name.partition(".")[0] for name in key.walk.modules | reach.walk.modules}
    gone = {f"package {name}" for name in key.outside - reached} | key.for_loading
    parts = {
        name: part for name, part in key.parts.items() if not name.startswith(_BY_STATE) and name not in gone
    }
    reach.facts.merge(key.facts)
    for code in reach.walk.codes:
        reach.facts.merge(facts(code))
    for name, (digest, text) in Settings().all(reached, reach.facts).items():
        parts[name] = Part(digest, text)
    return Key(key.family, {**parts, **reach.sure}, {**key.possible, **reach.possible}, key.walk)


_BY_STATE = ("module ", "setting ")


def _text(content: str) -> Part:
    return Part(leaf("text", content.encode()).hex(), content)


class Difference(NamedTuple):
    """One part that differs between two keys, in the user's words."""

    name: str
    before: str
    now: str

    def __str__(self) -> str:
        if self.name == "code":
            return _changed_lines("the cell", self.before, self.now)
        if self.name == _SPELLING:
            return "the text of the code, or its place, which it tells, changed"
        kind, _, rest = self.name.partition(" ")
        is_named = bool(rest) and (
            kind in _KINDS or re.fullmatch(_DIGEST, self.now or self.before) is not None
        )
        name = self.name if is_named else f"`{self.name}`"
        return self._of_code(name) or self._of_value(name)

    def _of_code(self, name: str) -> str:
        """Name the changed line of a function, of a class, or of an object's class; "" for anything else."""
        old, new = self.before, self.now
        if _is_code(old) and new != old:
            return _changed_lines(name, old, new)
        told, _, code = old.partition("\n")
        other, _, now = new.partition("\n")
        if told == other and _is_code(code) and code != now:
            return _changed_lines(f"{name}: class {told}", code, now)
        if not _is_code(old):
            return ""
        return f"{name} changed" if len(old) >= TEXT else f"{name} has other content ({_ELSEWHERE})"

    def _of_value(self, name: str) -> str:
        old, new = (_brief(text.partition("\n")[0]) for text in (self.before, self.now))
        if name == self.name and re.fullmatch(_DIGEST, self.now or self.before):
            return f"{name} is another"
        if old == new and old.startswith("source of "):
            return f"{name} changed"
        if old == new:
            return f"{name} has other content ({new or 'same kind'})"
        is_setting = self.name.startswith("setting ")
        gone = ("as usual", "as usual") if is_setting else ("not there", "no longer read")
        return f"{name}: {old or gone[0]} → {new or gone[1]}"


_ELSEWHERE = "in a default, a decorator, a base, or what it closes over"
_DIGEST = r"(?s)[0-9a-f]{32}.*"


def _is_code(text: str) -> bool:
    return ":" in text and text.lstrip().startswith(("def ", "class ", "async ", "@"))


_KINDS = {"set", "package", "module", "setting", "environment", "file", "generator", "--depends"}


def _changed_lines(what: str, before: str, now: str) -> str:
    """Name the first changed line."""
    import difflib

    lines = difflib.ndiff(before.splitlines(), now.splitlines())
    changed = [line for line in lines if line[:2] in {"- ", "+ "} and line[2:].strip()]
    removed = next((line[2:].strip() for line in changed if line[0] == "-"), "")
    added = next((line[2:].strip() for line in changed if line[0] == "+"), "")
    if not changed:
        return f"{what} changed"
    return f"{what} changed: {_brief(removed) or '(new line)'} → {_brief(added) or '(removed)'}"


def _brief(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= 60 else line[:59] + "…"


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """List what differs between the parts of an entry and the present ones, the telling ones first."""
    names = sorted({*before, *now}, key=_telling)
    found = []
    for name in names:
        old, new = before.get(name), now.get(name)
        if old is None or new is None or old.digest != new.digest:
            found.append(Difference(name, _words(old), _words(new)))
    return found


def _words(part: Any) -> str:
    if part is None:
        return ""
    return "not bound" if part.digest == UNBOUND else str(part.text)


def _telling(name: str) -> tuple[int, str]:
    order = ["code", "python", "format"]
    return (order.index(name) if name in order else 3 + (name.partition(" ")[0] in _KINDS), name)
