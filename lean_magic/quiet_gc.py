"""Import much without the garbage collector going over it again and again."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["no_collections"]


@contextlib.contextmanager
def no_collections() -> Iterator[None]:
    """Hold off the collector, and count all that there is then as old: modules, functions and classes stay.

    They are looked at with the next full collection, as all that has lived long is. Where the collector is off,
    or something is frozen, which would thaw, the collector's generations are left as they are.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
        gc.enable()
