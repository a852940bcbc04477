"""What a code object says: a digest blind to layout, and the names it looks up when it runs.

Byte code depends a little on line breaks (the compiler keeps no-ops and jumps so
that tracebacks are right), so where the source can be found and verified, the
digest is taken from the same source compiled with every position the same.
"""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import linecache
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lean_magic.values.caller_looks import ASKS_CALLER, OF_CALLER, looks_at_caller_alone
from lean_magic.values.fingerprint import combine, leaf
from lean_magic.values.lookups import is_opaque, is_searched, stands_there
from lean_magic.values.steps import instructions
from lean_magic.values.uses import Uses

__all__ = ["CodeFacts", "Import", "code_digest", "facts", "nested", "own_facts"]

_FUTURE = 0xFFFF_0000  # the CO_FUTURE_* bits of co_flags
_LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}
_ATTRS = {"LOAD_ATTR", "LOAD_METHOD"}
_STORES = {"STORE_NAME", "STORE_GLOBAL"}
_BINDS = _STORES | {"STORE_FAST"}
_DELETES = {"DELETE_NAME", "DELETE_GLOBAL"}
_PUTS = {"STORE_ATTR", "DELETE_ATTR"}
_QUERIES = {"query", "eval"}
_LOOKUPS = {"eval", "exec", "globals", "locals", "vars", "dir", "compile", "__import__"}
_BRANCHES = {"FOR_ITER", "SEND", "SETUP_FINALLY", "RERAISE"}
_SKIPPED = {"COPY_FREE_VARS", "CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG", "NOP", "NOT_TAKEN"}


class Import(NamedTuple):
    """One import: the module's name, how many dots stand before it, the names taken from it."""

    module: str
    level: int
    names: tuple[str, ...] = ()


@dataclass(slots=True, repr=False, eq=False)
class CodeFacts:
    """What one code object (without the functions inside it) looks up, binds and imports."""

    loads: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    stores: set[str] = field(default_factory=set)
    deletes: set[str] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)
    strings: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    composed: bool = False
    queried: set[str] = field(default_factory=set)
    in_place: bool = False
    guarded: bool = False
    sets: set[tuple[str, ...]] = field(default_factory=set)
    puts: set[str] = field(default_factory=set)  # attributes that are set or deleted, on whatever it be
    uses: set[tuple[str, ...]] = field(default_factory=set)  # ("value" | "call" | "with", name, attribute, …)
    imported: set[tuple[str, str]] = field(default_factory=set)  # (name, as)
    hashes: bool = False  # asks for hashes itself, which are others in each process

    @property
    def idle(self) -> set[str]:
        """Name what is imported, modules or what they hold, and not used by the code that imports it."""
        used = self.loads.keys() | {word.removeprefix("import ") for use in self.uses for word in use}
        in_use = {name for name, known_as in self.imported if not used.isdisjoint((name, known_as))}
        return {name for name, _ in self.imported} - in_use

    def merge(self, other: CodeFacts) -> None:
        """Add everything `other` says."""
        for name, chains in other.loads.items():
            self.loads.setdefault(name, set()).update(chains)
        self.imports += other.imports
        for name in _SETS:
            getattr(self, name).update(getattr(other, name))
        for name in ("composed", "in_place", "guarded", "hashes"):
            setattr(self, name, getattr(self, name) or getattr(other, name))


_SETS = (
    "stores", "deletes", "strings", "attributes", "opaque", "texts", "queried", "sets", "puts", "uses", "imported",
)  # fmt: skip


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield `code` and every code object inside it, in the order of the source."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from nested(const)


@functools.lru_cache(maxsize=4096)
def facts(code: types.CodeType) -> CodeFacts:
    """Read the facts of a code object and of all that is defined inside it."""
    found = CodeFacts()
    for inner in nested(code):
        found.merge(own_facts(inner))
    return found


def own_facts(code: types.CodeType) -> CodeFacts:
    """Read the facts of one code object alone."""
    found = CodeFacts()
    found.strings.update(_strings(code.co_consts))
    found.guarded = bool(code.co_exceptiontable)
    steps = [step for step in instructions(code) if step.opname not in _SKIPPED]
    uses = Uses(steps)
    found.puts.update(step.argval for step in steps if step.opname in _PUTS)
    bound: set[str] = set()
    inner: dict[str, tuple[str, ...]] = {}  # a function's own names for modules or what they hold
    straight = code.co_name != "<module>" and not code.co_exceptiontable
    for index, step in enumerate(steps):
        # In a class body, a name bound before the first jump is the body's own from there on.
        straight = straight and "JUMP" not in step.opname and step.opname not in _BRANCHES
        if step.opname == "STORE_NAME" and straight:
            bound.add(step.argval)
        if step.opname == "STORE_FAST" and index:
            inner |= _imported(steps, index)
        elif step.opname == "LOAD_FAST" and step.argval in inner:
            _set_inside(found, steps, index, inner[step.argval])
            found.uses.add((uses.of(step), *inner[step.argval], *_chain(steps, index)))
        if not (step.opname == "LOAD_NAME" and step.argval in bound):
            _read(found, steps, index, step)
            if step.opname in _LOADS:
                found.uses.add((uses.of(step), step.argval, *_chain(steps, index)))
    found.hashes = "hash" in found.loads and code.co_name != "__hash__"
    if looks_at_caller_alone(code, found.loads, steps):
        found.attributes = (found.attributes - OF_CALLER) | {ASKS_CALLER}
    return found


