"""pyarrow: arrays, tables and types, to which nobody can write: by the bytes that pyarrow would send.

Asked for what they hold, they make it anew each time; so what lies in one has no identity.
"""

from __future__ import annotations

import os
from typing import Any

import pyarrow

from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine, leaf
from lean_magic.values.open_files import digest_of_path
from lean_magic.values.origin import module_of
from lean_magic.values.reduced import reduced

__all__ = ["ADAPTER"]

_TYPES = (pyarrow.Schema, pyarrow.Field, pyarrow.DataType)
_ARRAYS = (pyarrow.Table, pyarrow.RecordBatch, pyarrow.ChunkedArray, pyarrow.Array)


def _type(walk: Walk, value: Any) -> bytes:
    field = value if isinstance(value, pyarrow.Field) else None
    if isinstance(value, pyarrow.DataType):
        field = pyarrow.field("", value)
    return _sent(walk, value, pyarrow.schema([field]) if field is not None else value)


def _array(walk: Walk, value: Any) -> bytes:
    if isinstance(value, pyarrow.RecordBatch):
        return _sent(walk, value, value.schema, [value])
    table = value if isinstance(value, pyarrow.Table) else pyarrow.table([value], names=[""])
    return _sent(walk, value, table.schema, table.to_batches())


def _sent(walk: Walk, value: Any, schema: Any, batches: Any = ()) -> bytes:
    if "extension<" in str(schema):
        return reduced(walk, value)  # of which a class of the user's may say more
    walk.mark(value)
    walk.use_module("pyarrow")
    stream = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(stream, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return combine("arrow", leaf(type(value).__qualname__, memoryview(stream.getvalue())))


def _dataset(walk: Walk, value: Any) -> bytes:
    """Digest a dataset of files by what the files hold; what is known of them so far is no content."""
    walk.mark(value)
    walk.use_module("pyarrow")
    local = type(value.filesystem).__name__ == "LocalFileSystem"
    if not local or not all(map(os.path.isfile, value.files)):
        return reduced(walk, value)
    parts = [str(part.partition_expression) for part in value.get_fragments()]
    said = list(value.files), parts, repr(value.format), str(value.schema.metadata), value.schema.to_string()
    return combine("arrow dataset", walk.digests(walk.keep(said)), *map(digest_of_path, value.files))


class _Pyarrow(FingerprintOnly):
    library = "pyarrow"

    def rule(self, cls: type) -> Rule | None:
        if cls.__name__ == "FileSystemDataset" and module_of(cls) == "pyarrow._dataset":
            return _dataset
        if module_of(cls) != "pyarrow.lib":
            return None
        return _array if issubclass(cls, _ARRAYS) else _type if issubclass(cls, _TYPES) else None


ADAPTER = _Pyarrow()
