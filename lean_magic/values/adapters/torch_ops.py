"""torch.ops: operators of torch's own, known by their names, and the user's, by what was registered for them."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch._library.custom_ops import CustomOpDef

from lean_magic.values.fingerprint import Rule, Walk, combine, leaf

__all__ = ["OPERATORS", "op_rule", "reduced_op"]

OPERATORS = torch._ops.OpOverload, torch._ops.OpOverloadPacket  # noqa: SLF001
_OWN = {"aten", "prim", "prims"}


def op_rule(cls: type) -> Rule | None:
    """Give the rule for a class of operators."""
    return _op if issubclass(cls, OPERATORS) else _defined if issubclass(cls, CustomOpDef) else None


def _op(walk: Walk, value: Any) -> bytes:
    if _path(value)[0] not in _OWN:
        raise walk.fail(value, "is or holds an operator that is not torch's own", "call it inside a function")
    return leaf("torch operator", str(value).encode())


def reduced_op(value: Any) -> Any:
    """Give the reduced form of an operator of torch's own; NotImplemented for others."""
    path = _path(value)
    return (_find, (path,)) if path[0] in _OWN else NotImplemented


def _defined(walk: Walk, value: CustomOpDef) -> bytes:
    """Digest an operator of the user's by what its author said."""
    walk.mark(value)
    said = [vars(value)[name] for name in _SAID], sorted(vars(value)["_autocast_dtype"].items())
    return combine("custom op", walk.digests(walk.keep(said)))


_SAID = (
    "_namespace", "_name", "_schema", "_init_fn", "_abstract_fn", "_setup_context_fn", "_backward_fn", "_vmap_fn",
)  # fmt: skip


def _path(value: Any) -> list[str]:
    return str(value).split(".")


def _find(path: list[str]) -> Any:
    return functools.reduce(getattr, path, torch.ops)
