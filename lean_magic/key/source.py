"""Cell text → what it reads, binds, deletes and imports, and a digest blind to layout.

The flow through the cell is followed statement by statement with two sets: the
names *surely* bound so far and those *possibly* bound. A name read while surely
bound is the cell's own; one read while not even possibly bound comes from
before the cell; in between nobody can tell without running, so such names are
compared only with entries whose run found them bound (see `runner`).

The body of a function counts where its name is used, since it cannot run earlier.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lean_magic.key.bindings import (
    bound_in,
    captures,
    catches,
    harmless,
    leaves,
    pattern_expressions,
    stored,
    targets,
    walrus,
)
from lean_magic.key.shell_calls import ShellCall, shell_call
from lean_magic.key.strings import first_lookup
from lean_magic.key.syntax import below, compiled, digest_of
from lean_magic.values.code import CodeFacts, Import, facts, own_facts

__all__ = ["Analysis", "Read", "analyse"]


@dataclass(slots=True, repr=False, eq=False)
class Read:
    """How a cell reads one name: what was bound by then, and the attributes it takes from it."""

    surely: frozenset[str]
    possibly: frozenset[str]
    chains: set[tuple[str, ...]] = field(default_factory=set)


@dataclass(slots=True, repr=False, eq=False)
class Analysis:
    """What the text of a cell says about its inputs and outputs."""

    digest: str
    reads: dict[str, Read] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    order: dict[str, int] = field(default_factory=dict)  # statement in which a name is first bound
    looks_up: int = -1  # first statement that may look names up in text; -1: none, but a function may
    surely: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    imports: list[tuple[Import, dict[str, str]]] = field(default_factory=list)
    facts: CodeFacts = field(default_factory=CodeFacts)
    shell_calls: list[ShellCall] = field(default_factory=list)
    catches_name_errors: bool = False


def analyse(nodes: Sequence[ast.stmt], quiet: bool = False) -> Analysis:
    """Analyse the statements of a cell; `quiet` tells that a `;` ends it.

    Raises SyntaxError for what parses but does not compile (a `return` outside a function).
    """
    # A `;` silences a value, and there is none after anything but an expression.
    found = Analysis(digest_of(nodes, quiet=quiet and bool(nodes) and isinstance(nodes[-1], ast.Expr)))
    flow = _Flow(found)
    for flow.position, node in enumerate(nodes):
        flow.statement(node)
    found.surely = set(flow.surely)
    found.looks_up = first_lookup(nodes)
    found.catches_name_errors = any(map(catches, below(nodes, ast.With, ast.AsyncWith, ast.Try, ast.TryStar)))
    return found


class _Flow:
    """Follows the statements of a cell; one method a kind of statement."""

    def __init__(self, found: Analysis) -> None:
        self.found = found
        self.position = 0
        self.surely: frozenset[str] = frozenset()
        self.possibly: frozenset[str] = frozenset()
        self._bodies: dict[str, CodeFacts] = {}
        self._open: set[str] = set()

    def block(self, nodes: Iterable[ast.stmt]) -> None:
        for node in nodes:
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is not None:
            method(node)
        elif not isinstance(node, (ast.Pass, ast.Break, ast.Continue, ast.Global)):
            self._simple(node)

    # -- reading and binding ------------------------------------------------

    def _simple(self, node: ast.stmt) -> None:
        call = shell_call(node)
        if call is not None:
            self.found.shell_calls.append(call)
            self.block(call.body)
            self._bind(call.binds)
            return
        self._imports(node)
        self._note(facts(compiled(node)), targets(node))

    def _expression(self, *nodes: ast.expr | None) -> None:
        for node in nodes:
            if node is not None:
                self._note(facts(compiled(ast.copy_location(ast.Expr(node), node))), walrus(node))

    def _note(self, said: CodeFacts, sure: Iterable[str] = ()) -> None:
        """Note what a piece of code reads and binds; only the `sure` names are bound whatever happens."""
        self.found.facts.merge(said)
        for name, chains in said.loads.items():
            self._read(name, chains)
        self._bind(said.stores.intersection(sure))
        # A walrus may stand where evaluation does not come by.
        maybe = said.stores - said.deletes - self.surely
        self.possibly |= maybe
        self._assigned(maybe)
        self._unbind(said.deletes)

    def _read(self, name: str, chains: set[tuple[str, ...]]) -> None:
        read = self.found.reads.get(name)
        if read is None:
            self.found.reads[name] = Read(self.surely, self.possibly, set(chains))
        else:
            read.surely &= self.surely
            read.possibly &= self.possibly
            read.chains |= chains
        self._use(name)

    def _use(self, name: str) -> None:
        """Count the body of a function as read, now that it may be called."""
        body = self._bodies.get(name)
        if body is None or name in self._open:
            return
        self._open.add(name)
        for inner, chains in body.loads.items():
            self._read(inner, chains)
        self._open.discard(name)
        self.possibly |= body.stores
        self._assigned(body.stores)

    def _use_maybe(self, name: str) -> None:
        """Count the body as read if something calls it at once, which only running can tell."""
        before = self.possibly
        self.possibly |= set(self._bodies[name].loads)
        self._use(name)
        self.possibly = before

    def _bind(self, names: Iterable[str]) -> None:
        self.surely |= set(names)
        self.possibly |= set(names)
        self._assigned(names)

    def _assigned(self, names: Iterable[str]) -> None:
        for name in names:
            self.found.assigned.add(name)
            self.found.order.setdefault(name, self.position)

    def _unbind(self, names: Iterable[str]) -> None:
        self.surely -= set(names)
        self.found.deleted |= set(names)

    def _target(self, node: ast.expr | None) -> None:
        """Bind an assignment target, reading what it indexes or whose attribute it sets."""
        if node is None:
            return
        value = ast.copy_location(ast.Constant(None), node)
        self._note(facts(compiled(ast.copy_location(ast.Assign([node], value), node))), stored(node))

    def _imports(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                whole = alias.name if alias.asname else bound
                self.found.imports.append((Import(alias.name, 0), {bound: whole}))
        elif isinstance(node, ast.ImportFrom):
            names = {alias.asname or alias.name: alias.name for alias in node.names}
            self.found.imports.append((Import(node.module or "", node.level, tuple(names.values())), names))

    # -- definitions --------------------------------------------------------

    def _functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        whole = compiled(node)
        self._note_outer(whole)
        self._bodies.setdefault(node.name, CodeFacts()).merge(_bodies_in(whole, node.name))
        if node.decorator_list:
            self._use_maybe(node.name)
        self._bind([node.name])

    _asyncfunctiondef = _functiondef

    def _classdef(self, node: ast.ClassDef) -> None:
        whole = compiled(node)
        self._note_outer(whole)
        inside = next(
            code for code in whole.co_consts if isinstance(code, types.CodeType) and code.co_name == node.name
        )
        said = _own_facts(inside)
        for name, chains in said.loads.items():
            self._read(name, chains)
        self._bodies.setdefault(node.name, CodeFacts()).merge(_bodies_in(inside, None))
        # A base, a metaclass or a decorator may call the new methods at once.
        if node.decorator_list or node.bases or node.keywords:
            self._use_maybe(node.name)
        self._bind([node.name])

    def _note_outer(self, whole: types.CodeType) -> None:
        self.found.facts.merge(facts(whole))
        said = _own_facts(whole)
        for name, chains in said.loads.items():
            self._read(name, chains)

    # -- compound statements ------------------------------------------------

    def _if(self, node: ast.If) -> None:
        self._expression(node.test)
        self._branches([node.body, node.orelse])

    def _branches(self, blocks: Sequence[Sequence[ast.stmt]]) -> None:
        surely, possibly = self.surely, self.possibly
        ends: list[frozenset[str]] = []
        for block in blocks:
            self.surely = surely
            self.block(block)
            if not leaves(block):
                ends.append(self.surely)
            possibly |= self.possibly
        self.surely = frozenset.intersection(*ends) if ends else self.surely
        self.possibly = possibly

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        self._expression(node.iter)
        self._loop(bound_in(node), node.target, node)

    _asyncfor = _for

    def _while(self, node: ast.While) -> None:
        self._expression(node.test)
        self._loop(bound_in(node), None, node)

    def _loop(
        self, bound: set[str], target: ast.expr | None, node: ast.For | ast.AsyncFor | ast.While
    ) -> None:
        before = self.surely
        self.possibly |= bound
        self._target(target)
        self.block(node.body)
        self.surely = before
        self.block(node.orelse)
        self.surely = before

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        before: frozenset[str] | None = None
        for item in node.items:
            entered = type(node)([ast.withitem(item.context_expr)], [ast.copy_location(ast.Pass(), node)])
            self._note(facts(compiled(ast.copy_location(entered, node))), walrus(item.context_expr))
            self._target(item.optional_vars)
            if before is None and not harmless(item.context_expr):
                before = self.surely
        self.block(node.body)
        # A context manager may swallow an exception, so what follows it may have stopped anywhere.
        if before is not None:
            self.surely = before

    _asyncwith = _with

    def _try(self, node: ast.Try) -> None:
        before = self.surely
        self.block([*node.body, *node.orelse])
        ends = [] if leaves(node.body) else [self.surely]
        for handler in node.handlers:
            self.surely = before
            self._expression(handler.type)
            self._bind([handler.name] if handler.name else [])
            self.block(handler.body)
            self._unbind([handler.name] if handler.name else [])
            if not leaves(handler.body):
                ends.append(self.surely)
        after = frozenset.intersection(*ends) if ends else before
        self.surely = before
        self.block(node.finalbody)
        self.surely = after | self.surely

    _trystar = _try

    def _match(self, node: ast.Match) -> None:
        self._expression(node.subject)
        before = self.surely
        for case in node.cases:
            self.surely = before
            self._expression(*pattern_expressions(case.pattern))
            self._bind(captures(case.pattern))
            self._expression(case.guard)
            self.block(case.body)
        self.surely = before


def _own_facts(code: types.CodeType) -> CodeFacts:
    """Facts of one code object and the comprehensions in it, but not of the functions it defines."""
    found = own_facts(code)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType) and inner.co_name.startswith("<"):
            found.merge(facts(inner))
    return found


def _bodies_in(whole: types.CodeType, name: str | None) -> CodeFacts:
    """Say what the functions defined directly in `whole` look up once they are called."""
    found = CodeFacts()
    for inner in whole.co_consts:
        if (
            isinstance(inner, types.CodeType)
            and not inner.co_name.startswith("<")
            and name in {None, inner.co_name}
        ):
            found.merge(facts(inner))
    return found
