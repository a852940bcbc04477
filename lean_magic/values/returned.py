"""What a function gives back of what stays when it has returned: of globals, of its class, of variables outside.

Told from its steps, as the stack would hold what they name; nothing is run.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from lean_magic.values.steps import LATER, Step, steps

__all__ = ["Path", "Returned", "returned"]

_LONGEST = 600  # bytes of code; what only gives something back is short
_DEEPEST, _MOST = 6, 32
_SKIPPED = {"PRECALL", "CACHE", "RESUME", "NOP", "EXTENDED_ARG", "KW_NAMES", "NOT_TAKEN", "COPY_FREE_VARS"}
_ENDS = {"RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD", "JUMP_BACKWARD"}
_GETS = {"get", "setdefault", "__getitem__"}


class Path(NamedTuple):
    """Where something stays: a "global", a "free" variable or "self", and an "attr", an "item" or a "call" of such.

    A "local" variable, what a step has "made", a "text" and another "constant" are no such places, but may lead to one.
    """

    kind: str
    name: str = ""
    base: Path | None = None

    @property
    def root(self) -> Path:
        """Where it starts."""
        return self.base.root if self.base is not None else self

    @property
    def depth(self) -> int:
        """How many steps lead from there to it."""
        return 1 + self.base.depth if self.base is not None else 0


class Returned(NamedTuple):
    """What a function may give back, where it puts something itself, and what it puts items into."""

    paths: tuple[Path, ...] = ()
    filled: frozenset[Path] = frozenset()
    items: frozenset[Path] = frozenset()


@functools.lru_cache(maxsize=4096)
def returned(code: types.CodeType, *, is_bound: bool) -> Returned:
    """Say what a function gives back of what stays; of `__init__`, what it makes the object's `__dict__`."""
    if code.co_flags & LATER or len(code.co_code) > _LONGEST:
        return Returned()
    trace = _Trace(code, is_bound=is_bound)
    found, items = (
        {path for path in trace.ways(some) if path.root.kind in _STAYS} for some in (trace.given, trace.items)
    )
    return Returned(tuple(sorted(found, key=repr)), frozenset(trace.ways(trace.filled)), frozenset(items))


_Some = frozenset[Path]  # what may lie in one place of the stack
_STAYS = {"global", "free", "self"}
_NONE: _Some = frozenset()


