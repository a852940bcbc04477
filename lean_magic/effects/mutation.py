"""In-place change of objects that existed before the cell, written back into the same objects."""

from __future__ import annotations

import contextlib
import gc
import types
from collections.abc import Mapping
from typing import Any

from lean_magic.effects.changes import changed, differs, holds, others
from lean_magic.effects.recorder import Record, Recorder, Run
from lean_magic.errors import Unfingerprintable, Unstorable
from lean_magic.values import Walk, fingerprint
from lean_magic.values.in_place import Anew, content_of, put
from lean_magic.values.layout import kept_tables, may_move, owner_of, referents, shape_of, shapes_of, told_by
from lean_magic.values.marks import Inner
from lean_magic.values.memory import Interval, Plain, inside, is_closed, overlaps
from lean_magic.values.origin import is_a, is_own
from lean_magic.values.over import Closed

__all__ = ["Mutation"]


class Mutation(Recorder):
    """Fingerprints what the cell reached once more, and keeps the content of what is other now."""

    name = "mutation"

    def __init__(self) -> None:
        self._shapes: dict[str, Any] = {}
        self._sharing: list[list[str]] = []
        self._owners: dict[str, Any] = {}
        self._left_behind: dict[str, Any] = {}
        self._held: dict[str, Inner] = {}
        self._placed: dict[str, str] | None = None
        self._moved_in: set[int] = set()

    def begin(self, run: Run) -> None:
        """Take down the shapes of arrays; their content is in the key already."""
        live, self._held = run.walk.by_mark(), run.walk.held()
        self._shapes = shapes_of(live)
        self._sharing = _sharing(live, self._shapes)
        marks = {mark for group in self._sharing[:-1] for mark in group} & live.keys()
        self._owners = {mark: owner_of(live[mark]) for mark in marks}
        self._left_behind = told_by({mark: live[mark] for mark in self._shapes}, "left_behind")
        self._placed = _placed(run, self._shapes)

    def end(self, run: Run) -> Record:
        """Keep what changed in place. Raises Unstorable naming what cannot be written back."""
        parts, again = changed(run.walk)
        live = run.walk.by_mark()
        closed, moved = self._closing(run.walk), self._moved(again) | self._elsewhere(live)
        matters = parts or run.in_place or run.words & _LOOKS
        sharing: dict[str, Any] = {"sharing": self._sharing} if matters else {}
        if self._placed is not None:
            sharing["devices"] = self._placed
        if not (parts or closed or moved):
            return Record(sharing, [], {})
        parts |= {mark.rpartition("#")[0] for mark in closed | moved}
        self._moved_in = others(run.walk, again, parts)
        shells = {id(run.namespace.get(name)) for name in _RECORDS}
        self._must_be_known(run, parts, live)
        marks = [mark for mark in live if mark.rpartition("#")[0] in parts and id(live[mark]) not in shells]
        kept = {
            mark: self._content(mark, live[mark], run.walk, again)
            for mark in marks
            if mark in closed or mark in moved or self._is_other(run.walk, again, mark, live[mark])
        }
        kept = {mark: content for mark, content in kept.items() if content is not _UNTOUCHED}
        _must_not_be_keys([live[mark] for mark in kept], set(map(id, live.values())))
        blocks = {mark: _form(live[mark]) for mark in kept if mark in self._held}
        return Record({**sharing, "blocks": blocks} if blocks else sharing, sorted(parts), kept)

    def _must_be_known(self, run: Run, parts: set[str], live: Mapping[str, Any]) -> None:
        """Refuse a part that changed though nothing in it can be written to, such as a lock that was taken."""
        known = {mark.rpartition("#")[0] for mark in live}
        for part in parts - known - set(_RECORDS):
            if part in run.namespace and not _refers(run.walk.values[part][0], live):
                raise Unstorable(part, "was changed in place", "bind a changed copy to a new name")

    def _closing(self, walk: Walk) -> set[str]:
        """Name the arrays that refuse to be written to now and did not before, or the other way round."""
        if not self._sharing:
            return set()
        live, before = walk.by_mark(), set(self._sharing[-1])
        return {mark for mark in self._shapes if is_closed(live[mark]) != (mark in before)}

    def _moved(self, again: Walk) -> set[str]:
        """Name the tensors that lie on another device now, or in whose place another one lies there."""
        if not self._shapes:
            return set()
        now = again.by_mark()
        moving = {cls for cls in set(map(type, now.values())) if may_move(cls)}
        tensors = [(mark, shape) for mark, shape in self._shapes.items() if type(now.get(mark)) in moving]
        return {
            mark for mark, shape in tensors if (shape_of(now[mark]) or shape)[0].device != shape[0].device
        }

    def _elsewhere(self, live: Mapping[str, Any]) -> set[str]:
        """Name the tensors that were given other memory, which may be another one's, as `p.data = q.data` does."""
        shapes = ((mark, shape, shape_of(live[mark])) for mark, shape in self._shapes.items())
        return {
            mark for mark, before, now in shapes if now and before[0] != now[0] and may_move(type(live[mark]))
        }

    def _is_other(self, walk: Walk, again: Walk, mark: str, value: Any) -> bool:
        """Whether an object may have changed; only of arrays is the content known by itself."""
        if mark in self._held:
            return mark in self._shapes and self._held[mark].changed()
        before = walk.digest_at(mark) if mark in self._shapes else None
        if before is None or before != (again.digest_of(value) or _alone(value)):
            return True
        return bool(self._moved_in) and holds(value, self._moved_in)

    def _content(self, mark: str, value: Any, walk: Walk, again: Walk) -> Any:
        part = mark.rpartition("#")[0]
        before, now = self._shapes.get(mark), shape_of(value)
        is_anew = before and now and _is_anew(value, before, now)
        if is_anew and not self._is_shared(mark, value):
            return Anew(content_of(value), self._left_behind.get(mark))
        if is_anew or (before and before[1:]) != (now and now[1:]):
            why = "changed its memory, shape or dtype in place"
            raise Unstorable(part, why, "bind the new array to a new name")
        try:
            return content_of(value)
        except Unstorable as error:
            if _is_same(mark, value, walk, again):
                return _UNTOUCHED  # something else in this part was changed
            raise Unstorable(part, error.why, error.remedy) from error

    def _is_shared(self, mark: str, value: Any) -> bool:
        """Whether an array took others with it that lay in its memory before the cell, as `resize_` does."""
        return mark in self._owners and self._owners[mark] == owner_of(value)

    def still_holds(self, observed: Any, run: Run) -> str:
        """Compare which arrays share memory, which the key does not see."""
        if not observed:
            return ""
        live = run.walk.by_mark()
        shapes = shapes_of(live)
        if "sharing" in observed and observed["sharing"] != _sharing(live, shapes):
            return "other arrays share memory now"
        if "devices" in observed and observed["devices"] != _placed(run, shapes):
            return "a model lies on another device now"
        blocks = observed.get("blocks", {})
        if any(mark not in live or _form(live[mark]) != form for mark, form in blocks.items()):
            return "a table lies in memory in another way now"
        return ""

    def settle(self, record: Record, run: Run) -> None:
        """Write the content of what is no array once more."""
        live = run.walk.by_mark() if record.values else {}
        for mark, content in record.values.items():
            if shape_of(live[mark]) is None:
                put(live[mark], content)

    def replay(self, record: Record, run: Run, undo: contextlib.ExitStack) -> None:
        """Write the content back: arrays last, the largest of them first, so that views of it need no writing."""
        live = run.walk.by_mark()
        shapes = {mark: shape_of(live[mark]) for mark in record.values}
        objects = [mark for mark, shape in shapes.items() if shape is None]
        for mark in [mark for mark in objects if not _stays(live[mark], record.values[mark])]:
            undo.callback(put, live[mark], content_of(live[mark]))
            put(live[mark], record.values[mark])
        arrays = sorted(
            (mark for mark, shape in shapes.items() if shape), key=lambda mark: -_size(shapes[mark])
        )
        small = sum(_size(shapes[mark]) for mark in arrays) <= _KEPT
        written: list[Interval] = []
        for mark in arrays:
            content, place = record.values[mark], shapes[mark][0]
            if isinstance(content, Anew):
                if small and content.was is not None:
                    undo.callback(put, live[mark], _copied(content_of(live[mark])))
                undo.callback(put, live[mark], Anew(content_of(live[mark])))
            elif any(inside(place, span) for span in written):
                content = (Plain(None), *content[1:])
            elif small:
                undo.callback(put, live[mark], _copied(content_of(live[mark])))
            put(live[mark], content)
            if not isinstance(content, Anew) and _fills(content[0].value, place):
                written.append(place)


