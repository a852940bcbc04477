"""transformers: tokenizers, configurations and models without what is no content of theirs.

Where a model was loaded from, and what a call leaves behind in a tokenizer, make no difference.
Classes are known by name: the library loads its modules, torch among them, as it is asked for their classes.
"""

from __future__ import annotations

from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory
from lean_magic.values.reduced import attributes, fill_attributes

__all__ = ["ADAPTER"]

_PLACE = frozenset({"name_or_path", "_name_or_path", "vocab_file", "tokenizer_file"})
_CALL = frozenset({"_tokenizer", "init_kwargs", "deprecation_warnings"})


def _tokenizer(walk: Walk, value: Any) -> bytes:
    from lean_magic.values.adapters.tokenizers_ import without_call_settings

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
    from lean_magic.values.adapters.torch_modules import module_content  # there is none without torch

    return module_content(walk, value, _PLACE)


_RULES: dict[str, Rule] = {
    "PreTrainedTokenizerFast": _tokenizer,
    "TokenizersBackend": _tokenizer,  # its name since version 5
    "PretrainedConfig": _config,
    "PreTrainedConfig": _config,  # likewise
    "GenerationConfig": _config,
    "PreTrainedModel": _model,
}


class _Transformers(FingerprintOnly):
    library = "transformers"

    def rule(self, cls: type) -> Rule | None:
        theirs = (base.__name__ for base in cls.__mro__ if base.__module__.startswith("transformers."))
        return next((_RULES[name] for name in theirs if name in _RULES), None)

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        if type(value).__name__ != "BatchEncoding":
            return NotImplemented
        # What it says to be pickled by leaves something out.
        return object.__new__, (type(value),), (dict(vars(value)), {}), None, None, fill_attributes


ADAPTER = _Transformers()
