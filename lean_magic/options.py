"""The line of `%%cached` → Options; a wrong one is an error that names the nearest right one."""

from __future__ import annotations

from shlex import split  # as it is now: code of the user's may replace it
from typing import Any, NamedTuple

from lean_magic.errors import UsageError
from lean_magic.settings import parse_duration

__all__ = ["FLAGS", "VALUES", "Options", "parse_options"]

FLAGS = ("--refresh", "--readonly", "--off", "--quiet")
VALUES = ("--depends", "--ignore", "--drop", "--ttl", "--items")


class Options(NamedTuple):
    """What one `%%cached` line asks for; `ttl` in seconds."""

    label: str = ""
    depends: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    ttl: float | None = None
    items: str = ""
    refresh: bool = False
    readonly: bool = False
    off: bool = False
    quiet: bool = False


def parse_options(line: str) -> Options:
    """Read `[NAME] [options]`. Raises UsageError."""
    try:
        words = split(line, posix=True)
    except ValueError as error:
        raise UsageError(f"%%cached: {line!r} cannot be read: {error}") from None
    options = Options()
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in FLAGS and not equals:
            options = _changed(options, name, True)
        elif name in VALUES:
            if not equals and (not words or words[0].startswith("--")):
                raise UsageError(f"%%cached: {name} needs a value")
            options = _with_value(options, name, value if equals else words.pop(0))
        elif name.startswith("-"):
            raise UsageError(_unknown(name))
        elif options.label:
            raise UsageError(
                f"%%cached: one NAME only, not {options.label!r} and {word!r}; the code starts on the next line"
            )
        else:
            options = options._replace(label=word)
    return options


def _with_value(options: Options, name: str, value: str) -> Options:
    field = name[2:]
    if field == "ttl":
        return options._replace(ttl=_duration(name, value))
    if field in {"ignore", "drop"} and not value.isidentifier():
        raise UsageError(f"%%cached: {name} takes the name of a variable, not {value!r}")
    if field in {"depends", "items"}:
        _require_expression(name, value)
    if field == "items":
        return options._replace(items=value)
    return _changed(options, name, (*getattr(options, field), value))


def _duration(name: str, value: str) -> float:
    try:
        return parse_duration(value)
    except UsageError as error:
        raise UsageError(f"%%cached: {name}: {error}") from None


def _changed(options: Options, name: str, value: Any) -> Options:
    changes: dict[str, Any] = {name[2:]: value}
    return options._replace(**changes)


def _require_expression(name: str, text: str) -> None:
    try:
        compile(text, f"<{name}>", "eval")
    except SyntaxError:
        raise UsageError(f"%%cached: {name} takes a Python expression, not {text!r}") from None


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*FLAGS, *VALUES], n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join([*VALUES, *FLAGS])}"
    return f"%%cached: no option {name}; {hint}"