def _stays(value: Any, content: Any) -> bool:
    """Whether there is no way back for an object, so that it is changed once all else is there: in `settle`."""
    held = content[0] if type(content) is tuple and content else content
    return is_a(value, types.GeneratorType) or isinstance(held, Closed)


def _fills(value: Any, place: Interval) -> bool:
    """Whether an array that was written back has no gaps."""
    return value is not None and bool(place.end - place.start == value.nbytes)


_KEPT = 1 << 28  # bytes of arrays whose old content is kept while a replay may still fail


def _must_not_be_keys(changed: list[Any], live: set[int]) -> None:
    """Refuse new dicts and sets that changed objects are keys of: they are filled before those are changed again."""
    for value in changed:
        asked: Any = type(value).__hash__
        if isinstance(asked, types.FunctionType) and is_own(asked):
            holders = (one for one in gc.get_referrers(value) if isinstance(one, (dict, set, frozenset)))
            if any(id(one) not in live and any(key is value for key in one) for one in holders):
                kind = type(value).__qualname__
                raise Unstorable(kind, "was changed in place and is a key", "change it in an uncached cell")


def _refers(value: Any, live: Mapping[str, Any]) -> bool:
    """Whether a value is, or is made of, what was met under another name: what changed is known there."""
    walk = Walk()
    if differs(walk, "", value, ""):
        known = set(map(id, live.values()))
        return any(id(one) in known for one in walk.objects)
    return False


