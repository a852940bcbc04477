"""What is over when a cell ends: closed files, finished iterators, pools and futures, caught exceptions.

Each comes back as over. What is not over yet is refused, by name and with a remedy.
"""

from __future__ import annotations

import datetime
import functools
import io
import itertools
import os
import random
import re
import sys
import threading
import types
import typing
from collections.abc import Callable
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values import memo
from lean_magic.values.global_generators import reduced_global
from lean_magic.values.naming import importable
from lean_magic.values.open_files import opened_again
from lean_magic.values.over import (
    closed_mapping,
    closed_weights,
    finished_task,
    terminated_pool,
)
from lean_magic.values.over_rows import csv_reader, csv_writer
from lean_magic.values.reduced import dict_of
from lean_magic.values.stand_ins import STAND_INS, reduced_context
from lean_magic.values.tracebacks import retraced, steps
from lean_magic.values.yielding import THROUGH_DICTS, generator, through_dict

__all__ = ["REDUCERS", "exception", "late_reducer", "name_of_stream", "reduced_file"]


def reduced_file(obj: Any) -> Any:
    """Take a file apart. Raises Unstorable for one that is open, unless it is a file read by its name."""
    stream = name_of_stream(obj)
    if stream:
        return getattr, (sys, stream)
    if isinstance(obj, (io.StringIO, io.BytesIO)):
        return (_make_closed_text, (type(obj),)) if obj.closed else NotImplemented
    return _closed(obj) if obj.closed else opened_again(obj)


def _closed(obj: Any) -> Any:
    if type(obj).__name__ == "MemoryMappedFile":  # pyarrow's; a new one is closed
        return type(obj), ()
    if type(obj).__module__ in _PACKERS:
        writes = getattr(obj, "mode", 1) in {2, "wb"}
        name = obj.name if type(obj).__module__ == "gzip" else None  # others have none once they are closed
        return _make_packed, (type(obj), name, "wb" if writes else "rb")
    if "__IOBase_closed" in (held := dict_of(obj)):  # of a class written in Python
        told = {name: item for name, item in held.items() if item is None or type(item) in _ATOMS}
        return _make_closed_like, (type(obj), told)
    return _make_closed, (
        str(getattr(obj, "name", "")),
        str(getattr(obj, "mode", "r")),
        getattr(obj, "encoding", None),
    )


_ATOMS = (str, bytes, int, float, bool)
_STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")


def name_of_stream(obj: Any) -> str:
    """Give the name of one of the interpreter's streams in `sys`, or "" for another file."""
    return next((name for name in _STREAMS if getattr(sys, name, None) is obj), "")


def _make_closed_text(kind: Callable[[], Any]) -> Any:
    file = kind()
    file.close()
    return file


_PACKERS = {"gzip", "bz2", "lzma"}


def _make_packed(kind: Any, name: Any, mode: str) -> Any:
    nowhere = io.BytesIO()
    file = kind(name, mode, fileobj=nowhere) if kind.__module__ == "gzip" else kind(nowhere, mode)
    file.close()
    return file


def _temporary(obj: Any) -> Any:
    """Take tempfile's wrapper of a closed file apart."""
    return _make_temporary, (type(obj), obj.file, obj.name, obj.delete)


def _make_temporary(kind: Any, file: Any, name: str, delete: bool) -> Any:
    wrapper = kind(file, name, delete=False)  # nothing of that name is ours to remove
    wrapper.delete = delete
    return wrapper


def _make_closed_like(kind: Any, told: dict[str, Any]) -> Any:
    file = kind.__new__(kind)
    vars(file).update(told)
    return file


def _make_closed(name: str, mode: str, encoding: str | None) -> Any:
    plain = mode.replace("x", "w")
    file = open(os.devnull, plain, encoding=encoding)  # noqa: SIM115, PTH123  made to be closed
    raw: Any = getattr(getattr(file, "buffer", file), "raw", file)
    raw.name = name
    file.close()
    return file


