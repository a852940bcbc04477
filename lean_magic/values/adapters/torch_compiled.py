"""Modules that `torch.compile` has wrapped: by the module and what compiles it, never by what was compiled so far."""

from __future__ import annotations

from typing import Any

import torch

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Walk, combine
from lean_magic.values.origin import module_of

__all__ = ["compiler_digest", "is_compiled", "reduced_compiled"]


def is_compiled(cls: type) -> bool:
    """Whether instances are modules that were wrapped."""
    return cls.__name__ == "OptimizedModule" and module_of(cls) == "torch._dynamo.eval_frame"


def _told(value: torch.nn.Module) -> tuple[Any, bool | None, bool | None]:
    """Give (what compiles a module, whether it has to do that whole, whether shapes may vary)."""
    context = vars(value)["dynamo_ctx"]
    inner = backend = context.callback
    while inner is not None:  # wrappers of torch's own
        backend, inner = inner, getattr(inner, "_torchdynamo_orig_backend", None)
    return backend, getattr(context, "fullgraph", None), getattr(context, "_dynamic", None)


def compiler_digest(walk: Walk, value: torch.nn.Module) -> bytes:
    """Digest what compiles a module, and with which options; what it has compiled so far is no content."""
    backend, *options = _told(value)
    told = dict(vars(backend)) if module_of(type(backend)) == "torch" else backend
    return combine("compiler", walk.digests(walk.keep((type(backend), told, tuple(options)))))


def reduced_compiled(value: torch.nn.Module) -> Any:
    """Take such a module apart: it is wrapped again. Raises Unstorable where more was asked of torch than is known."""
    context = vars(value)["dynamo_ctx"]
    asked = getattr(context, "_hooks", None)
    filters = asked is not None and any(item is not None for item in vars(asked).values())
    hooks = any(
        item
        for name, item in vars(value).items()
        if "hooks" in name and name != "_non_persistent_buffers_set"
    )
    if type(context).__name__ != "OptimizeContext" or filters or hooks:
        why = "was compiled in a way that cannot be told again"
        raise Unstorable(
            type(value).__name__, why, "keep the module itself, and compile it in an uncached cell"
        )
    return _compile, (vars(value)["_modules"]["_orig_mod"], *_told(value))


def _compile(module: torch.nn.Module, backend: Any, whole: bool | None, dynamic: bool | None) -> Any:
    """Do what `torch.compile` does in the end."""
    from torch import _dynamo

    return _dynamo.optimize(backend, nopython=bool(whole), dynamic=dynamic)(module)
