"""A graph of values ↔ one joblib file that is mapped, not read.

The file holds `{"graph": bytes of a pickle, "buffers": [bytes, …]}` as byte
arrays; `joblib.load` opens it anywhere, and
`pickle.loads(payload["graph"], buffers=payload["buffers"])` reads the graph where
it needs nothing of a live kernel. `load` here maps the file once, copy on write,
and hands out slices, so that arrays come back without being read.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from lean_magic.errors import LeanMagicError, Unstorable
from lean_magic.values.memory import LARGE, Interval, Memory
from lean_magic.values.reading import Reader
from lean_magic.values.sources import Sources

__all__ = ["Graph", "Live", "dump", "encode", "load"]

_PIECE = 1 << 20  # bytes handed on at a time, which are still in the cache when they are digested
_FAILURES = (pickle.PickleError, TypeError, ValueError, AttributeError, NotImplementedError, RuntimeError)


class Graph:
    """A pickled graph in memory: its stream, and views (not copies) of its large buffers."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory  # keeps the arrays behind the buffers
        self.stream = io.BytesIO()
        self.buffers: list[memoryview] = []
        self.used: set[str] = set()

    def keep(self, buffer: pickle.PickleBuffer) -> bool:
        """Take a buffer out of the stream if it is large (False), else leave it in (True)."""
        view = buffer.raw()
        if view.nbytes < LARGE:
            return True
        self.buffers.append(view)
        return False

    @property
    def size(self) -> int:
        """Bytes of stream and buffers together."""
        return self.stream.getbuffer().nbytes + sum(view.nbytes for view in self.buffers)


@dataclass(slots=True, repr=False, eq=False)
class Live:
    """What exists outside a graph: marks of live objects, names of modules' globals, names bound before.

    `places` are objects that modules hold: (module, name), to be found there again. `dicts` are what
    objects keep their content in, by id: (mark, attribute), or (mark, "") for `__dict__`, if `shares` says that
    something else can hold one. `ids`: whether values may be ids.
    `fresh` are the ids of what the cell itself has put into modules.
    """

    marks: Mapping[int, str] = field(default_factory=dict)
    spaces: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    arrays: Sequence[tuple[Interval, Any]] = ()
    places: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    dicts: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    shares: bool = False
    ids: bool = False
    fresh: frozenset[int] = frozenset()

    def write(self, values: Any) -> Graph:
        """Pickle `values`, a second time if arrays among them turn out to share memory."""
        memory = Memory(list(self.arrays))
        graph = self._write(values, memory)
        again = memory.again()
        return graph if again is None else self._write(values, again)

    def _write(self, values: Any, memory: Memory) -> Graph:
        from lean_magic.values.pickling import IdWriter, Writer  # which loads cloudpickle

        graph = Graph(memory)
        known = self.marks, self.spaces, graph.keep, self.names, memory, self.places, self.dicts
        writer = (IdWriter if self.ids else Writer)(graph.stream, *known)
        writer.fresh, writer.shares = self.fresh, self.shares
        writer.dump(values)
        graph.used = writer.used
        return graph


def encode(values: Mapping[str, Any], live: Live | None = None) -> Graph:
    """Pickle named values as one graph; raises Unstorable naming the one that cannot be."""
    live = live or Live()
    try:
        return live.write(dict(values))
    except (*_FAILURES, LeanMagicError) as error:
        raise _culprit(values, live, error) from error


