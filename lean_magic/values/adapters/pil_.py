"""PIL: pictures changed in place, in the memory that drawing objects hold; drawing objects; fonts without a file."""

from __future__ import annotations

import io
import sys
from typing import Any

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Interval
from lean_magic.values.over import Closed

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

    def lent(self, value: Any) -> Interval | None:
        """Give the memory of an array's that a picture looks at."""
        if not isinstance(value, _kind("Image", "Image")):
            return None
        from lean_magic.values.adapters.pil_memory import lent

        return lent(value)

    def reduce(self, value: Any, memory: Any) -> Any:
        if isinstance(value, _kind("ImageFont", "FreeTypeFont")) and not isinstance(value.path, str):
            about = value.size, value.index, value.encoding, value.layout_engine
            return _font, (type(value), value.font_bytes, *about)
        if isinstance(value, _kind("Image", "Image")):
            from lean_magic.values.adapters.pil_files import reduced_picture
            from lean_magic.values.adapters.pil_memory import reduced_lent

            place = self.lent(value) if memory is not None else None
            return reduced_picture(value) if place is None else reduced_lent(value, place)
        if not isinstance(value, _kind("ImageDraw", "ImageDraw")):
            return NotImplemented
        return _draw, (type(value), value._image, value.mode), _settings(value)  # noqa: SLF001

    def content(self, value: Any) -> Any:
        if isinstance(value, _kind("ImageDraw", "ImageDraw")):
            return _settings(value)
        if isinstance(value, _kind("Image", "Image")):
            return _held(value, is_lent=self.lent(value) is not None)
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
        if isinstance(picture, Closed):
            live.close()
        elif picture is not None:  # else it shows what is written to an array
            _paint(live, picture)
        live.info.clear()
        live.info.update(info)
        return True


def _held(value: Any, *, is_lent: bool) -> tuple[Any, dict[str, Any]]:
    """Give the pixels of a picture, unless they are an array's or gone, and what it says about itself."""
    from lean_magic.values.adapters.pil_files import is_closed

    pixels = None if is_lent else Closed() if is_closed(value) else value.copy()
    return pixels, dict(value.info)


def _paint(live: Any, picture: Any) -> None:
    if (live.mode, live.size) != (picture.mode, picture.size):
        live.__setstate__(picture.__getstate__())
    live.paste(picture)
    if picture.palette is not None:
        live.putpalette(picture.palette)


ADAPTER = _Pictures()
