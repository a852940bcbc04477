"""sentence_transformers: models whose first `encode` switches their outer shells to `eval()`.

The mode of a shell (the model, pooling, normalising) counts only where its code
asks for it; the networks inside keep theirs, so `train()` still counts. What
`encode` and `similarity` derive and keep is no content either.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import torch

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.adapters.torch_modules import module_content
from lean_magic.values.code import facts
from lean_magic.values.fingerprint import Rule, Walk

__all__ = ["ADAPTER"]

_MODE = frozenset({"training"})
_DERIVED = frozenset({"_similarity", "_similarity_pairwise", "_prompt_length_mapping"})


def _shell(walk: Walk, value: Any) -> bytes:
    cls: Any = type(value)
    skip = _DERIVED if _asks_for_mode(cls) else _DERIVED | _MODE
    if getattr(value, "_similarity_fn_name", None) in {None, "cosine"}:
        skip |= {"_similarity_fn_name"}
    return module_content(walk, value, skip)


@functools.cache
def _asks_for_mode(cls: Any) -> bool:
    own = (base for base in cls.__mro__ if base.__module__.partition(".")[0] == "sentence_transformers")
    functions = (
        member for base in own for member in vars(base).values() if isinstance(member, types.FunctionType)
    )
    return any("training" in facts(function.__code__).attributes for function in functions)


class _SentenceTransformers(FingerprintOnly):
    library = "sentence_transformers"

    def rule(self, cls: type) -> Rule | None:
        own = cls.__module__.partition(".")[0] == self.library
        return _shell if own and issubclass(cls, torch.nn.Module) else None


ADAPTER = _SentenceTransformers()