def _size(shape: Any) -> int:
    return int(shape[0].end - shape[0].start)


def _copied(content: Any) -> Any:
    """Give the content of an array that does not change with the array."""
    value = content[0].value
    return Plain(value.copy() if hasattr(value, "copy") else value.clone()), *content[1:]


_UNTOUCHED = object()
# The shell's own records, in which every cell leaves its traces by itself.
_RECORDS = ("In", "Out", "_ih", "_oh", "_dh")
# What code asks of an array that is no content.
_LOOKS = {"flags", "setflags", "writeable", "base", "_base", "shares_memory", "may_share_memory", "data_ptr"}
# Methods that give a model's tensors other memory.
_MOVES = {"to", "cpu", "cuda", "to_empty", "half", "float", "double", "bfloat16", "type"}


def _placed(run: Run, shapes: Mapping[str, Any]) -> dict[str, str] | None:
    """Say on which devices the tensors lie of what the code moves by name (`model.to(…)`); None if it moves nothing."""
    names = {
        name for name, chains in run.loads.items() if any(chain and chain[-1] in _MOVES for chain in chains)
    }
    parts = {mark: mark.rpartition("#")[0] for mark in shapes}
    names -= {part for mark, part in parts.items() if mark == f"{part}#0"}  # of a tensor it makes another
    if names.isdisjoint(parts.values()):
        return None
    devices = {mark: str(shapes[mark][0].device) for mark, part in parts.items() if part in names}
    return {mark: device for mark, device in devices.items() if device}


def _is_anew(value: Any, before: Any, now: Any) -> bool:
    """Whether a tensor has other memory than before."""
    return bool(before[0] != now[0]) and may_move(type(value))


def _form(value: Any) -> list[str]:
    """Give shape and dtype of an array, as they are written in a manifest."""
    return [str(item) for item in (shape_of(value) or ())[1:]]


def _sharing(live: Mapping[str, Any], shapes: Mapping[str, Any]) -> list[list[str]]:
    """List the groups of arrays that share memory, and of the like, and last those that refuse to be written to."""
    arrays = [(shape[0], mark) for mark, shape in shapes.items()]
    arrays += [(place, mark) for mark, place in told_by(live, "lent").items() if place is not None]
    spans = overlaps(interval for interval, _ in arrays)
    groups = [[mark for interval, mark in arrays if inside(interval, span)] for span in spans]
    groups += _tables(live)
    closed = [mark for mark in shapes if is_closed(live[mark])]
    return [*sorted(sorted(group) for group in groups), closed]


def _tables(live: Mapping[str, Any]) -> list[list[str]]:
    """List the dicts that are met by themselves, and belong to an object of a library: `m._parameters`."""
    known = kept_tables(live)
    at = ((mark, known.get(id(one))) for mark, one in live.items()) if known else ()
    return [[mark, "/".join(place)] for mark, place in at if place is not None]


def _is_same(mark: str, value: Any, before: Walk, now: Walk) -> bool:
    """Whether an object in a part that changed cannot have changed itself, or is seen to be as it was."""
    if isinstance(value, (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)):
        return True
    if isinstance(value, (tuple, frozenset)) and not hasattr(value, "__dict__"):
        return True
    digest = before.digest_at(mark)
    return digest is not None and digest in (now.digest_of(value), _digest(value))


def _alone(value: Any) -> str:
    """Digest an array by itself; "" if it holds objects, which read otherwise where some were met before."""
    holds_objects = getattr(value.dtype, "hasobject", False) and any(map(gc.is_tracked, referents(value)))
    return "" if holds_objects else _digest(value)


def _digest(value: Any) -> str:
    try:
        return fingerprint(value)
    except Unfingerprintable:
        return ""