def exception(obj: BaseException) -> Any:
    """Take an exception apart, with its traceback and the exceptions behind it."""
    own = type(obj).__reduce__ is not BaseException.__reduce__
    call, args, state = (
        (*obj.__reduce__(), None)[:3] if own else (_make_exception, (type(obj), obj.args), vars(obj))
    )
    behind = obj.__cause__, obj.__context__, obj.__suppress_context__, obj.__traceback__
    fields = {} if own else _fields(obj)
    return call, args, (state or None, behind, fields), None, None, _fill_exception


def _fields(obj: BaseException) -> dict[str, Any]:
    """Give what an exception holds in C or in slots, such as the line of a SyntaxError."""
    kinds = types.MemberDescriptorType, types.GetSetDescriptorType
    names = [
        name
        for base in type(obj).__mro__
        if base not in (BaseException, BaseExceptionGroup)  # a group makes its own of its arguments, for good
        for name, member in vars(base).items()
        if isinstance(member, kinds) and not name.startswith("__")
    ]
    return {name: getattr(obj, name) for name in names if hasattr(obj, name)}


def _make_exception(cls: type, args: tuple[Any, ...]) -> Any:
    """Make an exception without its `__init__`, which may ask for other arguments than were kept."""
    return cls.__new__(cls, *args)


