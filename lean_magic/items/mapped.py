"""`lean_magic.cached_map`: a function of many items, of which only the new ones are computed.

    embed = lean_magic.cached_map(model.encode, batch_size=256)
    vectors = embed(texts)

Each item is looked up by its content, under the function with all that it reaches. What is missing is
computed in full batches and stored after each; the result is what the function would have given for all.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, overload

from lean_magic.by_name import beside, reduced
from lean_magic.items.choices import OPTIONS, Choices, MapPlan, MapStats, Tally, one_of, whole

__all__ = ["CachedMap", "cached_map"]


@overload
def cached_map(function: Callable[..., Any], /, **options: Any) -> CachedMap:  # noqa: D418
    """Cache the function."""


@overload
def cached_map(function: None = None, /, **options: Any) -> Callable[[Callable[..., Any]], CachedMap]:  # noqa: D418
    """Give a decorator."""


def cached_map(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Cache a function of a list of items, item by item: `cached_map(f)`, or a decorator.

    `function(items, …)` takes a list, array or column and gives one result for each item, in order: an array or
    tensor with a row an item, a list, or a tuple or dict of these. Each result must depend on its item alone.

    Options: `batch_size`, items that are computed at a time (default 256); `label`, a name for listings; `version`,
    a value that stands for the function instead of its code and model; `ignore`, names of variables that do not
    count; `on_error`, "raise" or "keep": go on with the other items, the failed ones being NaN or None, told in
    `.failed`; `canaries`, known items that are computed again with new ones (default 2, 0: none); `tolerance`, how
    far these may be off, as a part of the largest number (default by dtype: 1e-3 for float32); `quiet`.
    Raises TypeError for what is not callable or an option that is not there, UsageError for a wrong value.
    """
    unknown = options.keys() - set(OPTIONS)
    if unknown:
        raise TypeError(f"cached_map() has no option {min(unknown)!r}; there are {', '.join(OPTIONS)}")
    if function is None:
        return functools.partial(CachedMap, **options)
    return CachedMap(function, **options)


class CachedMap:
    """A function whose results are cached item by item; `__wrapped__` is the function itself."""

    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.choices = Choices(function, **options)
        functools.update_wrapper(self, function, updated=())
        self._beside = beside(self, function)
        self.failed: dict[int, BaseException] = {}  # of the last call, by position
        self.last: Tally | None = None  # its figures
        self._last: Any = ()

    def __call__(self, items: Any, /, *, on_error: str | None = None, **options: Any) -> Any:
        """Give what the function would give for all items; `options` are handed on to it.

        Raises what the function raises, UsageError for items or results that are not one for each.
        """
        from lean_magic.items.call import Call

        keep = one_of("on_error", on_error or self.choices.on_error) == "keep"
        self.failed = {}
        call = Call(self.choices, items, options)
        self._last = call.items.whole
        try:
            return call.run(keep=keep)
        finally:
            self.failed, self.last = call.failed, call.tally

    def plan(self, items: Any, /, **options: Any) -> MapPlan:
        """Say what a call would find and compute; computes nothing."""
        from lean_magic.items.call import Call

        return Call(self.choices, items, options).plan()

    def verify(self, items: Any = None, /, *, k: int = 16, **options: Any) -> int:
        """Compute up to `k` known items again, of those given or those of the last call; gives how many.

        Raises UsageError if there are none, or AssertionError if one differs, with both values.
        """
        from lean_magic.items.call import Call

        return Call(self.choices, self._last if items is None else items, options).verify(whole("k", k, 1))

    def forget(self, items: Any = None, /, **options: Any) -> int:
        """Delete the results of these items, or of all; gives how many were there. Raises StoreError."""
        from lean_magic.items import verbs

        return verbs.forget(self.choices, items, options)

    def stats(self, **options: Any) -> MapStats:
        """Say what is stored for this function."""
        from lean_magic.items import verbs

        return verbs.stats(self.choices, options)

    def export(self, path: str | os.PathLike[str], items: Any = None, /, **options: Any) -> int:
        """Write all results with their keys, or those of `items` with the items, to .npz or .parquet.

        Gives the number of rows. Raises UsageError for another kind of file or results that do not fit it.
        """
        from lean_magic.items.export import export

        return export(self.choices, path, items, options)

    def __reduce__(self) -> Any:
        """Be pickled by name, as functions are; see `by_name`."""
        return reduced(self, _made, self.__wrapped__, self.choices.options)

    def taken_apart(self) -> Any:
        """Be compared and stored as the function and the options it was made with."""
        return _made, (self.__wrapped__, self.choices.options)

    def __repr__(self) -> str:
        return f"cached_map({self.choices.label}, batch_size={self.choices.batch_size})"


def _made(function: Callable[..., Any], options: Mapping[str, Any]) -> CachedMap:
    return CachedMap(function, **options)
