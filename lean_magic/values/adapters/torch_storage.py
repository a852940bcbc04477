"""Tensors ↔ bytes: dense ones without a copy, views of one storage as views again, each on its device."""

from __future__ import annotations

from typing import Any

import torch

from lean_magic.values.memory import Interval, LayoutChanged, Memory, Span, bytes_at
from lean_magic.values.notes import note

__all__ = ["interval", "reduced"]


def interval(value: torch.Tensor) -> Interval:
    """Give the addresses a strided tensor occupies."""
    start = value.data_ptr()
    if not value.numel():
        return Interval(_device(value), start, start)
    last = sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
    return Interval(_device(value), start, start + (last + 1) * value.element_size())


def _device(value: torch.Tensor) -> str:
    return "" if value.device.type == "cpu" else str(value.device)


def reduced(value: torch.Tensor, memory: Memory | None) -> Any:
    """Take a tensor without a graph apart; NotImplemented for kinds torch itself must write."""
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        return NotImplemented
    if str(value.layout) == "torch._mkldnn":
        return _to_mkldnn, (value.to_dense(),)
    odd = (
        value.layout is not torch.strided
        or value.is_quantized
        or value.is_meta
        or value.is_conj()
        or value.is_neg()
    )
    if odd:
        return NotImplemented
    about = (str(value.dtype).removeprefix("torch."), tuple(value.shape), value.requires_grad, value.grad)
    kind = type(value) is torch.nn.Parameter
    place = interval(value)
    owner = memory.live_owner(place) if memory is not None and value.numel() else None
    if owner is not None:
        offset = (place.start - owner[0].start) // value.element_size()
        return _view_of, (owner[1], owner[1].stride(), value.stride(), offset, *about, kind)
    if memory is not None:
        memory.note(place, value)
    return _from_bytes, (*_bytes(value, place, memory), *about, kind, _device(value))


def _to_mkldnn(value: torch.Tensor) -> Any:
    return value.to_mkldnn()


def _bytes(value: torch.Tensor, place: Interval, memory: Memory | None) -> tuple[Any, tuple[int, ...], int]:
    """Give bytes that hold the tensor, its strides in them, and where it starts (in elements)."""
    span = memory.span(place, bytes_at) if memory is not None and not place.device else None
    if span is not None:
        return span[1], value.stride(), (place.start - span[0].start) // value.element_size()
    plain = value.detach().cpu()
    if place.end - place.start != value.numel() * value.element_size():
        plain = plain.contiguous()
    if not value.numel():
        return Span(b""), plain.stride(), 0
    return bytes_at(interval(plain), plain), plain.stride(), 0


def _from_bytes(
    content: Any,
    stride: Any,
    offset: int,
    dtype: str,
    shape: Any,
    requires_grad: bool,
    grad: Any,
    kind: bool,
    device: str,
) -> torch.Tensor:
    storage = _storage(content)
    value = torch.empty(0, dtype=getattr(torch, dtype)).set_(storage, offset, shape, stride)
    if device and _is_present(device):
        value = value.to(device)
    elif device:
        note(f"no {device} here: restored on the CPU")
    return _finished(value, requires_grad, grad, kind)


def _storage(content: Any) -> Any:
    if not len(content):
        return torch.empty(0, dtype=torch.uint8).untyped_storage()
    writable = bytearray(content) if content.readonly else content
    return torch.frombuffer(writable, dtype=torch.uint8).untyped_storage()


def _is_present(device: str) -> bool:
    wanted = torch.device(device)
    module = getattr(torch, wanted.type, None)
    return bool(module is not None and module.is_available() and (wanted.index or 0) < module.device_count())


def _view_of(
    live: Any,
    was: Any,
    stride: Any,
    offset: int,
    dtype: str,
    shape: Any,
    requires_grad: bool,
    grad: Any,
    kind: bool,
) -> torch.Tensor:
    """Make a view of a live tensor, which must lie in memory as the recorded one did."""
    if not isinstance(live, torch.Tensor) or live.stride() != was or str(live.dtype) != f"torch.{dtype}":
        raise LayoutChanged("a tensor lies in memory in another order than when the entry was made")
    value = live.detach().as_strided(shape, stride, live.storage_offset() + offset)
    return _finished(value, requires_grad, grad, kind)


def _finished(value: torch.Tensor, requires_grad: bool, grad: Any, kind: bool) -> torch.Tensor:
    result = torch.nn.Parameter(value, requires_grad) if kind else value.requires_grad_(requires_grad)
    if grad is not None:
        result.grad = grad
    return result
