"""torch: tensors and modules by content, wherever they live.

A tensor's device is no content; its gradient is. A module is its class, mode,
configuration, parameters, buffers, submodules and hooks.
"""

from __future__ import annotations

from typing import Any

import torch

from lean_magic.values.adapters.torch_graph import spent
from lean_magic.values.adapters.torch_storage import interval, reduced
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.memory import Memory, Plain

__all__ = ["ADAPTER", "bytes_of", "module_content"]

_GRAPH = "carries an autograd graph, which has no content to compare"


def _tensor(walk: Walk, value: torch.Tensor) -> bytes:
    walk.mark(value)
    if value.grad_fn is not None:
        raise walk.fail(value, _GRAPH, "detach() it, or compute it under torch.no_grad()")
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    head = f"{kind} {value.dtype} {tuple(value.shape)} {value.requires_grad}"
    grad = walk.digest(value.grad) if value.is_leaf else b""
    return combine("tensor", leaf("", head.encode()), _content(walk, value), grad)


def _content(walk: Walk, value: torch.Tensor) -> bytes:
    if value.is_meta:
        return b"meta"
    if value.layout is not torch.strided:
        return _sparse(walk, value)
    if value.is_quantized:
        return combine(
            "quantized", leaf("", bytes_of(value.int_repr())), leaf("", str(value.qscheme()).encode())
        )
    return leaf("", bytes_of(value))


def _sparse(walk: Walk, value: torch.Tensor) -> bytes:
    if value.layout is torch.sparse_coo:
        whole = value.coalesce()
        return combine("coo", walk.digest(walk.keep(whole.indices())), walk.digest(walk.keep(whole.values())))
    rows = value.crow_indices() if value.layout is torch.sparse_csr else value.ccol_indices()
    columns = value.col_indices() if value.layout is torch.sparse_csr else value.row_indices()
    return combine(
        str(value.layout), *(walk.digest(walk.keep(piece)) for piece in (rows, columns, value.values()))
    )


def bytes_of(value: torch.Tensor) -> Any:
    """Give the elements in C order as a buffer of bytes on the CPU."""
    plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
    return plain.reshape(-1).view(torch.uint8).numpy()


def module_content(walk: Walk, value: torch.nn.Module, skip: frozenset[str] = frozenset()) -> bytes:
    """Digest a module by all it holds, but for the attributes named in `skip`."""
    walk.mark(value)
    names = sorted(name for name in vars(value) if name not in _UNSEEN | skip)
    return combine("module", walk.digest(type(value)), *(_member(walk, value, name) for name in names))


# Set by torch itself when a module is compiled or called.
_UNSEEN = frozenset(
    {"_compiled_call_impl", "_is_full_backward_hook", "_is_hf_initialized", "_is_fsdp_managed_module"}
)


def _member(walk: Walk, module: torch.nn.Module, name: str) -> bytes:
    content = vars(module)[name]
    if "hooks" in name and isinstance(content, dict):
        # Keys are numbers drawn from a counter of the process; order and functions matter.
        return combine("hooks", walk.digest(name), *map(walk.digest, content.values()))
    if name in {"_parameters", "_buffers", "_modules"}:
        return combine(
            "named", walk.digest(name), *(walk.digest(k) + walk.digest(v) for k, v in content.items())
        )
    return combine("member", walk.digest(name), walk.digest(content))


def _generator(walk: Walk, value: torch.Generator) -> bytes:
    walk.mark(value)
    return combine("torch generator", leaf("", bytes_of(value.get_state())))


def _storage(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    whole = torch.empty(0, dtype=torch.uint8, device=value.device).set_(value)
    return combine("storage", leaf("", bytes_of(whole)))


def _named(walk: Walk, value: Any) -> bytes:
    del walk
    return leaf(f"torch {type(value).__name__}", str(value).encode())


class _Torch:
    library = "torch"

    def rule(self, cls: type) -> Rule | None:
        table: list[tuple[Any, Rule | None]] = [
            (torch.Tensor, _tensor),
            (torch.jit.ScriptModule, None),
            (torch.nn.Module, module_content),
            (torch.Generator, _generator),
            (torch.UntypedStorage, _storage),
            ((torch.dtype, torch.device, torch.layout, torch.memory_format, torch.Size), _named),
        ]
        return next((rule for kinds, rule in table if issubclass(cls, kinds)), None)

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        if not isinstance(value, torch.Tensor):
            return NotImplemented
        return spent(value) if value.grad_fn is not None else reduced(value, memory)

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        if not isinstance(value, torch.Tensor) or value.layout is not torch.strided or value.is_meta:
            return None
        return interval(value), tuple(value.shape), str(value.dtype)

    def content(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return Plain(value.detach()), value.grad, value.requires_grad
        if isinstance(value, torch.Generator):
            return value.get_state()
        return NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, torch.Generator):
            live.set_state(stored)
            return True
        if not isinstance(live, torch.Tensor):
            return False
        data, grad, requires_grad = stored
        with torch.no_grad():
            live.copy_(data.value)
        live.requires_grad_(requires_grad)
        live.grad = grad
        return True


ADAPTER = _Torch()
