"""PIL: pictures changed in place, in the memory that drawing objects hold; drawing objects; fonts without a file."""

from __future__ import annotations

import io
import sys
from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine

__all__ = ["ADAPTER"]

_SET = ("ink", "fontmode", "fill", "font")  # what the user of a drawing object may set


def _kind(module: str, name: str) -> Any:
    found = getattr(sys.modules.get(f"PIL.{module}"), name, None)
    return () if found is None else (found,)


def _settings(value: Any) -> dict[str, Any]:
    return {name: vars(value)[name] for name in _SET if name in vars(value)}


def _drawing(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    said = walk.keep(_settings(value))
    return combine("drawing", walk.digests((type(value), value._image, value.mode, said)))  # noqa: SLF001


def _draw(cls: Any, image: Any, mode: str) -> Any:
    return cls(image, mode)


def _font(cls: Any, content: bytes, *about: Any) -> Any:
    return cls(io.BytesIO(content), *about)


class _Pictures(FingerprintOnly):
    library = "PIL"

    def rule(self, cls: type) -> Rule | None:
        if issubclass(cls, _kind("Image", "Image")):
            from lean_magic.values.adapters.pil_files import picture_rule

            return picture_rule
        return _drawing if issubclass(cls, _kind("ImageDraw", "ImageDraw")) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if isinstance(value, _kind("ImageFont", "FreeTypeFont")) and not isinstance(value.path, str):
            about = value.size, value.index, value.encoding, value.layout_engine
            return _font, (type(value), value.font_bytes, *about)
        if isinstance(value, _kind("Image", "Image")):
            from lean_magic.values.adapters.pil_files import reduced_picture

            return reduced_picture(value)
        if not isinstance(value, _kind("ImageDraw", "ImageDraw")):
            return NotImplemented
        return _draw, (type(value), value._image, value.mode), _settings(value)  # noqa: SLF001

    def content(self, value: Any) -> Any:
        if isinstance(value, _kind("ImageDraw", "ImageDraw")):
            return _settings(value)
        if isinstance(value, _kind("Image", "Image")):
            return value.copy(), dict(value.info)
        if isinstance(value, _kind("ImageFont", "FreeTypeFont")):
            return None  # nothing in it changes
        return NotImplemented

    def write_back(self, live: Any, stored: Any) -> bool:
        if isinstance(live, _kind("ImageDraw", "ImageDraw")):
            vars(live).update(stored)
            return True
        if not isinstance(live, _kind("Image", "Image")):
            return isinstance(live, _kind("ImageFont", "FreeTypeFont"))
        picture, info = stored
        if (live.mode, live.size) != (picture.mode, picture.size):
            live.__setstate__(picture.__getstate__())
        live.paste(picture)
        if picture.palette is not None:
            live.putpalette(picture.palette)
        live.info.clear()
        live.info.update(info)
        return True


ADAPTER = _Pictures()
