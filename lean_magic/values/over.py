"""Threads, pools of processes and tasks that are over: each comes back as over, with what it holds."""

from __future__ import annotations

import sys
import tempfile
import threading
import types
from typing import Any

from lean_magic.errors import Unstorable

__all__ = [
    "BLANK",
    "Closed",
    "closed_mapping",
    "closed_store",
    "closed_weights",
    "finished_task",
    "finished_thread",
    "terminated_pool",
]


class Closed:
    """The content of what was closed in place: it is closed once all else is there, for there is no way back."""


def finished_thread(obj: threading.Thread) -> Any:
    """Take a thread apart that is over or was never started. Raises Unstorable for one that runs."""
    if obj.is_alive() or (type(obj).__module__ == "threading" and type(obj) is not threading.Thread):
        raise Unstorable(type(obj).__name__, "is a live thread", "join() it in the cell")
    own = {name: value for name, value in vars(obj).items() if name not in BLANK}
    todo = None
    if obj.ident is None:
        told: Any = obj
        todo = {name: getattr(told, name) for name in ("_target", "_args", "_kwargs")}
    return _make_thread, (type(obj),), (obj.name, obj.daemon, todo, own), None, None, _fill_thread


BLANK = frozenset(vars(threading.Thread(name="blank")))  # named, so that the next is numbered as it would be


def _make_thread(cls: Any) -> Any:
    return cls.__new__(cls)


def _fill_thread(obj: Any, state: tuple[str, bool, dict[str, Any] | None, dict[str, Any]]) -> None:
    name, daemon, todo, own = state
    threading.Thread.__init__(obj, name=name, daemon=daemon)
    if todo is not None:
        vars(obj).update(todo)
    else:
        obj.run = _nothing
        threading.Thread.start(obj)
        threading.Thread.join(obj)
        del obj.run
    vars(obj).update(own)


def _nothing() -> None:
    """Be done."""


def terminated_pool(obj: Any) -> Any:
    """Take a pool of `multiprocessing` apart. Raises Unstorable for one that still takes work."""
    if obj._state == "RUN":  # noqa: SLF001  there is no public way to ask
        raise Unstorable(
            type(obj).__name__, "is a pool that still takes work", "use `with`, or terminate() it in the cell"
        )
    return _make_terminated, (type(obj), obj._state, len(obj._pool))  # noqa: SLF001


def _make_terminated(cls: Any, state: str, size: int) -> Any:
    pool = cls.__new__(cls)
    over = [_over() for _ in range(size)]
    vars(pool).update(_state=state, _pool=over, _cache={}, _terminate=_nothing)
    vars(pool).update(dict.fromkeys(("_worker_handler", "_task_handler", "_result_handler"), _over()))
    return pool


def _over() -> threading.Thread:
    thread = threading.Thread(target=_nothing, name="over")
    thread.start()
    thread.join()
    return thread


def finished_task(obj: Any) -> Any:
    """Take a task of asyncio apart. Raises Unstorable for one that is not done."""
    if not obj.done():
        raise Unstorable("Task", "is not done", "await it in the cell")
    cancelled = obj.cancelled()
    error = None if cancelled else obj.exception()
    result = None if cancelled or error is not None else obj.result()
    code = getattr(obj.get_coro(), "cr_code", None)
    place = (
        (code.co_name, code.co_qualname, code.co_filename, code.co_firstlineno) if code is not None else None
    )
    return _make_task, (obj.get_name(), place, cancelled, error, result)


def _make_task(name: str, place: Any, cancelled: bool, error: BaseException | None, result: Any) -> Any:
    """Run a task that does nothing but end so, on a loop of its own: the kernel's is busy with the cell."""
    asyncio: Any = sys.modules["asyncio"]
    end = _end if place is None else _told_as(*place)
    running, loop = asyncio._get_running_loop(), asyncio.new_event_loop()  # noqa: SLF001
    asyncio._set_running_loop(None)  # noqa: SLF001  else no other loop may run
    try:
        task = loop.create_task(end(cancelled, error, result), name=name)
        loop.run_until_complete(asyncio.wait([task]))
    finally:
        loop.close()
        asyncio._set_running_loop(running)  # noqa: SLF001
    return task


def _told_as(name: str, qualname: str, file: str, line: int) -> Any:
    """Give `_end` as what ran was called, which a task tells of itself."""
    code = _end.__code__.replace(co_name=name, co_qualname=qualname, co_filename=file, co_firstlineno=line)
    return types.FunctionType(code, globals())


async def _end(cancelled: bool, error: BaseException | None, result: Any) -> Any:
    if cancelled:
        raise sys.modules["asyncio"].CancelledError
    if error is not None:
        raise error
    return result


def closed_mapping(obj: Any) -> Any:
    """Take a closed memory map apart."""
    return (_make_closed_mapping, (type(obj),)) if obj.closed else NotImplemented


def _make_closed_mapping(kind: Any) -> Any:
    mapping = kind(-1, 1)
    mapping.close()
    return mapping


def closed_store(obj: Any) -> Any:
    """Take a closed file of h5py apart, of which not even the name is left."""
    return _make_closed_store, (type(obj),)


def _make_closed_store(kind: Any) -> Any:
    store = kind("closed", "w", driver="core", backing_store=False)  # in memory
    store.close()
    return store


def closed_weights(obj: Any) -> Any:
    """Take a closed file of safetensors apart, which has not even its name left. Raises Unstorable for an open one."""
    try:
        obj.keys()
    except sys.modules["safetensors"].SafetensorError:
        return _make_closed_weights, (type(obj),)
    raise Unstorable("safe_open", "is an open file", "use `with`")


def _make_closed_weights(kind: Any) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(b"\x02\0\0\0\0\0\0\0{}")  # the length of its head, which says that nothing is in it
        file.flush()
        with kind(file.name, framework="np") as weights:
            return weights
