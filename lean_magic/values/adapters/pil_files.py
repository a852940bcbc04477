"""Pictures that PIL has opened: one that was not read yet is opened again, one that was keeps what its format tells."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import Walk, combine
from lean_magic.values.reduced import attributes

__all__ = ["is_closed", "picture_rule", "reduced_picture"]

# Where its file is open, what was drawn from it, and what `__setstate__` sets.
_OWN = frozenset(
    {"_im", "im", "fp", "_fp", "map", "png", "tile", "_exif", "palette", "_mode", "_size", "info", "_prev_im"}
)
_OF_PIXELS = frozenset({"_im", "im", "fp", "_fp", "png", "tile", "_prev_im"})


def picture_rule(walk: Walk, value: Image.Image) -> bytes:
    """Digest a picture by mode, size, palette and pixels, without reading one that waits for that."""
    walk.mark(value)
    told = attributes(walk, value, _UNTOLD)
    if is_closed(value):
        return combine("closed picture", walk.digests((type(value), value.mode, value.size)), told)
    seen = _seen(value)
    return combine("picture", walk.digests((type(value), walk.keep(seen.__getstate__()), _alpha(seen))), told)


# What is no content, or is content of the file that the pixels came from.
_UNTOLD = _OWN | {
    "_category",
    "_readonly",
    "readonly",
    "pyaccess",
    "_size",
    "format",
    "format_description",
    "filename",
    "custom_mimetype",
    "decoderconfig",
    "decodermaxblock",
    "_exclusive_fp",
    "_min_frame",
    "n_frames",
    "is_animated",
}


def is_closed(value: Any) -> bool:
    """Whether a picture was closed, such that its pixels are gone."""
    return type(vars(value).get("_im")).__name__ == "DeferredError"


def _alpha(value: Any) -> bytes:
    """Give how transparent the colours of a palette are, which a picture leaves out of its pickle."""
    palette = value.palette if value.mode in {"P", "PA", "L", "LA"} else None
    return bytes(value.im.getpalette("RGBA", "A")) if palette is not None and palette.mode == "RGBA" else b""


def _seen(value: Any) -> Any:
    """Give a picture with the same pixels that may be read: what is opened can still be told to read less."""
    if not _is_waiting(value):
        return value
    copy = Image.open(io.BytesIO(_content(value)), formats=[value.format])
    frame = _frame(value)
    if frame:
        copy.seek(frame)
    return copy if (copy.mode, copy.size) == (value.mode, value.size) else value


def _is_waiting(value: Any) -> bool:
    opened: Any = getattr(value, "fp", None)
    return getattr(value, "_im", None) is None and hasattr(opened, "seek") and not opened.closed


def _content(value: Any) -> bytes:
    place = value.fp.tell()
    value.fp.seek(0)
    content: bytes = value.fp.read()
    value.fp.seek(place)
    return content


def _frame(value: Any) -> int:
    return int(value.tell()) if getattr(value, "is_animated", False) else 0


def reduced_picture(value: Any) -> Any:
    """Take a picture apart, with what was set on it and what its format tells.

    Raises Unstorable for one that was changed and could still show other frames of its file.
    """
    is_of_file = hasattr(value, "filename") and hasattr(value, "decodermaxblock")
    if is_of_file and (_is_waiting(value) or getattr(value, "is_animated", False)):
        return _opened(value)
    if is_closed(value):
        held = {name: item for name, item in vars(value).items() if name not in _OF_PIXELS}
        return object.__new__, (type(value),), held, None, None, _fill_closed
    told = {name: item for name, item in vars(value).items() if name not in _OWN}
    palette = (value.im.getpalette("RGBA", "RGBA"),) if _alpha(value) else ()
    return object.__new__, (type(value),), (value.__getstate__(), told, *palette), None, None, _fill


def _opened(value: Any) -> Any:
    form = value.filename, _content(value), value.format, _frame(value)
    again = _again(*form)
    if (again.mode, again.size) != (value.mode, value.size) or _differs(again, value):
        raise Unstorable("picture", "is no longer as in its file, which is open", "copy() it, or close it")
    return _again, form


def _differs(again: Any, value: Any) -> bool:
    return not _is_waiting(value) and bool(again.tobytes() != value.tobytes())


def _again(name: str, content: bytes, kind: str, frame: int) -> Any:
    picture = Image.open(io.BytesIO(content), formats=[kind])
    picture.filename = name
    if frame:
        picture.seek(frame)
    return picture


def _fill_closed(value: Any, held: dict[str, Any]) -> None:
    vars(value).update(held)
    value.close()


def _fill(value: Any, state: tuple[Any, ...]) -> None:
    vars(value).update(state[1])
    value.__setstate__(state[0])
    if len(state) > 2:
        value.putpalette(state[2], "RGBA")
