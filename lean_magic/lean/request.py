"""A line of `%lean` → a verb, its operand and options; a wrong word is told with the nearest right one."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lean_magic.errors import UsageError
from lean_magic.words import with_article

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["VERBS", "Request", "Verb", "nearest", "parse"]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it takes, and what it does in one line."""

    name: str
    says: str
    operand: str = ""  # the word for what may follow the verb; "" if nothing may
    needed: bool = False  # whether the operand has to be there
    options: Mapping[str, str] = field(default_factory=dict)  # by name, the word for its value; "" for a flag

    @property
    def usage(self) -> str:
        """The verb with all it takes, as people write it."""
        operand = self.operand if self.needed or not self.operand else f"[{self.operand}]"
        options = [f"[{f'{name} {value}'.rstrip()}]" for name, value in self.options.items()]
        return " ".join(filter(None, [self.name, operand, *options]))


VERBS = (
    Verb("ls", "list the entries, newest first", "TEXT", options={"--all": ""}),
    Verb("why", "why the last cell ran; with NAME, whether that cell would hit now", "NAME"),
    Verb("show", "everything about one entry, by its id or label", "ENTRY", needed=True),
    Verb("savings", "the time, and the money, that hits have saved"),
    Verb("gpu", "the GPU memory that this kernel holds, and what a restart would take"),
    Verb("check", "read every byte and say what is wrong", options={"--fix": ""}),
    Verb("prune", "delete what is worth least until the rest fits", options={"--max-size": "20G"}),
    Verb("clear", "delete all entries, or those of one label", "NAME", options={"--yes": ""}),
    Verb("config", "the settings in force, and where they come from"),
)
_HELP = Verb("help", "say this")
_BY_NAME = {verb.name: verb for verb in (*VERBS, _HELP)}
_HELP_WORDS = {"-h", "--help", "-?", "?"}


@dataclass(slots=True)
class Request:
    """One verb as it was asked for; options by their name with dashes, flags with the value ""."""

    verb: Verb
    operand: str = ""
    options: dict[str, str] = field(default_factory=dict)


def parse(words: Sequence[str], command: str = "%lean") -> Request:
    """Read `VERB [OPERAND] [options]`; `command` is the word before it, for messages. Raises UsageError."""
    if not words or _HELP_WORDS & set(words):
        return Request(_HELP)
    verb = _BY_NAME.get(words[0])
    if verb is None:
        raise UsageError(f"{command}: no verb {words[0]!r}; {_hint(words[0], [verb.name for verb in VERBS])}")
    request, rest = Request(verb), list(words[1:])
    try:
        while rest:
            _take(request, rest)
    except UsageError as error:
        raise UsageError(f"{command} {verb.name}: {error}") from None
    if verb.needed and not request.operand:
        raise UsageError(f"{command} {verb.name} needs {with_article(verb.operand)}; {command} ls lists them")
    return request


def nearest(word: str, words: Iterable[str]) -> str:
    """Return the one of `words` most like `word`, or ""."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)), "")


def _take(request: Request, rest: list[str]) -> None:
    """Take one operand or option off the front of `rest`."""
    word = rest.pop(0)
    verb = request.verb
    if word.startswith("-"):
        name, equals, value = word.partition("=")
        request.options[name] = _value(verb, name, value if equals else None, rest)
    elif not verb.operand:
        taken = f"only {', '.join(verb.options)}" if verb.options else "nothing"
        raise UsageError(f"takes {taken}, not {word!r}")
    elif request.operand:
        raise UsageError(f"one {verb.operand} only, not {request.operand!r} and {word!r}; quotes keep spaces")
    else:
        request.operand = word


def _value(verb: Verb, name: str, given: str | None, rest: list[str]) -> str:
    """Return the value of an option: after its `=`, or the next word."""
    if name not in verb.options:
        raise UsageError(f"no option {name}; {_hint(name, verb.options)}")
    wanted = verb.options[name]
    if not wanted:
        if given is not None:
            raise UsageError(f"{name} takes no value")
        return ""
    if given is None and rest and not rest[0].startswith("-"):
        given = rest.pop(0)
    if not given:
        raise UsageError(f"{name} needs a value, as in {name} {wanted}")
    return given


def _hint(word: str, names: Iterable[str]) -> str:
    names = list(names)
    near = nearest(word, names)
    if near:
        return f"did you mean {near}?"
    return f"there is {', '.join(names)}" if names else "it has none"
