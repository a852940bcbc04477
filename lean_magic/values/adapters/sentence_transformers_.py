"""sentence_transformers: models whose first `encode` switches their outer shells to `eval()`.

The shells (the model, pooling, normalising) do nothing that depends on the mode;
the networks inside them keep theirs in the fingerprint, so `train()` still counts.
"""

from __future__ import annotations

from typing import Any

import torch

from lean_magic.values.adapters.torch_ import module_content
from lean_magic.values.fingerprint import Rule, Walk

__all__ = ["ADAPTER"]

_MODE = frozenset({"training"})


def _shell(walk: Walk, value: Any) -> bytes:
    return module_content(walk, value, _MODE)


class _SentenceTransformers:
    library = "sentence_transformers"

    def rule(self, cls: type) -> Rule | None:
        own = cls.__module__.partition(".")[0] == self.library
        return _shell if own and issubclass(cls, torch.nn.Module) else None

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


ADAPTER = _SentenceTransformers()
