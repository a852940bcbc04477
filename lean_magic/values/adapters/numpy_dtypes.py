"""numpy's dtypes: by kind, size and byte order, by fields with their places, by what they carry along."""

from __future__ import annotations

from typing import Any

import numpy as np

from lean_magic.values.fingerprint import Walk, combine, leaf

__all__ = ["dtype_rule"]


def dtype_rule(walk: Walk, value: np.dtype[Any]) -> bytes:
    """Digest a dtype."""
    if value.names is None and value.subdtype is None and value.metadata is None and value.kind != "T":
        return leaf("dtype", value.str.encode())
    about = (value.str, value.type.__qualname__, value.itemsize, value.isalignedstruct, value.subdtype)
    more = (_metadata(value), getattr(value, "coerce", None), getattr(value, "na_object", "none given"))
    places: Any = value.fields or {}
    fields = [(name, *places[name]) for name in value.names or ()]
    return combine("dtype", *[walk.digest(walk.keep(piece)) for piece in (about, more, tuple(fields))])


def _metadata(value: np.dtype[Any]) -> tuple[Any, ...]:
    return tuple((value.metadata or {}).items())
