"""The JSON of an entry: what its key was made of, what was observed, what to replay, what the payload is.

One line of JSON. Its first member is `check`, the digest of every byte after it, so that reading needs no
second serialisation and no changed bit goes unseen. Members keep their order, so effects keep that of replay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from json import dumps, loads  # as they are now: code of the user's may replace them
from typing import Any, NamedTuple, NoReturn

import xxhash

from lean_magic.errors import Damaged, Unstorable

__all__ = ["FORMAT", "Manifest", "Part", "Payload", "format_of", "require_name"]

FORMAT = 1

_HEAD = b'{"check":"'
_BODY = len(_HEAD) + 32  # the digest is 32 hex digits; what follows is what it covers
_NAME = re.compile(r"[0-9a-f]{1,128}")  # used as file names: nothing that a path could be made of


class Part(NamedTuple):
    """A named piece of a key: its digest, and brief words for people."""

    digest: str
    text: str = ""


class Payload(NamedTuple):
    """What the payload must be: `size` in bytes, `digest` (xxh3_128, hex), and the codec's own `layout`."""

    size: int
    digest: str
    layout: Mapping[str, Any]


class Manifest(NamedTuple):
    """One stored outcome. `seconds` is what the run took, `created` is in seconds since the epoch."""

    family: str  # digest of the cell's code: entries of one code lie together
    key: str  # digest of all parts
    entry: str  # id of this entry, unique
    label: str  # the user's NAME, may be empty
    cell_id: str  # the front end's id of the cell, may be empty
    source: str  # the cell's text
    parts: Mapping[str, Part]
    observed: Mapping[str, Any]  # by recorder: what must still hold
    effects: Mapping[str, Any]  # by recorder: what to replay
    seconds: float
    created: float
    provenance: Mapping[str, Any]
    payload: Payload | None = None

    def to_json(self) -> bytes:
        """Return the manifest as one line of JSON.

        Raises Unstorable for what JSON cannot give back as it was, and ValueError for ids that are not hex.
        """
        for name in (self.family, self.key, self.entry):
            require_name(name)
        tree = {"format": FORMAT} | self._asdict()
        try:
            text = dumps(_plain(tree), separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise Unstorable("manifest", f"holds what is not JSON: {error}") from error
        body = b'",' + text[1:].encode("ascii") + b"\n"
        return _HEAD + _digest(body) + body

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Return the manifest in `data`; raises Damaged for what `to_json` of this FORMAT did not write."""
        if not data.startswith(_HEAD) or data[len(_HEAD) : _BODY] != _digest(data[_BODY:]):
            raise Damaged("the manifest is not what was written: its check does not fit")
        try:
            return _manifest(loads(data, parse_constant=_refuse))
        except (TypeError, ValueError, KeyError, OverflowError, RecursionError) as error:
            raise Damaged(f"the manifest is not one of format {FORMAT}: {error}") from error


def format_of(data: bytes) -> int | None:
    """Return the format that a manifest claims: another version's entries are told from damaged ones."""
    try:
        tree = loads(data)
    except (ValueError, RecursionError):
        return None
    found = tree.get("format") if isinstance(tree, dict) else None
    return found if type(found) is int else None


def require_name(name: str) -> None:
    """Raise ValueError unless `name` is hex: families, keys and entries become names of files."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a hex digest of at most 128 digits")


def _digest(body: bytes) -> bytes:
    return xxhash.xxh3_128_hexdigest(body).encode("ascii")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Part | Payload):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {_text(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _manifest(tree: Any) -> Manifest:
    members = dict(_object(tree))
    check, number = members.pop("check"), members.pop("format")
    if type(number) is not int or number != FORMAT:
        raise ValueError(f"its format is {number!r}")
    if members.keys() != _READERS.keys() or not isinstance(check, str):
        raise ValueError(f"its members are {sorted(members)}")
    return Manifest(**{name: read(members[name]) for name, read in _READERS.items()})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where text belongs")
    return value


def _id(value: Any) -> str:
    require_name(value)
    return _text(value)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} where seconds belong")
    return float(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} where an object belongs")
    return value


def _parts(value: Any) -> dict[str, Part]:
    return {name: _part(_object(part)) for name, part in _object(value).items()}


def _part(value: dict[str, Any]) -> Part:
    return Part(**{name: _text(item) for name, item in value.items()})


def _payload(value: Any) -> Payload | None:
    if value is None:
        return None
    payload = Payload(**_object(value))
    if type(payload.size) is not int or payload.size < 0:
        raise TypeError(f"{payload.size!r} where a size in bytes belongs")
    return Payload(payload.size, _id(payload.digest), _object(payload.layout))


_READERS: dict[str, Callable[[Any], Any]] = {
    "family": _id,
    "key": _id,
    "entry": _id,
    "label": _text,
    "cell_id": _text,
    "source": _text,
    "parts": _parts,
    "observed": _object,
    "effects": _object,
    "seconds": _seconds,
    "created": _seconds,
    "provenance": _object,
    "payload": _payload,
}