def _fill_exception(error: BaseException, kept: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> None:
    state, (cause, context, suppressed, trace), fields = kept
    if state:
        error.__setstate__(state)
    for name, value in fields.items():
        if getattr(error, name, fields) is not value:
            setattr(error, name, value)
    error.__cause__, error.__context__, error.__traceback__ = cause, context, trace
    error.__suppress_context__ = suppressed  # setting the cause sets it, too


def _traceback(obj: types.TracebackType) -> Any:
    return retraced, (steps(obj),)


def _remembering(obj: Any) -> Any:
    """Take a function under `functools.lru_cache` apart, with what it remembers unless that is large."""
    if importable(obj) and obj.__module__ != "__main__":
        return NotImplemented
    found, info = memo.calls(obj), obj.cache_info()
    state = dict(vars(obj)), found, info.hits if found else 0, info.misses
    return _make_remembering, (obj.__wrapped__, obj.cache_parameters()), state, None, None, _remember


def _make_remembering(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


def _remember(wrapper: Any, state: tuple[dict[str, Any], list[memo.Call], int, int]) -> None:
    vars(wrapper).update(state[0])
    memo.fill(wrapper, *state[1:])


def _lock(obj: Any) -> Any:
    if obj.locked():
        raise Unstorable("lock", "is held", "release it in the cell")
    return threading.Lock, ()


def _reentrant(obj: Any) -> Any:
    if obj._is_owned() or not obj.acquire(blocking=False):  # noqa: SLF001  there is no public way to ask
        raise Unstorable("RLock", "is held", "release it in the cell")
    obj.release()
    return threading.RLock, ()


def _pool(obj: Any) -> Any:
    over = getattr(obj, "_shutdown", False) or getattr(obj, "_shutdown_thread", False)
    if not over:
        raise Unstorable(
            type(obj).__name__, "is a pool that still takes work", "use `with`, or shut it down in the cell"
        )
    return _make_shut_down, (type(obj), obj._max_workers)  # noqa: SLF001  there is no public way to ask


def _make_shut_down(kind: Callable[[int], Any], workers: int) -> Any:
    pool = kind(workers)
    pool.shutdown()
    return pool


def _future(obj: Any) -> Any:
    if not obj.done():
        raise Unstorable("Future", "is not done", "wait for it in the cell")
    if obj.cancelled():
        return _make_future, (None, None, True)
    error = obj.exception()
    return _make_future, (None if error else obj.result(), error, False)


def _make_future(result: Any, error: BaseException | None, cancelled: bool) -> Any:
    from concurrent.futures import Future

    future: Future[Any] = Future()
    if cancelled:
        future.cancel()
        future.set_running_or_notify_cancel()
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
    return future


def _type_variable(obj: typing.TypeVar) -> Any:
    """Take a type variable of the notebook apart; cloudpickle's would say that it is cloudpickle's."""
    if importable(obj) and obj.__module__ != "__main__":
        return NotImplemented
    about = obj.__constraints__, obj.__bound__, obj.__covariant__, obj.__contravariant__
    return _make_type_variable, (obj.__name__, *about, obj.__module__)


def _make_type_variable(
    name: str, constraints: tuple[Any, ...], bound: Any, covariant: bool, contravariant: bool, module: str
) -> Any:
    make: Any = typing.TypeVar
    made = make(name, *constraints, bound=bound, covariant=covariant, contravariant=contravariant)
    made.__module__ = module
    return made


def _view(obj: memoryview) -> Any:
    """Take a view of a whole object apart; of a part nobody can say where it lies."""
    try:
        whole = memoryview(obj.obj)
    except ValueError:
        raise Unstorable(
            "memoryview", "was released", "release it where it was made, or use `with`"
        ) from None
    if (whole.format, whole.shape, whole.strides, whole.readonly) != (
        obj.format,
        obj.shape,
        obj.strides,
        obj.readonly,
    ):
        raise Unstorable(
            "memoryview", "is a view of a part of an object", "keep the part as bytes or an array"
        )
    return memoryview, (obj.obj,)


def _week_date(obj: Any) -> Any:
    """Take apart what `isocalendar()` gives, which says of itself to be a plain tuple."""
    return _made_week_date, (tuple(obj),)


def _made_week_date(parts: tuple[int, int, int]) -> Any:
    return datetime.date.fromisocalendar(*parts).isocalendar()


def _match(obj: re.Match[Any]) -> Any:
    """Take a match apart: it is found again where it was found."""
    about = obj.re, obj.string, obj.pos, obj.endpos, obj.regs
    if _matched(*about) is None:
        raise Unstorable("Match", "is not found again in its text", "keep its groups")
    return _matched, about


def _matched(pattern: re.Pattern[Any], text: Any, start: int, end: int, regs: Any) -> re.Match[Any] | None:
    single = (find(text, start, end) for find in (pattern.search, pattern.match, pattern.fullmatch))
    every = itertools.chain(single, pattern.finditer(text, start, end))
    return next((one for one in every if one is not None and one.regs == regs), None)


def _refuse(obj: Any) -> Any:
    raise Unstorable(type(obj).__name__, f"is a live {type(obj).__name__}", "keep only its result")


def late_reducer(cls: type) -> Callable[[Any], Any] | None:
    """Find how pools and futures are taken apart; None for any other class."""
    place = _LATE.get(cls.__name__)
    if place is None:
        return None
    names = cls.__name__, cls.__name__.capitalize()  # csv keeps `reader` as `Reader`
    return place[1] if cls in [getattr(sys.modules.get(place[0]), name, None) for name in names] else None


# Of modules that are not loaded for this: whoever has such an object has.
_LATE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "ThreadPoolExecutor": ("concurrent.futures.thread", _pool),
    "ProcessPoolExecutor": ("concurrent.futures.process", _pool),
    "_TemporaryFileWrapper": ("tempfile", _temporary),
    "Future": ("concurrent.futures._base", _future),
    "Pool": ("multiprocessing.pool", terminated_pool),
    "ThreadPool": ("multiprocessing.pool", terminated_pool),
    "Task": ("_asyncio", finished_task),
    "Context": ("decimal", reduced_context),
    "reader": ("_csv", csv_reader),
    "writer": ("_csv", csv_writer),
    "mmap": ("mmap", closed_mapping),
    "safe_open": ("safetensors", closed_weights),
}


def _environment(obj: Any) -> Any:
    """Write the environment of the process, which is never over, by its name."""
    name = next((name for name in ("environ", "environb") if getattr(os, name, None) is obj), None)
    return (getattr, (os, name)) if name else NotImplemented


REDUCERS: dict[type, Callable[[Any], Any]] = {
    type(os.environ): _environment,
    type(threading.Lock()): _lock,
    type(threading.RLock()): _reentrant,
    type(functools.lru_cache(lambda: 0)): _remembering,
    **STAND_INS,
    re.Match: _match,
    type(datetime.date.min.isocalendar()): _week_date,
    random.Random: reduced_global,
    types.GeneratorType: generator,
    **dict.fromkeys(THROUGH_DICTS, through_dict),
    types.CoroutineType: _refuse,
    types.AsyncGeneratorType: _refuse,
    types.FrameType: _refuse,
    types.TracebackType: _traceback,
    memoryview: _view,
    typing.TypeVar: _type_variable,
}