def _imported(steps: list[dis.Instruction], index: int) -> dict[str, tuple[str, ...]]:
    """Say what a name stands for that an import statement of a function binds: ("import a", "b")."""
    before = steps[index - 1]
    if before.opname == "IMPORT_NAME":
        top = before.argval.partition(".")[0] if steps[index - 2].argval is None else before.argval
        return {steps[index].argval: (f"import {top}",)}
    if before.opname != "IMPORT_FROM":
        return {}
    home = next((step.argval for step in reversed(steps[:index]) if step.opname == "IMPORT_NAME"), "")
    return {steps[index].argval: (f"import {home}", before.argval)}


def _set_inside(found: CodeFacts, steps: list[dis.Instruction], index: int, path: tuple[str, ...]) -> None:
    """Note what is set on something that a function has imported for itself."""
    chain = _chain(steps, index)
    attribute = _set_attribute(steps, index, len(chain))
    if attribute:
        found.sets.add((*path, *chain, attribute))


def _read(found: CodeFacts, steps: list[dis.Instruction], index: int, step: dis.Instruction) -> None:
    name = step.argval
    if step.opname in _LOADS:
        _load(found, steps, index, step)
    elif step.opname in _STORES:
        found.stores.add(name)
    elif step.opname in _DELETES:
        found.deletes.add(name)
        found.loads.setdefault(name, set()).add(())
    elif step.opname == "IMPORT_NAME":
        found.imports.append(_import(steps, index, name))
        _bound_to(found, steps[index + 1], name)
    elif step.opname in _ATTRS:
        found.attributes.add(name)
        if name in _QUERIES:
            _query(found, steps[index + 1 : index + 8])
        found.in_place = found.in_place or name in _IN_PLACE or name.endswith("_")
    elif step.opname == "IMPORT_FROM":
        found.attributes.add(name)
        _bound_to(found, steps[index + 1], name)
    else:
        _read_rest(found, step)


def _bound_to(found: CodeFacts, after: dis.Instruction, name: str) -> None:
    """Note the name under which something is imported; one of a function around is used who knows where."""
    if after.opname in _BINDS:
        found.imported.add((name, str(after.argval)))


def _load(found: CodeFacts, steps: list[dis.Instruction], index: int, step: dis.Instruction) -> None:
    """Note a name that is looked up, and what is asked of it."""
    name, chain = step.argval, _chain(steps, index)
    found.loads.setdefault(name, set()).add(chain)
    if attribute := _set_attribute(steps, index, len(chain)):
        found.sets.add((name, *chain, attribute))
    inside = name == "builtins" and bool(chain)
    asked, after = chain[0] if inside else name, steps[index + 1 + inside : index + 7]
    if asked in {"dir", "vars"} and not after[0].opname.startswith("LOAD"):
        found.loads.setdefault("locals", set()).add(())  # without an argument they list all names
    searched = index and steps[index - 1].opname == "LOAD_CONST" and is_searched(after)
    if asked in _LOOKUPS and not searched and is_opaque(asked, step.opname == "LOAD_NAME", after):
        found.opaque.add(asked)
    elif asked in {"eval", "exec"}:
        if after[0].opname == "LOAD_CONST":
            _run_text(found, after[0].argval, asked)
        else:
            found.texts.add(str(after[0].argval))


def _run_text(found: CodeFacts, text: Any, mode: str) -> None:
    """Note what a text does that is run, but for the names that it reads and binds: these are looked for apart."""
    with contextlib.suppress(SyntaxError, TypeError, ValueError):
        said = facts(compile(text, "<text>", mode, dont_inherit=True))
        found.sets |= said.sets
        found.puts |= said.puts
        found.uses |= said.uses
        found.attributes |= said.attributes
        found.in_place = found.in_place or said.in_place


def _read_rest(found: CodeFacts, step: dis.Instruction) -> None:
    if step.opname in {"STORE_SUBSCR", "DELETE_SUBSCR"} or (
        step.opname == "BINARY_OP" and step.argrepr.endswith("=")
    ):
        found.in_place = True


