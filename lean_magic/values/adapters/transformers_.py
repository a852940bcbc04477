"""transformers: tokenizers and configurations without what a call leaves behind in them."""

from __future__ import annotations

from typing import Any

import transformers

from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.reduced import attributes

__all__ = ["ADAPTER"]

# Truncation and padding of the Rust tokenizer are set anew at each call.
_CALL = frozenset({"_tokenizer"})


def _tokenizer(walk: Walk, value: Any) -> bytes:
    from lean_magic.values.adapters.tokenizers_ import without_call_settings

    walk.mark(value)
    model = without_call_settings(walk, value._tokenizer)  # noqa: SLF001  `backend_tokenizer` is the same
    return combine("fast tokenizer", walk.digest(type(value)), model, attributes(walk, value, _CALL))


class _Transformers:
    library = "transformers"

    def rule(self, cls: type) -> Rule | None:
        return _tokenizer if issubclass(cls, transformers.PreTrainedTokenizerFast) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del value, memory
        return NotImplemented

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        del value
        return None

    def content(self, value: Any) -> Any:
        del value
        return NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        del live, stored
        return False


ADAPTER = _Transformers()
