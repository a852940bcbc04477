"""transformers: tokenizers, configurations and models without what is no content of theirs.

Where a model was loaded from, and what a call leaves behind in a tokenizer, make no difference.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.adapters.tokenizers_ import without_call_settings
from lean_magic.values.adapters.torch_ import module_content
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.reduced import attributes

__all__ = ["ADAPTER"]

_PLACE = frozenset({"name_or_path", "_name_or_path", "vocab_file", "tokenizer_file"})
_CALL = frozenset({"_tokenizer", "init_kwargs", "deprecation_warnings"})


def _tokenizer(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    model = without_call_settings(walk, value.backend_tokenizer)
    options = {name: item for name, item in value.init_kwargs.items() if name not in _PLACE}
    pieces = (walk.digest(walk.keep(options)), attributes(walk, value, _CALL | _PLACE))
    return combine("fast tokenizer", walk.digest(type(value)), model, *pieces)


def _config(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    return combine("config", walk.digest(type(value)), attributes(walk, value, _PLACE | _OF_PROCESS))


# A number by which a generation config knows whether it was changed, other in each process.
_OF_PROCESS = frozenset({"_original_object_hash"})


def _model(walk: Walk, value: Any) -> bytes:
    return module_content(walk, value, _PLACE)


class _Transformers(FingerprintOnly):
    library = "transformers"

    def rule(self, cls: type) -> Rule | None:
        table: list[tuple[type, Rule]] = [
            (transformers.PreTrainedTokenizerFast, _tokenizer),
            (transformers.PretrainedConfig, _config),
            (transformers.GenerationConfig, _config),
        ]
        if issubclass(cls, torch.nn.Module) and issubclass(cls, transformers.PreTrainedModel):
            return _model
        return next((rule for kind, rule in table if issubclass(cls, kind)), None)


ADAPTER = _Transformers()
