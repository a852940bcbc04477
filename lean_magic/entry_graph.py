"""The graph of all that an entry puts back: written after a run, read onto the live objects of a kernel."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lean_magic.effects import Record, Run, files
from lean_magic.effects.names import is_told_apart
from lean_magic.effects.process import searching
from lean_magic.effects.written import put_back
from lean_magic.key import held_by_modules
from lean_magic.planner import Plan
from lean_magic.values import codec
from lean_magic.values.in_place import Anew
from lean_magic.values.layout import kept_tables, shapes_of
from lean_magic.values.owners import containers, held_by_classes
from lean_magic.values.reading import First
from lean_magic.values.reduced import kept_dicts
from lean_magic.values.silence import silence
from lean_magic.values.sources import Sources
from lean_magic.values.stand_ins import known_places

__all__ = ["read", "write"]


def write(plan: Plan, namespace: dict[str, Any], records: Mapping[str, Record]) -> codec.Graph:
    """Write what the recorders of a run have kept; files first, for values may be mapped from them."""
    values = {name: record.values for name, record in records.items()}
    written = {"files": First(values["files"])} if values["files"] else {}
    graph = codec.encode(values | written, live_objects(plan, namespace, records))
    if _tells(graph, plan.run):
        records["files"].observed["here"] = plan.run.start
    return graph


def _tells(graph: codec.Graph, run: Run) -> bool:
    """Whether values say where the working folder is, which a library has found out: a mapped file its whole path."""
    inside = run.start.rstrip(os.sep) + os.sep
    given = any(text.startswith(inside) for texts in (run.strings, run.inner) for text in texts)
    if given or len(inside) == 1:
        return False
    return re.search(re.escape(os.fsencode(inside)), graph.stream.getbuffer()) is not None


def read(
    path: Path, plan: Plan, sources: Callable[[], Sources], undo: contextlib.ExitStack
) -> dict[str, Any]:
    """Read what the recorders are to put back; files of the cell's are there before what is mapped from them.

    `undo` is given what takes these away again.
    """
    entry = plan.entry
    assert entry is not None
    assert entry.payload is not None
    put_files = functools.partial(put_back, entry.effects["files"], undo)
    with files.unwatched(), silence(), searching(entry.effects["process"]):
        walk = plan.run.walk
        return codec.load(path, entry.payload.layout, walk.by_mark(), walk.spaces, sources, put_files)


def live_objects(plan: Plan, namespace: dict[str, Any], records: Mapping[str, Record]) -> codec.Live:
    """Say what a graph may refer to: live objects by mark, objects of modules, what names stood for before."""
    run = plan.run
    spaces = {id(space): name for name, space in run.walk.spaces.items()}
    bound = set(records["names"].effects["bound"]) | run.drop
    own = {
        id(value): name
        for name, value in namespace.items()
        if name not in bound and is_told_apart(name, value, run)
    }
    known = run.walk.by_mark()
    changes = records["mutation"].values
    stayed = {mark: value for mark, value in known.items() if not isinstance(changes.get(mark), Anew)}
    left = {
        mark: one.was[0] for mark, one in changes.items() if isinstance(one, Anew) and one.was is not None
    }
    arrays = [(shape[0], at[mark]) for at in (stayed, left) for mark, shape in shapes_of(at).items()]
    shares = not run.words.isdisjoint({"vars", "__dict__"})
    dicts = kept_tables(known) | (kept_dicts(known) if shares else {})
    put = records["attributes"].values or {}
    changed = {(module, name) for module, owner, name in put if not owner}
    held = held_by_modules(one for one, _ in plan.found.imports) | held_by_classes(run.walk.classes())
    held |= {id(one.value): (one.module, one.path) for one in containers(run.loads, namespace, more=False)}
    known_at = {one: place for one, place in (held | known_places()).items() if place not in changed}
    marks = {id(value): mark for at in (known, left) for mark, value in at.items()}
    spaces[id(namespace)] = "__main__"
    return codec.Live(
        marks,
        spaces,
        own,
        arrays,
        known_at,
        dicts,
        shares,
        "id" in run.loads,
        frozenset(map(id, put.values())),
    )
