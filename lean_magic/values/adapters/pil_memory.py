"""Pictures that PIL only looks at an array's memory for: `Image.fromarray` copies nothing until one is drawn on.

Where that memory lies is told by the Arrow interface: https://arrow.apache.org/docs/format/CDataInterface.html
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from PIL import Image

from lean_magic.values.adapters.pil_files import is_closed
from lean_magic.values.memory import Interval, bytes_at

__all__ = ["lent", "reduced_lent"]

_BYTES = {
    "L": 1,
    "RGBA": 4,
    "RGBX": 4,
    "CMYK": 4,
    "I;16": 2,
}  # of a pixel, in the modes that may be looked at


class _Array(ctypes.Structure):
    """The struct ArrowArray."""


_Array._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "nulls", "offset", "buffer_count", "child_count")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))),
    *((name, ctypes.c_void_p) for name in ("dictionary", "release", "private")),
]


def lent(value: Any) -> Interval | None:
    """Give the memory that a picture looks at and does not own; None for any other."""
    is_lent = type(value) is Image.Image and value.mode in _BYTES and getattr(value, "_im", None) is not None
    if not is_lent or is_closed(value) or not value.readonly or not hasattr(value, "__arrow_c_array__"):
        return None
    _, capsule = value.__arrow_c_array__()
    ask = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    array = _Array.from_address(ask(capsule, b"arrow_array"))
    while array.child_count:
        array = array.children[0].contents
    start = array.buffers[1] + array.offset
    return Interval("", start, start + value.width * value.height * _BYTES[value.mode])


def reduced_lent(value: Any, place: Interval) -> Any:
    """Take apart such a picture: the memory as an array, which others may share, and what was set on the picture."""
    told = {name: item for name, item in vars(value).items() if name not in _MADE}
    return _look, (value.mode, value.size, np.frombuffer(bytes_at(place, value).content, np.uint8), told)


_MADE = {"_im", "im", "_mode", "_size", "readonly", "_readonly", "palette", "_prev_im"}


def _look(mode: str, size: tuple[int, int], memory: Any, told: dict[str, Any]) -> Any:
    picture = Image.frombuffer(mode, size, memory, "raw", mode, 0, 1)
    vars(picture).update(told)
    return picture
