"""Tensors ↔ bytes: dense ones without a copy, views of one storage as views again, each on its device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from lean_magic.errors import Unstorable
from lean_magic.values.memory import LARGE, Interval, LayoutChanged, Memory, Plain, Span, bytes_at, keeps_gaps
from lean_magic.values.notes import note
from lean_magic.values.strides import View, moved

__all__ = ["interval", "once", "pipelined", "plain", "reduced", "still_there"]


def interval(value: torch.Tensor) -> Interval:
    """Give the addresses a strided tensor occupies."""
    start = value.data_ptr()
    if not value.numel():
        return Interval(_device(value), start, start)
    last = sum((size - 1) * stride for size, stride in zip(value.shape, value.stride(), strict=True))
    return Interval(_device(value), start, start + (last + 1) * value.element_size())


def _device(value: torch.Tensor) -> str:
    return "" if value.device.type == "cpu" else str(value.device)


def still_there(value: torch.Tensor) -> Callable[[], torch.Tensor | None]:
    """Give what later makes a tensor on the memory that this one has now, or None once nobody holds that any more."""
    place = value.storage_offset(), tuple(value.shape), value.stride()
    dtype, device, held = value.dtype, value.device, StorageWeakRef(value.untyped_storage())

    def ask() -> torch.Tensor | None:
        storage = torch.UntypedStorage._new_with_weak_ptr(held.cdata)  # noqa: SLF001
        return None if storage is None else torch.empty(0, dtype=dtype, device=device).set_(storage, *place)

    return ask


def reduced(value: torch.Tensor, memory: Memory | None) -> Any:
    """Take a tensor without a graph apart; NotImplemented for kinds torch itself must write."""
    if str(value.layout) == "torch._mkldnn":
        return _to_mkldnn, (value.to_dense(),)
    is_odd = value.is_quantized or value.is_meta or value.is_nested
    is_plain = value.layout is torch.strided and not is_odd
    if not is_plain or not _is_elements(type(value)):
        return NotImplemented
    form = _otherwise(value, memory)
    return form if form is not None else _dense(value, memory)


def _is_elements(cls: Any) -> bool:
    """Whether tensors of a class are their elements and attributes, however the class itself would be pickled."""
    dispatch = getattr(cls, "__torch_dispatch__", None)
    return issubclass(cls, torch.nn.Parameter) or dispatch is torch.Tensor.__torch_dispatch__


def _otherwise(value: torch.Tensor, memory: Memory | None) -> Any:
    """Take a tensor apart that is more than its elements: of a class of the user's, or seen in another way; or None."""
    about = value.requires_grad, value.grad
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        # torch itself would write it by its elements alone.
        return _of_class, (type(value), _bare(plain(value), memory), *about)
    if value.is_conj() or value.is_neg():
        return _seen_otherwise, (_bare(_as_it_lies(value), memory), value.is_conj(), value.is_neg(), *about)
    if any(size > 1 and not step for size, step in zip(value.shape, value.stride(), strict=True)):
        return _expanded, (_bare(once(value.detach()), memory), tuple(value.shape), *about)
    place = interval(value)
    if place.end - place.start < value.numel() * value.element_size():  # some elements lie at one place
        whole = value.detach().as_strided(((place.end - place.start) // value.element_size(),), (1,))
        return _overlapping, (_bare(whole, memory), tuple(value.shape), value.stride(), *about)
    if value.is_inference() and not torch.is_inference_mode_enabled():
        with torch.inference_mode():
            return _inferred, reduced(value, memory)
    return None


def plain(value: torch.Tensor) -> torch.Tensor:
    """Give a tensor on the memory of another, of no class of the user's."""
    bare = value.detach()
    return bare if type(bare) is torch.Tensor else bare.as_subclass(torch.Tensor)  # which sparse ones refuse


def _bare(value: torch.Tensor, memory: Memory | None) -> Any:
    """Give what a tensor is seen through, to be written by its content where that one is."""
    return Plain(value) if memory is None else value


def _of(bare: Any) -> torch.Tensor:
    value: torch.Tensor = bare.value if isinstance(bare, Plain) else bare
    return value


def _dense(value: torch.Tensor, memory: Memory | None) -> Any:
    about = (str(value.dtype).removeprefix("torch."), tuple(value.shape), value.requires_grad, value.grad)
    kind = type(value) is torch.nn.Parameter
    place = interval(value)
    base = value._base  # noqa: SLF001
    owner = memory.live_owner(place, base) if memory is not None and value.numel() else None
    if owner is None and memory is not None and base is not None and memory.has_seen(base):
        owner = interval(base), base
    if owner is not None:
        offset = (place.start - owner[0].start) // value.element_size()
        view = _how_seen(value, owner[1])
        return _view_of, (owner[1], _as_tensor(owner[1]).stride(), value.stride(), offset, *about, kind, view)
    if memory is not None:
        memory.note(place, value)
    form = _bytes(value, place, memory)
    gaps = _gaps(value, place) if form[1] != value.stride() else None
    return _from_bytes, (*form, *about, kind, _device(value), gaps)


def _how_seen(value: torch.Tensor, owner: Any) -> int | None:
    """Say how autograd knows a view of its base, or -1 if it knows the tensor as none; None where another is its base.

    Raises Unstorable for one made before its base required a gradient, which autograd tells by their versions.
    """
    base = value._base  # noqa: SLF001
    if base is None:
        return -1
    if base is not owner:
        return None
    made = torch._C._autograd._get_creation_meta(value)  # noqa: SLF001
    if not base.requires_grad:
        return int(made)
    if made.name == "DEFAULT":
        why = "is a view of a tensor that has come to require a gradient since"
        raise Unstorable("tensor", why, "call requires_grad_() in a cell before, or in one of its own")
    return None


def once(value: torch.Tensor) -> torch.Tensor:
    """Leave out the repetitions of an expanded tensor, which lie at one place."""
    if value.layout is not torch.strided or value.is_nested:
        return value
    for axis, (size, stride) in enumerate(zip(value.shape, value.stride(), strict=True)):
        if size > 1 and not stride:
            value = value.narrow(axis, 0, 1)
    return value


def _expanded(bare: Any, shape: Any, requires_grad: bool, grad: Any) -> torch.Tensor:
    return _finished(_of(bare).expand(shape), requires_grad, grad, kind=False)


def _overlapping(bare: Any, shape: Any, stride: Any, requires_grad: bool, grad: Any) -> torch.Tensor:
    return _finished(_of(bare).as_strided(shape, stride), requires_grad, grad, kind=False)


def _of_class(cls: Any, bare: Any, requires_grad: bool, grad: Any) -> torch.Tensor:
    made: torch.Tensor = torch.Tensor._make_subclass(cls, _of(bare).detach(), requires_grad)  # noqa: SLF001
    made.grad = grad
    return made


def _as_it_lies(value: torch.Tensor) -> torch.Tensor:
    """Give a tensor that is seen through a conjugation or a negation as it lies in memory."""
    bare = value.detach()
    bare = torch._neg_view(bare) if bare.is_neg() else bare  # noqa: SLF001  torch has no public name for it
    return bare.conj() if bare.is_conj() else bare


def _seen_otherwise(bare: Any, conj: bool, neg: bool, requires_grad: bool, grad: Any) -> torch.Tensor:
    value = _of(bare).conj() if conj else _of(bare)
    value = torch._neg_view(value) if neg else value  # noqa: SLF001
    return _finished(value, requires_grad, grad, kind=False)


def _inferred(make: Callable[..., torch.Tensor], about: tuple[Any, ...]) -> torch.Tensor:
    """Make a tensor as under `torch.inference_mode()`, which it tells ever after."""
    with torch.inference_mode():
        return make(*about)


def _to_mkldnn(value: torch.Tensor) -> Any:
    return value.to_mkldnn()


def _bytes(value: torch.Tensor, place: Interval, memory: Memory | None) -> tuple[Any, tuple[int, ...], int]:
    """Give bytes that hold the tensor, its strides in them, and where it starts (in elements)."""
    span = memory.span(place, bytes_at) if memory is not None and not place.device else None
    if span is not None:
        return span[1], value.stride(), (place.start - span[0].start) // value.element_size()
    plain = value.detach().cpu()
    if place.end - place.start != value.numel() * value.element_size():
        plain = plain.contiguous() if _gaps(value, place) else plain.clone()
    if not value.numel():
        return Span(b""), plain.stride(), 0
    alone = bytes_at(interval(plain), plain)
    # Few bytes that nobody shares go into memory of torch's own, which can be resized; many are mapped.
    return bytes(alone.content) if plain.nbytes < LARGE else alone, plain.stride(), 0


def _gaps(value: torch.Tensor, place: Interval) -> tuple[int, ...] | None:
    """Give the strides of a tensor with gaps, if they are kept."""
    size, content = place.end - place.start, value.numel() * value.element_size()
    return value.stride() if size != content and keeps_gaps(size, content) else None


def _spread(value: torch.Tensor, stride: tuple[int, ...]) -> torch.Tensor:
    last = sum((size - 1) * step for size, step in zip(value.shape, stride, strict=True))
    room = torch.zeros(last + 1, dtype=value.dtype).untyped_storage()
    return torch.empty(0, dtype=value.dtype).set_(room, 0, value.shape, stride).copy_(value)


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
    gaps: tuple[int, ...] | None = None,
) -> torch.Tensor:
    storage = _storage(content)
    value = torch.empty(0, dtype=getattr(torch, dtype)).set_(storage, offset, shape, stride)
    if gaps:
        value = _spread(value, gaps)
    if device and _is_present(device):
        value = _moved(value, torch.device(device))
    elif device:
        note(f"no {device} here: restored on the CPU")
    return _finished(value, requires_grad, grad, kind)


def _storage(content: Any) -> Any:
    if not len(content):
        return torch.empty(0, dtype=torch.uint8).untyped_storage()
    if type(content) is bytes:
        return torch.frombuffer(bytearray(content), dtype=torch.uint8).clone().untyped_storage()
    writable = bytearray(content) if content.readonly else content
    return torch.frombuffer(writable, dtype=torch.uint8).untyped_storage()


def _moved(value: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a tensor that lies in a mapped file to a device; its strides stay."""
    dense = value.untyped_storage().nbytes() == value.nbytes
    if device.type != "cuda" or not dense or value.nbytes < 2 * _PIECE:
        return value.to(device)
    target = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=device)
    with torch.cuda.device(device):
        pipelined(_flat(value), _flat(target), pinned=True)
    return target


def _flat(value: torch.Tensor) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=value.device).set_(value.untyped_storage())


_PIECE = 16 << 20  # bytes on their way at a time
_BUFFERS = 3  # pieces: one that is read, one that is sent, one that is ready


def pipelined(source: torch.Tensor, target: torch.Tensor, *, pinned: bool) -> None:
    """Copy bytes through a few pinned buffers: while one is sent, the next is read from the file.

    Only the copies of the current stream are waited for, and only where a buffer is to be used again.
    """
    count = min(_BUFFERS, -(-len(source) // _PIECE))
    buffers = [torch.empty(_PIECE, dtype=torch.uint8, pin_memory=pinned) for _ in range(count)]
    sent: list[Any] = [None] * count
    for place, start in enumerate(range(0, len(source), _PIECE)):
        piece = source[start : start + _PIECE]
        turn = place % count
        if sent[turn] is not None:
            sent[turn].synchronize()
        buffer = buffers[turn][: len(piece)].copy_(piece)  # by several threads
        target[start : start + len(piece)].copy_(buffer, non_blocking=True)
        if pinned:
            sent[turn] = torch.cuda.Event()
            sent[turn].record()
    for event in filter(None, sent):
        event.synchronize()


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
    view: int | None = None,
) -> torch.Tensor:
    """Make a view of a live tensor; one that lies in memory otherwise than the recorded one did still has its axes."""
    live = _as_tensor(live)
    base = live.detach() if view is None or view < 0 or live.requires_grad else live
    if str(live.dtype) != f"torch.{dtype}":
        value = _of_other_type(live, was, dtype, View(shape, stride, offset))
    else:
        place = moved(View(shape, stride, offset), live.shape, was, live.stride())
        value = base.as_strided(shape, place.strides, live.storage_offset() + place.start)
    if view is not None and base is live and value._is_view():  # noqa: SLF001
        torch._C._autograd._set_creation_meta(value, torch._C._autograd.CreationMeta(view))  # noqa: SLF001
    return _finished(value.detach() if view == -1 else value, requires_grad, grad, kind)


def _of_other_type(live: torch.Tensor, was: Any, dtype: str, view: View) -> torch.Tensor:
    """See the bytes of a live tensor as elements of another type."""
    made = torch.empty(0, dtype=getattr(torch, dtype), device=live.device)
    start, rest = divmod(live.storage_offset() * live.element_size(), made.element_size())
    if tuple(was) != live.stride() or rest:
        raise LayoutChanged("a tensor lies in memory in another order than when the entry was made")
    return made.set_(live.untyped_storage(), start + view.start, view.shape, view.strides)


def _as_tensor(owner: Any) -> Any:
    """Give an array that a tensor shares its memory with as a tensor on that memory."""
    return torch.from_numpy(owner) if hasattr(owner, "__array_interface__") else owner


def _finished(value: torch.Tensor, requires_grad: bool, grad: Any, kind: bool) -> torch.Tensor:
    result = torch.nn.Parameter(value, requires_grad) if kind else value.requires_grad_(requires_grad)
    if grad is not None:
        result.grad = grad
    return result
