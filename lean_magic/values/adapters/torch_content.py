"""What a tensor holds, layout by layout: dense, sparse, quantised, nested, or of a class of its own."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from lean_magic.values.adapters import numpy_elements
from lean_magic.values.adapters.torch_device import digest_on_device, is_worth_it
from lean_magic.values.adapters.torch_storage import interval
from lean_magic.values.fingerprint import Walk, combine, leaf
from lean_magic.values.memory import bytes_at
from lean_magic.values.tree import trees

__all__ = ["content", "digest_of", "digests_of", "is_empty", "shape_text"]


def digest_of(value: torch.Tensor) -> bytes:
    """Digest the elements of a dense tensor in C order, where they lie and on the device they are on (16 bytes)."""
    value = value.detach()
    if value.is_conj() or value.is_neg():
        value = value.resolve_conj().resolve_neg()
    if is_worth_it(value):
        return digest_on_device(value)
    return numpy_elements.digest_of(_as_array(value.cpu()))


def digests_of(tensors: Iterable[torch.Tensor]) -> dict[int, bytes]:
    """Digest the plain ones among tensors as `digest_of` does, but with threads that share them all; by their ids."""
    with torch._C.DisableTorchFunction():  # noqa: SLF001
        plain = [value for value in tensors if _lies_plain(value)]
        contents = [_memory(value) for value in plain]
    return dict(zip(map(id, plain), trees(contents), strict=True))


def _memory(value: torch.Tensor) -> memoryview:
    import ctypes

    return memoryview((ctypes.c_ubyte * value.nbytes).from_address(value.data_ptr()))


def _lies_plain(value: torch.Tensor) -> bool:
    """Whether a tensor is no more than elements that lie one behind the other in the memory of this process."""
    return (
        type(value) in (torch.Tensor, torch.nn.Parameter)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not (value.is_quantized or value.is_nested or value.is_conj() or value.is_neg())
        and value.is_contiguous()
        and value.numel() > 0
        and value.data_ptr() != 0
    )


def _as_array(value: torch.Tensor) -> Any:
    """Give a tensor's memory as an array of words of the same size and strides, by its address.

    numpy lacks some dtypes, and `numpy()` would keep the tensor from ever being resized.
    """
    if value.dtype is torch.complex128:
        value = torch.view_as_real(value)
    size = value.element_size()
    shape, strides = tuple(value.shape), [size * step for step in value.stride()]
    if not value.numel():
        return np.empty(shape, f"u{size}")
    if not value.data_ptr():
        value = value.clone()
    if not value.data_ptr():
        raise RuntimeError("it has no memory")
    return np.ndarray(shape, f"u{size}", bytes_at(interval(value), value).content, 0, strides)


def shape_text(value: torch.Tensor) -> str:
    """Spell dtype and shape; a parameter that waits for its first input has none."""
    if torch.nn.parameter.is_lazy(value):
        return f"{value.dtype} lazy"
    named = [name for name in getattr(value, "names", ()) or () if name] if not value.is_nested else []
    inference = "inference" if value.is_inference() else ""
    return f"{value.dtype} {'nested' if value.is_nested else tuple(value.shape)} {named or inference}"


def is_empty(value: torch.Tensor) -> bool:
    """Whether a tensor has no elements yet: a parameter that waits for its first input, or one on no device."""
    return bool(torch.nn.parameter.is_lazy(value) or value.is_meta)


def content(walk: Walk, value: torch.Tensor) -> bytes:
    """Digest the elements. Raises Unfingerprintable for kinds that give none."""
    known = walk.ahead.pop(id(value), None)
    if known is not None:
        return known
    if is_empty(value):
        return b"meta"
    # Once in each process, torch tells whoever makes a nested tensor that these are new.
    quiet = warnings.catch_warnings(action="ignore") if value.is_nested else contextlib.nullcontext()
    try:
        with quiet:
            return _elements(walk, value.detach())
    except (RuntimeError, NotImplementedError, TypeError, AttributeError) as error:
        why = f"is a tensor of a kind whose elements cannot be read ({str(error)[:60]})"
        raise walk.fail(value, why, "convert it to a dense one") from error


def _elements(walk: Walk, value: torch.Tensor) -> bytes:
    if value.is_nested:
        return combine("nested", *[_piece(walk, piece) for piece in value.unbind()])
    if hasattr(value, "__tensor_flatten__"):
        names, context = value.__tensor_flatten__()
        return combine(
            "flattened", walk.digest(walk.keep(context)), *[_piece(walk, getattr(value, n)) for n in names]
        )
    if value.is_quantized:
        return _quantized(walk, value)
    if value.layout is torch.strided:
        return digest_of(value)
    return _sparse(walk, value)


def _piece(walk: Walk, value: torch.Tensor) -> bytes:
    return combine("piece", leaf("", shape_text(value).encode()), content(walk, value))


def _quantized(walk: Walk, value: torch.Tensor) -> bytes:
    if value.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        scale = walk.digest((value.q_scale(), value.q_zero_point()))
    else:
        scales = (value.q_per_channel_scales(), value.q_per_channel_zero_points())
        scale = combine(
            "axis", walk.digest(value.q_per_channel_axis()), *[_piece(walk, one) for one in scales]
        )
    scheme = leaf("", str(value.qscheme()).encode())
    return combine("quantized", scheme, scale, digest_of(value.int_repr()))


def _sparse(walk: Walk, value: torch.Tensor) -> bytes:
    """Digest a sparse tensor by its indices and values, after uniting what stands at the same place."""
    layout = str(value.layout)
    if layout == "torch._mkldnn":
        return combine(layout, digest_of(value.to_dense()))
    if value.layout is torch.sparse_coo:
        whole = value.coalesce()
        pieces = [whole.indices(), whole.values()]
        layout += f" {value.is_coalesced()} {value.sparse_dim()}"
    elif value.layout in (torch.sparse_csr, torch.sparse_bsr):
        pieces = [value.crow_indices(), value.col_indices(), value.values()]
    else:
        pieces = [value.ccol_indices(), value.row_indices(), value.values()]
    return combine(layout, *[_piece(walk, piece) for piece in pieces])