class _Trace:
    """One pass through a function: of branches that meet, all that they bring; of loops, one turn."""

    def __init__(self, code: types.CodeType, *, is_bound: bool) -> None:
        self.filled: set[Path] = set()
        self.items: set[Path] = set()
        self._stays = {*code.co_varnames[:is_bound]}
        self._free = {*code.co_freevars}
        self._init = code.co_name == "__init__"
        self._stack: list[_Some] = []
        self._coming: dict[int, list[list[_Some]]] = {}
        self._also: dict[Path, set[Path]] = {}
        self.given: set[Path] = set()
        is_live = True
        for step in steps(code):
            if step.offset in self._coming:
                self._meet(self._coming.pop(step.offset), is_live=is_live)
            elif not is_live:
                self._stack = []
            if step.name not in _SKIPPED:
                self._take(step)
            is_live = step.name not in _ENDS

    def ways(self, paths: Iterable[Path]) -> set[Path]:
        """Give all paths to what some lead to."""
        found: set[Path] = set()
        todo = [*paths]
        while todo and len(found) < _MOST:
            path = todo.pop()
            if path not in found and path.depth <= _DEEPEST:
                found.add(path)
                todo += self._others(path)
        return found

    def _others(self, path: Path) -> Iterator[Path]:
        """Give other paths to the same: what a variable stands for, where something that was made was put."""
        if path.base is None:
            yield from self._also.get(path, ())
        else:
            yield from (path._replace(base=other) for other in self._others(path.base))

    # -- the stack -----------------------------------------------------------------

    def _pop(self) -> _Some:
        return self._stack.pop() if self._stack else _NONE

    def _reach(self, depth: int) -> None:
        """Fill up from below what nothing is known of."""
        self._stack[:0] = [_NONE] * (depth - len(self._stack))

    def _meet(self, coming: list[list[_Some]], *, is_live: bool) -> None:
        stacks = [*coming, self._stack] if is_live else coming
        depth = max(map(len, stacks))
        filled = ([_NONE] * (depth - len(stack)) + stack for stack in stacks)
        self._stack = [_NONE.union(*some) for some in zip(*filled, strict=True)]

    def _take(self, step: Step) -> None:
        kept = step.name.startswith("JUMP_IF")
        if step.goes > step.offset and kept:
            self._coming.setdefault(step.goes, []).append([*self._stack])
        taker = getattr(self, f"_{step.name.lower()}", None)
        if taker is not None:
            taker(step)
        else:
            self._any(step)
        if step.goes > step.offset and not kept:
            self._coming.setdefault(step.goes, []).append([*self._stack])

    def _any(self, step: Step) -> None:
        """Take what names nothing: it leaves something of its own on the stack, unless it only takes from there."""
        only_takes = step.name.startswith(("POP_", "STORE_", "DELETE_", "JUMP"))
        for _ in range(-step.size):
            self._pop()
        if self._stack and not only_takes and not step.name.startswith(("LOAD_", "PUSH_")):
            self._stack[-1] = _NONE
        self._stack += [_NONE] * step.size

    # -- steps that name something ---------------------------------------------------

    def _load_global(self, step: Step) -> None:
        nulls = [_NONE] * (step.number & 1)
        self._stack += [*nulls, frozenset({Path("global", step.what)})]

    def _load_fast(self, step: Step) -> None:
        stays = step.what in self._stays
        self._stack.append(frozenset({Path("self") if stays else Path("local", step.what)}))

    def _load_deref(self, step: Step) -> None:
        kind = "free" if step.what in self._free else "local"
        self._stack.append(frozenset({Path(kind, step.what)}))

    def _load_const(self, step: Step) -> None:
        is_text = isinstance(step.what, str)
        self._stack.append(frozenset({Path("text", step.what) if is_text else Path("constant")}))

    def _load_attr(self, step: Step) -> None:
        found = _inside(self._pop(), "attr", step.what)
        self._stack += [_NONE, found] if step.size else [found]

    _load_method = _load_attr

    def _binary_subscr(self, step: Step) -> None:
        del step
        self._pop()
        self._stack.append(_inside(self._pop(), "item"))

    def _copy(self, step: Step) -> None:
        self._reach(step.number)
        self._stack.append(self._stack[-step.number])

    def _swap(self, step: Step) -> None:
        self._reach(step.number)
        one, other = self._stack[-1], self._stack[-step.number]
        self._stack[-1], self._stack[-step.number] = other, one

    def _call(self, step: Step) -> None:
        args = [self._pop() for _ in range(step.number)][::-1]
        functions = self._pop(), self._pop()
        found = {Path("made", str(step.offset))}
        for path in functions[0] or functions[1]:
            if path.kind == "attr" and path.name in _GETS:
                found |= _inside({path.base}, "item")
                self.filled |= {path.base} if path.name == "setdefault" and path.base else set()
            elif path == Path("global", "getattr") and len(args) > 1:
                found.update(
                    *(_inside(args[0], "attr", text.name) for text in args[1] if text.kind == "text")
                )
            else:
                found |= _inside({path}, "call")
        self._stack.append(frozenset(found))

    def _call_kw(self, step: Step) -> None:
        self._pop()
        self._call(step)

    def _store_fast(self, step: Step) -> None:
        self._also.setdefault(Path("local", step.what), set()).update(self._pop())

    def _store_deref(self, step: Step) -> None:
        kind = "free" if step.what in self._free else "local"
        self._put(self._pop(), {Path(kind, step.what)})

    def _store_global(self, step: Step) -> None:
        self._put(self._pop(), {Path("global", step.what)})

    def _store_attr(self, step: Step) -> None:
        bases, value = self._pop(), self._pop()
        if step.what == "__dict__" and self._init and Path("self") in bases:
            self.given |= value
        self._put(value, _inside(bases, "attr", step.what))

    def _store_subscr(self, step: Step) -> None:
        del step
        self._pop()
        bases = self._pop()
        self.filled |= bases
        value = self._pop()
        if not value or any(path.kind not in {"constant", "text"} for path in value):
            self.items |= bases  # else it may only say that something was done
        self._put(value, _inside(bases, "item"))

    def _return_value(self, step: Step) -> None:
        del step
        self.given |= self._pop()

    def _put(self, value: Iterable[Path], places: Collection[Path]) -> None:
        """Note that something lies in other places, too."""
        self.filled.update(places)
        for path in value:
            if path.kind not in {"constant", "text"}:
                self._also.setdefault(path, set()).update(places)


def _inside(bases: Iterable[Path | None], kind: str, name: str = "") -> frozenset[Path]:
    return frozenset(Path(kind, name, base) for base in bases if base is not None and base.depth < _DEEPEST)
