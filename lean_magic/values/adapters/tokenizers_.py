"""tokenizers: by the text they are saved as."""

from __future__ import annotations

import json
from typing import Any

import tokenizers

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf

__all__ = ["ADAPTER", "without_call_settings"]


def _tokenizer(walk: Walk, value: tokenizers.Tokenizer) -> bytes:
    walk.mark(value)
    return leaf("tokenizer", value.to_str().encode())


def without_call_settings(walk: Walk, value: tokenizers.Tokenizer) -> bytes:
    """Digest without truncation and padding, for owners that set both anew at each call."""
    walk.mark(value)
    text = value.to_str()
    for name in ("truncation", "padding"):
        text = _without(text, name)
    return walk.noted(value, leaf("tokenizer model", text.encode()))


def _without(text: str, name: str) -> str:
    """Leave a member out of a text of JSON; those left out come early, and the vocabulary after them is not read."""
    head = text.partition('"added_tokens":')[0]
    place = head.find(f'"{name}":')
    if place >= 0:
        start = place + len(name) + 3
        end = json.JSONDecoder().raw_decode(text, start)[1]
        return f"{text[:start]}null{text[end:]}"
    content = json.loads(text)
    return json.dumps({**content, name: None}) if name in content else text


def _token(walk: Walk, value: tokenizers.AddedToken) -> bytes:
    fields = (value.content, value.single_word, value.lstrip, value.rstrip, value.normalized, value.special)
    return combine("token", walk.digest(fields))


class _Tokenizers(FingerprintOnly):
    library = "tokenizers"

    def rule(self, cls: type) -> Rule | None:
        if issubclass(cls, tokenizers.Tokenizer):
            return _tokenizer
        return _token if issubclass(cls, tokenizers.AddedToken) else None

    def content(self, value: Any) -> Any:
        return value.__getstate__() if isinstance(value, tokenizers.Tokenizer) else NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, tokenizers.Tokenizer):
            return False
        live.__setstate__(stored)
        return True


ADAPTER = _Tokenizers()