def _query(found: CodeFacts, after: list[dis.Instruction]) -> None:
    """Note where the text of a query comes from."""
    if not stands_there(after) or after[0].opname in {"LOAD_FAST", "LOAD_DEREF"}:
        found.composed = True
    elif after[0].opname != "LOAD_CONST":
        found.queried.add(str(after[0].argval))


_IN_PLACE = {
    "sort", "fill", "resize", "put", "copyto", "shuffle", "partition", "byteswap", "setfield", "set_", "at", "out",
    "place", "putmask", "fill_diagonal", "apply_along_axis",
}  # fmt: skip


def _chain(steps: list[dis.Instruction], index: int) -> tuple[str, ...]:
    """Collect the attributes looked up right after a name: `np.linalg.norm` → ("linalg", "norm")."""
    chain = []
    for step in steps[index + 1 :]:
        if step.opname not in _ATTRS:
            break
        chain.append(str(step.argval))
    return tuple(chain)


def _set_attribute(steps: list[dis.Instruction], index: int, depth: int) -> str:
    """Name the attribute that is set or deleted on what a name stands for, "*" for a computed one, or ""."""
    after = steps[index + depth + 1] if index + depth + 1 < len(steps) else steps[index]
    if after.opname in _PUTS:
        return str(after.argval)
    if after.opname == "COPY" and (found := steps[index + depth + 2 :]) and found[0].opname == "LOAD_ATTR":
        return str(found[0].argval)  # `a.b += 1`
    called = index and steps[index - 1].argval in {"setattr", "delattr"}
    if not called:
        return ""
    return str(after.argval) if after.opname == "LOAD_CONST" else "*"


def _import(steps: list[dis.Instruction], index: int, module: str) -> Import:
    level, names = (steps[index - 2].argval, steps[index - 1].argval) if index >= 2 else (0, None)
    return Import(module, level if isinstance(level, int) else 0, tuple(names or ()))


def _strings(consts: tuple[object, ...]) -> Iterator[str]:
    for const in consts:
        if isinstance(const, str):
            yield const
        elif isinstance(const, bytes) and len(const) < 4096:
            yield const.decode(errors="replace")
        elif isinstance(const, (tuple, frozenset)):
            yield from _strings(tuple(const))


@functools.lru_cache(maxsize=16384)
def code_digest(code: types.CodeType) -> bytes:
    """Digest what the code does: blind to comments, layout, file name and line numbers."""
    return _digest(_canonical(code))


def _digest(code: types.CodeType) -> bytes:
    numbers = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_name)
    shape = repr((numbers, names, code.co_stacksize)).encode()
    return combine(
        "code",
        leaf("shape", shape),
        leaf("bytes", code.co_code),
        leaf("exceptions", getattr(code, "co_exceptiontable", b"")),
        *map(_const, code.co_consts),
    )


def _const(const: object) -> bytes:
    if isinstance(const, types.CodeType):
        return _digest(const)
    if isinstance(const, tuple):
        return combine("tuple", *map(_const, const))
    if isinstance(const, frozenset):
        return combine("frozenset", *sorted(map(_const, const)))
    return leaf(type(const).__name__, const if isinstance(const, bytes) else ascii(const).encode())


def _canonical(code: types.CodeType) -> types.CodeType:
    """Find the same code compiled without positions; the code itself where its source is not to be had."""
    text = "".join(linecache.getlines(code.co_filename))
    if not text:
        return code
    key = (code.co_firstlineno, code.co_name)
    for original, flat in _compiled(text, code.co_filename, code.co_flags & _FUTURE).get(key, ()):
        if original == code:
            return flat
    return code


_Pairs = dict[tuple[int, str], list[tuple[types.CodeType, types.CodeType]]]


@functools.lru_cache(maxsize=256)
def _compiled(text: str, filename: str, future: int) -> _Pairs:
    """Compile a source twice, with and without positions, and pair the code objects inside."""
    flags = future | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    pairs: _Pairs = {}
    try:
        for node, flat in zip(ast.parse(text).body, ast.parse(text).body, strict=True):
            for inner in ast.walk(flat):
                if hasattr(inner, "lineno"):
                    ast.copy_location(inner, _ORIGIN)
            both = (
                compile(ast.Module([n], []), filename, "exec", flags, dont_inherit=True) for n in (node, flat)
            )
            for original, bare in zip(*map(nested, both), strict=True):
                pairs.setdefault((original.co_firstlineno, original.co_name), []).append((original, bare))
    except (SyntaxError, ValueError):
        return {}
    return pairs


_ORIGIN = ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
