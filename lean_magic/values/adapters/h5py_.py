"""h5py: files that are open to be read, and the groups and datasets in them, by the file's content and their names.

They come back as looking into one file that is opened again, or into the live one, so that closing it closes them all.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

import h5py

from lean_magic.errors import Unstorable
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import LayoutChanged
from lean_magic.values.open_files import digest_of_path
from lean_magic.values.over import Closed, closed_store

__all__ = ["ADAPTER"]

_REMEDY = "close it in the cell, or use `with`"
_OBJECTS = (h5py.Group, h5py.Dataset)  # a file is a group


class _Handle:
    """One open file, by the number that it has in this process, however many objects look into it."""

    def __init__(self, number: int) -> None:
        self.number, self.path, self.content = number, "", b""

    def taken_apart(self) -> Any:
        return _open, (self.path, self.content)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # nothing of it is to be put back

    def file(self) -> Any:
        """Give the file, which stays open no longer for that."""
        known = h5py.h5f.FileID(self.number)
        h5py.h5i.inc_ref(known)
        return h5py.File(known)


_handles: weakref.WeakValueDictionary[int, _Handle] = weakref.WeakValueDictionary()


def _handle_of(value: Any) -> _Handle:
    """Give the handle of the file that something lies in. Raises Unstorable for one that may be written to."""
    file = value.file
    name = os.fsdecode(file.filename)
    known = file.mode == "r" and file.driver == "sec2" and not file.swmr_mode and Path(name).is_file()
    if not known or not os.path.samestat(os.fstat(file.id.get_vfd_handle()), Path(name).stat()):
        raise Unstorable("File", "is an open file", _REMEDY)
    number = h5py.h5i.get_file_id(file.id).id
    handle = _handles.get(number)
    if handle is None:
        handle = _handles[number] = _Handle(number)
    handle.path, handle.content = name, digest_of_path(name)
    return handle


def _open(path: str, content: bytes) -> _Handle:
    if not Path(path).is_file() or digest_of_path(path) != content:
        raise LayoutChanged(f"the file {path} that was open is another now")
    file = h5py.File(path, "r")
    handle = _Handle(h5py.h5i.get_file_id(file.id).id)
    handle.path, handle.content = path, content
    handle.opened = file  # type: ignore[attr-defined]  # for as long as the rest is read
    return handle


def _object(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    walk.use_module("h5py")
    if not value:
        return combine("closed in h5py", walk.digest(type(value)))
    try:
        handle = _handle_of(value)
    except Unstorable as error:
        raise walk.fail(value, f"{error.why}, which cannot be compared", "open it inside the cell") from error
    return combine("in h5py", walk.digests((type(value), value.name)), walk.digest(handle))


def _file_of(handle: _Handle, more: dict[str, Any]) -> Any:
    file = handle.file()
    vars(file).update(more)
    return file


def _inside(handle: _Handle, name: str) -> Any:
    return handle.file()[name]


def _closed_like(is_group: bool) -> Any:
    store = h5py.File("closed", "w", driver="core", backing_store=False)  # in memory
    made = store.create_group("a") if is_group else store.create_dataset("a", data=0)
    store.close()
    return made


class _H5py(FingerprintOnly):
    library = "h5py"

    def rule(self, cls: type) -> Rule | None:
        return _object if cls in (h5py.File, *_OBJECTS) else None

    def reduce(self, value: Any, memory: Any) -> Any:
        del memory
        if type(value) not in (h5py.File, *_OBJECTS):
            return NotImplemented
        if not value:
            is_file = isinstance(value, h5py.File)
            return closed_store(value) if is_file else (_closed_like, (isinstance(value, h5py.Group),))
        handle = _handle_of(value)
        if isinstance(value, h5py.File):
            return _file_of, (handle, {name: item for name, item in vars(value).items() if name != "_id"})
        if value.name is None:
            raise Unstorable(type(value).__name__, "lies in a file under no name", "keep what it holds")
        return _inside, (handle, value.name)

    def content(self, value: Any) -> Any:
        """Give nothing but whether a file was closed, since nobody writes to it."""
        if not isinstance(value, _OBJECTS):
            return NotImplemented
        return (Closed(),) if isinstance(value, h5py.File) and not value else ()

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, _OBJECTS):
            return False
        if stored:
            live.close()
        return True


ADAPTER = _H5py()
