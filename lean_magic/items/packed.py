"""One result as bytes and back, by its type, without pickle: reading can run no code.

None, bool, int, float, complex, str, bytes, lists, tuples and dicts of these, numpy arrays and scalars, and
torch tensors: each under a tag of one letter. Anything else is refused.
"""

from __future__ import annotations

import ast
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lean_magic.errors import Damaged, Unstorable

__all__ = ["dtype_from", "dtype_text", "dump", "from_torch", "is_tensor", "load", "to_torch"]

_SIZE = struct.Struct("<Q")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")


def dump(value: Any) -> bytes:
    """Write a value. Raises Unstorable for a kind that is not known here."""
    return b"".join(_pieces(value))


def load(data: memoryview) -> Any:
    """Read what `dump` wrote. Raises Damaged if there is anything else."""
    try:
        value, end = _load(data, 0)
    except (struct.error, KeyError, ValueError, TypeError, IndexError) as error:
        raise Damaged(f"an item is not what was written ({error})") from error
    if end != len(data):
        raise Damaged("an item is not what was written: bytes are left over")
    return value


def _pieces(value: Any) -> Iterator[bytes]:
    write = _WRITERS.get(type(value))
    if write is not None:
        yield from write(value)
    elif isinstance(value, np.generic) and not value.dtype.hasobject:
        yield from _array(np.asarray(value), b"g")
    elif is_tensor(value):
        array, name = from_torch(value)
        yield b"r"
        yield from _sized(name.encode())
        yield from _array(array, b"a")
    else:
        raise Unstorable(
            "the function's result",
            f"holds a {type(value).__module__}.{type(value).__qualname__}, which item caches cannot store",
            "return arrays, tensors, numbers, texts, or lists, tuples and dicts of these",
        )


def _sized(data: bytes) -> Iterator[bytes]:
    yield _SIZE.pack(len(data))
    yield data


def _tagged(tag: bytes, data: bytes) -> Iterator[bytes]:
    yield tag
    yield from _sized(data)


