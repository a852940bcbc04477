"""numpy's dtypes: by kind, size and byte order, by fields with their places, by what they carry along."""

from __future__ import annotations

from typing import Any

import numpy as np

from lean_magic.values.fingerprint import Walk, combine, leaf

__all__ = ["dtype_rule", "reduced_dtype"]


def dtype_rule(walk: Walk, value: np.dtype[Any]) -> bytes:
    """Digest a dtype."""
    if value.names is None and value.subdtype is None and value.metadata is None and value.kind != "T":
        return leaf("dtype", (value.str + _ALIASES.get(value.char, "")).encode())
    about = (value.str, value.type.__qualname__, value.itemsize, value.isalignedstruct, value.subdtype)
    more = (_metadata(value), getattr(value, "coerce", None), getattr(value, "na_object", "none given"))
    places: Any = value.fields or {}
    fields = [(name, *places[name]) for name in value.names or ()]
    return combine("dtype", *[walk.digest(walk.keep(piece)) for piece in (about, more, tuple(fields))])


# Where two C types have one size, the letter of that which numpy does not take by itself: repr tells them apart.
_ALIASES = {letter: letter for letter in "lLqQ" if np.dtype(np.dtype(letter).str).char != letter}


def reduced_dtype(value: np.dtype[Any]) -> Any:
    """Take apart a dtype whose pickle says its size alone, or of which there is one only, and a copy in a pickle."""
    is_alias = value.char in _ALIASES and value.metadata is None and value.isnative
    is_known = value.metadata is None and np.dtype(value.char) is value
    return (np.dtype, (value.char,)) if is_alias or is_known else NotImplemented


def _metadata(value: np.dtype[Any]) -> tuple[Any, ...]:
    return tuple((value.metadata or {}).items())