def _culprit(values: Mapping[str, Any], live: Live, error: Exception) -> Unstorable:
    """Find the value that cannot be written, one level down in a mapping of names."""
    for name, value, remedy in _flat(values):
        try:
            live.write(value)
        except Unstorable as own:
            return Unstorable(name, own.why, own.remedy or remedy)
        except _FAILURES as own:
            return Unstorable(name, f"cannot be stored ({_brief(own)})", remedy)
    if isinstance(error, Unstorable):
        return error
    return Unstorable(
        "the cell", f"cannot be stored ({_brief(error)})", "cut it into smaller ones to find out what"
    )


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Give each value with the name to be told, and a remedy that fits what it is to the cell."""
    for group, value in values.items():
        if type(value) is not dict:
            yield (
                _SHOWN if group == "output" else group,
                value,
                "end its last line with `;`, or show a copy as text",
            )
            continue
        for name, inner in value.items():
            if group == "mutation":  # whose names are marks
                yield name.rpartition("#")[0], inner, "change it in an uncached cell"
            elif group == "names":
                yield name, inner, f"`--drop {name}` leaves it out"
            else:
                yield str(name), inner, "do this in an uncached cell"


_SHOWN = "the result that the cell shows"


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def dump(
    graph: Graph, file: BinaryIO, show: Callable[[int, int | None], None] | None = None
) -> dict[str, Any]:
    """Write a graph as one joblib file; returns where its parts lie: [[offset, bytes], …], stream first.

    `show` is told (bytes written, bytes in all).
    """
    if "numpy" not in sys.modules and not graph.buffers:
        return _dump_plainly(graph, file, show)
    import joblib  # a quarter of a second, which a kernel that only replays never pays

    try:
        import numpy as np
    except ImportError:
        joblib.dump(
            {"graph": graph.stream.getvalue(), "buffers": [bytes(view) for view in graph.buffers]}, file
        )
        return {}
    parts = [np.frombuffer(view, dtype=np.uint8) for view in (graph.stream.getbuffer(), *graph.buffers)]
    places = _Places(file, graph.size, show)
    pickler = joblib.numpy_pickle.NumpyPickler(places)  # as joblib.dump uses it
    pickler.np = _InPlace(np)
    pickler.dump({"graph": parts[0], "buffers": parts[1:]})
    return {"parts": [[start, part.nbytes] for start, part in zip(places.starts, parts, strict=True)]}


def _dump_plainly(
    graph: Graph, file: BinaryIO, show: Callable[[int, int | None], None] | None
) -> dict[str, Any]:
    """Write a graph as joblib reads it, too, without numpy: who has not loaded it would see its warning filters."""
    content = graph.stream.getvalue()
    whole = pickle.dumps({"graph": content, "buffers": []}, protocol=5)
    for start in range(0, len(whole), _PIECE):
        file.write(memoryview(whole)[start : start + _PIECE])
        if show is not None:
            show(min(start + _PIECE, len(whole)), len(whole))
    return {"parts": [[whole.index(content), len(content)]]}


class _InPlace:
    """numpy, as joblib uses it to write arrays of bytes; but they are handed on from where they lie, not copied."""

    def __init__(self, numpy: Any) -> None:
        self._numpy = numpy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._numpy, name)

    def nditer(self, array: Any, **_: Any) -> Iterator[_Piece]:
        """Give an array of bytes piece by piece."""
        view = memoryview(array)
        return (_Piece(view[start : start + _PIECE]) for start in range(0, len(view), _PIECE))


class _Piece:
    def __init__(self, view: memoryview) -> None:
        self._view = view

    def tobytes(self, order: str) -> memoryview:
        del order  # it has one axis
        return self._view


class _Places(io.RawIOBase):
    """Passes writes on and notes where joblib puts each array.

    Before an array joblib asks for the position, then writes one byte with the
    length of the padding, the padding, and the elements.
    """

    def __init__(self, file: BinaryIO, size: int, show: Callable[[int, int | None], None] | None) -> None:
        super().__init__()
        self._file = file
        self._size = size
        self._show = show
        self._done = 0
        self._asked: int | None = None
        self.starts: list[int] = []

    def tell(self) -> int:
        self._asked = self._file.tell()
        return self._asked

    def write(self, data: Any) -> int:
        if self._asked is not None and len(data) == 1:
            self.starts.append(self._asked + 1 + data[0])
        self._asked = None
        self._file.write(data)
        self._done += len(data)
        if self._show is not None:
            self._show(self._done, self._size)
        return len(data)

    def writable(self) -> bool:
        return True


def load(
    path: Path,
    layout: Mapping[str, Any],
    objects: Mapping[str, Any],
    spaces: Mapping[str, dict[str, Any]],
    sources: Callable[[], Sources] = dict,
    use: Callable[[Any], Any] = lambda value: value,
) -> dict[str, Any]:
    """Read a graph back onto live objects; large buffers are mapped copy-on-write, not read.

    `sources` is asked for the present code of functions, if there are any in the graph, and `use` is given the value
    that is to be made use of first, for another one.
    """
    more: dict[str, Any] = {"sources": sources, "use": use}
    if "parts" not in layout:
        import joblib

        whole = joblib.load(path)
        return _read(io.BytesIO(whole["graph"]), objects, spaces, buffers=whole["buffers"], **more)
    (start, size), *places = layout["parts"]
    with path.open("rb") as file:
        buffers: list[Any] = []
        if places:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
            buffers = [mapped[offset : offset + length] for offset, length in places]
        stream = (
            io.BytesIO(os.pread(file.fileno(), size, start)) if hasattr(os, "pread") else _sought(file, start)
        )
        return _read(stream, objects, spaces, buffers=buffers, **more)


def _sought(file: BinaryIO, start: int) -> BinaryIO:
    file.seek(start)
    return file


def _read(
    stream: Any, objects: Mapping[str, Any], spaces: Mapping[str, dict[str, Any]], **more: Any
) -> dict[str, Any]:
    try:
        graph: dict[str, Any] = Reader(stream, objects, spaces, **more).load()
    except (*_FAILURES, ImportError, LookupError, NameError, EOFError, OSError) as error:
        raise Unstorable(
            "the entry",
            f"cannot be put back here ({type(error).__name__}: {_brief(error)})",
            "`--refresh` stores it anew; what can never be read back belongs into an uncached cell",
        ) from error
    return graph