def _int(value: int) -> Iterator[bytes]:
    return _tagged(b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _many(tag: bytes, values: Any) -> Iterator[bytes]:
    yield tag
    yield _SIZE.pack(len(values))
    for value in values:
        yield from _pieces(value)


def _dict(value: dict[Any, Any]) -> Iterator[bytes]:
    return _many(b"d", [one for pair in value.items() for one in pair])


def _array(value: np.ndarray[Any, Any], tag: bytes = b"a") -> Iterator[bytes]:
    if value.dtype.hasobject:
        raise Unstorable("the function's result", "holds an array of objects inside a list", "return lists")
    yield tag
    yield from _sized(dtype_text(value.dtype).encode())
    yield from _sized(struct.pack(f"<{value.ndim}Q", *value.shape))
    yield from _sized(value.tobytes())


_WRITERS: dict[type, Callable[[Any], Iterator[bytes]]] = {
    type(None): lambda _: iter([b"N"]),
    bool: lambda value: iter([b"T" if value else b"F"]),
    int: _int,
    float: lambda value: iter([b"f" + _FLOAT.pack(value)]),
    complex: lambda value: iter([b"c" + _COMPLEX.pack(value.real, value.imag)]),
    str: lambda value: _tagged(b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: _tagged(b"b", value),
    list: lambda value: _many(b"l", value),
    tuple: lambda value: _many(b"t", value),
    dict: _dict,
    np.ndarray: _array,
}


def _load(data: memoryview, at: int) -> tuple[Any, int]:
    tag, at = bytes(data[at : at + 1]), at + 1
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag in _READERS:
        piece, at = _bytes(data, at)
        return _READERS[tag](piece), at
    return _LOADERS[tag](tag, data, at)


def _load_float(_: bytes, data: memoryview, at: int) -> tuple[Any, int]:
    return _FLOAT.unpack_from(data, at)[0], at + 8


def _load_complex(_: bytes, data: memoryview, at: int) -> tuple[Any, int]:
    return complex(*_COMPLEX.unpack_from(data, at)), at + 16


def _load_tensor(_: bytes, data: memoryview, at: int) -> tuple[Any, int]:
    name, at = _bytes(data, at)
    array, at = _load(data, at)
    return to_torch(array, str(name, "ascii")), at


def _bytes(data: memoryview, at: int) -> tuple[memoryview, int]:
    (size,), at = _SIZE.unpack_from(data, at), at + 8
    if at + size > len(data):
        raise ValueError("a piece ends too early")
    return data[at : at + size], at + size


def _load_many(tag: bytes, data: memoryview, at: int) -> tuple[Any, int]:
    (count,), at = _SIZE.unpack_from(data, at), at + 8
    found = []
    for _ in range(count):
        value, at = _load(data, at)
        found.append(value)
    if tag == b"d":
        return dict(zip(found[::2], found[1::2], strict=True)), at
    return (tuple(found) if tag == b"t" else found), at


def _load_array(tag: bytes, data: memoryview, at: int) -> tuple[Any, int]:
    text, at = _bytes(data, at)
    sizes, at = _bytes(data, at)
    content, at = _bytes(data, at)
    dtype, shape = dtype_from(str(text, "ascii")), struct.unpack(f"<{len(sizes) // 8}Q", sizes)
    array = np.frombuffer(bytearray(content), np.uint8).view(dtype) if dtype.itemsize else np.empty(0, dtype)
    array = array.reshape(shape) if dtype.itemsize else np.empty(shape, dtype)
    return (array[()] if tag == b"g" else array), at


_CONSTANTS = {b"N": None, b"T": True, b"F": False}
_READERS: dict[bytes, Callable[[memoryview], Any]] = {
    b"i": lambda piece: int.from_bytes(piece, "little", signed=True),
    b"s": lambda piece: str(piece, "utf-8", "surrogatepass"),
    b"b": bytes,
}
_LOADERS: dict[bytes, Callable[[bytes, memoryview, int], tuple[Any, int]]] = {
    b"f": _load_float,
    b"c": _load_complex,
    b"r": _load_tensor,
    **dict.fromkeys((b"l", b"t", b"d"), _load_many),
    **dict.fromkeys((b"a", b"g"), _load_array),
}


# -- dtypes, and torch -------------------------------------------------------------------


def dtype_text(dtype: Any) -> str:
    """Spell a dtype without objects so that `dtype_from` reads it: as numpy writes it into its own files."""
    return repr(np.lib.format.dtype_to_descr(dtype))


def dtype_from(text: str) -> Any:
    """Read a dtype that `dtype_text` spelled. Raises ValueError, TypeError."""
    return np.lib.format.descr_to_dtype(ast.literal_eval(text))


def is_tensor(value: Any) -> bool:
    """Whether this is a torch tensor; never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def from_torch(value: Any) -> tuple[Any, str]:
    """Give a tensor's numbers as an array on the CPU, and the name of its dtype. Raises Unstorable."""
    torch = sys.modules["torch"]
    if value.grad_fn is not None:
        raise Unstorable(
            "the function's result", "carries an autograd graph", "compute it under torch.no_grad()"
        )
    if value.layout is not torch.strided or value.is_quantized or type(value) is not torch.Tensor:
        raise Unstorable("the function's result", "is a tensor that is not dense", "return a dense one")
    plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
    name = str(plain.dtype).removeprefix("torch.")
    try:
        return plain.numpy(), name
    except TypeError:  # a kind that numpy does not know, such as bfloat16: as integers of the same size
        whole = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[plain.element_size()]
        return plain.view(whole).numpy(), name


def to_torch(array: Any, name: str) -> Any:
    """Give the tensor again, on the CPU, sharing the array's memory."""
    import torch

    dtype = getattr(torch, name)
    tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
    return tensor if tensor.dtype == dtype else tensor.view(dtype)
