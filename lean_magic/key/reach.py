"""From the names a cell reads to the code and data behind them, transitively.

Each global that is reached, by the cell or by a function it reaches, becomes one
part, so that a miss can name it. A part is *sure* if the cell certainly reads it
from before, and *possible* if the cell may have bound the name itself first.
"""

from __future__ import annotations

import builtins
import operator
import sys
import types
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lean_magic.errors import Unresolvable
from lean_magic.key import modules, strings
from lean_magic.key.kept_state import given_back
from lean_magic.key.parts import UNBOUND, Part, in_order, label_of, part_of
from lean_magic.key.patches import Patches
from lean_magic.key.process import Settings
from lean_magic.key.source import Analysis, Read
from lean_magic.values import Ref, Walk
from lean_magic.values.code import CodeFacts, Import, facts
from lean_magic.values.fingerprint import leaf
from lean_magic.values.origin import is_a, is_stand_in, origin, package_version
from lean_magic.values.owners import SETTERS, is_no_builtin, is_patch
from lean_magic.values.spelled import spelled_in

__all__ = ["Part", "Reach"]

_BUILTINS = dict(vars(builtins))
_FEW = 1000  # texts among the inputs that are looked through for names in local modules: a configuration, no corpus


@dataclass(slots=True, repr=False, eq=False)
class _Todo:
    """A name to be resolved, and those the cell has bound by then."""

    ref: Ref
    surely: frozenset[str]
    possibly: frozenset[str]


@dataclass(slots=True, repr=False, eq=False)
class Reach:
    """Collects the parts of one key; `namespace` is the notebook's globals."""

    namespace: dict[str, Any]
    ignore: frozenset[str] = frozenset()
    patches: Patches = field(default_factory=Patches)
    walk: Walk = field(default_factory=Walk)
    sure: dict[str, Part] = field(default_factory=dict)
    possible: dict[str, Part] = field(default_factory=dict)
    unloaded: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)
    for_loading: set[str] = field(default_factory=set)  # parts that count only while modules are not loaded
    pending: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    facts: CodeFacts = field(default_factory=CodeFacts)
    loading: CodeFacts = field(default_factory=CodeFacts)  # of modules that the cell will load
    settings: Settings = field(default_factory=Settings)
    _refs: dict[str, frozenset[Ref]] = field(default_factory=dict)
    _found_loaded: set[str] = field(default_factory=set)
    _read: int = 0  # so many of the code objects met have told their facts
    _queue: deque[_Todo] = field(default_factory=deque)
    _done: dict[Ref, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)

    def follow(self, found: Analysis) -> None:
        """Add everything that the cell's names reach. Raises Unfingerprintable or Unresolvable."""
        self.walk.spaces["__main__"] = self.namespace
        self.facts.merge(found.facts)
        for name, read in sorted(found.reads.items()):
            self._add((Ref("__main__", name, chain) for chain in sorted(read.chains)), read)
        self.follow_imports(found)
        self._follow_texts(found)

    def _follow_texts(self, found: Analysis) -> None:
        """Add what texts name, and what the texts of that name, until nothing new comes of it."""
        before: tuple[int, ...] = ()
        while before != self._met():
            before = self._met()
            for code in self.walk.codes[self._read :]:
                self.facts.merge(facts(code))
            self._read = len(self.walk.codes)
            strings.refuse(self.facts)
            others = strings.renamed(self.facts, self.walk.functions)
            self._look_up(
                strings.words(self.facts, self.walk.words, self.namespace, found.assigned, others), found
            )
            self._find_modules()
            self._drain()
        if strings.finds_modules(self.facts) or not self.facts.attributes.isdisjoint(_FINDERS):
            for name in modules.loaded_own():
                self._named_module(name, "*")
            self._drain()
            self._read = len(self.walk.codes)  # of all that they hold, hardly anything will run

    def _met(self) -> tuple[int, ...]:
        return tuple(map(len, (self.walk.codes, self.walk.words, self.walk.spaces, self.walk.functions)))

    def _look_up(self, words: set[str], found: Analysis) -> None:
        """Count what the words of texts name, in the notebook and in the modules whose code may look them up."""
        for name in sorted(words & self.namespace.keys()):
            # A name that is bound before any text is looked into is the cell's own.
            bound = name in found.surely and found.order.get(name, 0) < found.looks_up
            self._add([Ref("__main__", name)], Read(frozenset({name} if bound else ()), frozenset()))
        for label, space in list(self.walk.spaces.items()) if words else ():
            if label != "__main__":
                inner = (name for name in sorted(words & space.keys()) if not name.startswith("__"))
                self._add([Ref(label, name) for name in inner], Read(frozenset(), frozenset()))

    def _find_modules(self) -> None:
        """Count what texts spell of local modules, and what code asks about modules by their names."""
        words = self.walk.words if len(self.walk.words) <= _FEW else set[str]()
        for name, member in spelled_in(self.facts.strings | words):
            self._named_module(name, member)
        for name, told in modules.asked(self.facts, self.walk.words, words).items():
            self.sure[name] = Part(leaf("found", told.encode()).hex(), told)

    def _named_module(self, name: str, member: str) -> None:
        self._add([Ref(self.walk.label(vars(sys.modules[name])), member)], Read(frozenset(), frozenset()))

    def follow_imports(self, found: Analysis) -> None:
        """Add what the cell's own import statements bring."""
        top = [imported for imported, _ in found.imports]
        inner: list[tuple[Import, dict[str, str]]] = [
            (imported, {}) for imported in found.facts.imports if imported not in top
        ]
        for imported, names in [*found.imports, *inner]:
            self._import(imported, found, names)
        self._drain()

    def finish(self, found: Analysis | None = None) -> None:
        """Add what follows from all that was reached: what modules find as they load, versions, patches, texts."""
        before = set(self.sure)
        for module in sorted(self._found_loaded):
            self._named_module(module, "*")
        self._drain()
        self.for_loading = self.sure.keys() - before
        self._patches()
        if found is not None and len(self.walk.codes) > self._read:
            self._follow_texts(found)
        self._packages()

    def everything(self) -> CodeFacts:
        """Give what all code says that runs: that reached now, and that of modules which the cell will load."""
        said = CodeFacts()
        said.merge(self.facts)
        said.merge(self.loading)
        return said

    # -- the queue -------------------------------------------------------------

    def _add(self, refs: Iterable[Ref], read: Read | _Todo) -> None:
        self._queue.extend(_Todo(ref, read.surely, read.possibly) for ref in refs)

    def _drain(self) -> None:
        while self._queue:
            todo = self._queue.popleft()
            if todo.ref.name not in self.ignore or todo.ref.space != "__main__":
                self._visit(todo)

    def _visit(self, todo: _Todo) -> None:
        own = todo.ref.space == "__main__"
        if own and todo.ref.name in todo.surely:
            return
        before = self._done.get(todo.ref)
        if before is not None:
            todo.surely, todo.possibly = todo.surely & before[0], todo.possibly & before[1]
            if (todo.surely, todo.possibly) == before:
                return
        self._done[todo.ref] = (todo.surely, todo.possibly)
        parts = self.possible if own and todo.ref.name in todo.possibly else self.sure
        self._resolve(todo, parts)

    def _resolve(self, todo: _Todo, parts: dict[str, Part]) -> None:
        ref, space = todo.ref, self.walk.spaces.get(todo.ref.space, {})
        if ref.name.startswith("import "):
            self._import_in_function(ref, todo)
        elif ref.name == "*":
            self._add((Ref(ref.space, name) for name in sorted(space) if name not in _BY_PYTHON), todo)
        elif ref.name in space:
            self._value(todo, space[ref.name], parts)
        elif hasattr(builtins, ref.name):
            self._builtin(ref, todo, parts)
        else:
            parts.setdefault(label_of(ref), Part(UNBOUND, "not bound"))

    # -- what a name stands for -----------------------------------------------

    def _value(self, todo: _Todo, value: Any, parts: dict[str, Part]) -> None:
        ref = todo.ref
        if is_a(value, types.ModuleType):
            self._module(todo, value, parts)
        else:
            strings.check_session(ref.name, value, self.namespace)
            self._part(label_of(ref), value, todo, parts)

    def _part(self, label: str, value: Any, todo: _Todo, parts: dict[str, Part]) -> None:
        known = self.sure.get(label) or self.possible.get(label)
        if known is not None:
            refs = self._refs.get(label, frozenset())
            parts[label] = known
        else:
            found = self.walk.fingerprint(label, value)
            refs = found.refs
            self._refs[label] = refs
            parts[label] = part_of(found.digest, found.text, value)
        if parts is self.sure:
            self.possible.pop(label, None)
        self._add(sorted(refs, key=in_order), todo)

    def _builtin(self, ref: Ref, todo: _Todo, parts: dict[str, Part]) -> None:
        """Count a builtin that somebody replaced, unless it is the front end's own."""
        value = getattr(builtins, ref.name)
        strings.check(ref.name)
        if is_no_builtin(value) and value is not _BUILTINS.get(ref.name):
            self._part(f"builtins.{ref.name}", value, todo, parts)

    # -- modules -----------------------------------------------------------------

    def _module(self, todo: _Todo, module: types.ModuleType, parts: dict[str, Part]) -> None:
        """Follow attributes through modules until something else is found.

        Whether a submodule is loaded already must not show: installed code counts by its version alone.
        """
        if not todo.ref.name.startswith("import "):
            named = Part(leaf("module", module.__name__.encode()).hex(), f"module {module.__name__}")
            parts.setdefault(label_of(todo.ref), named)
        value: Any = module
        path = module.__name__
        for name in todo.ref.attrs:
            if name not in vars(value):
                break
            owner, value = value, vars(value)[name]
            if not isinstance(value, types.ModuleType):
                self._attribute(todo, owner, name, value)
                return
            path = value.__name__
        self._whole(todo, value, path)

    def _attribute(self, todo: _Todo, owner: types.ModuleType, name: str, value: Any) -> None:
        if origin(owner.__name__).own:
            self._add([Ref(self.walk.label(vars(owner)), name)], todo)
            return
        if owner is builtins and todo.ref.name != "builtins":
            self.walk.functions.add(f"builtins.{name}")
        self.walk.use_module(owner.__name__)
        parts = self.possible if modules.is_plain(value) else self.sure
        if parts is self.possible or is_patch(owner, value):
            self._part(f"{owner.__name__}.{name}", value, todo, parts)

    def _whole(self, todo: _Todo, module: types.ModuleType, path: str) -> None:
        """Count a module as a whole, or one whose attribute is not there yet: a submodule loaded when used."""
        if origin(path).own and path != "__main__":
            self._add([Ref(self.walk.label(vars(module)), "*")], todo)
        elif path == "__main__":
            self._notebook(todo)
        elif todo.ref.attrs:
            self.pending.add((module.__name__, todo.ref.attrs))
        self.walk.use_module(path)

    def _notebook(self, todo: _Todo) -> None:
        """Count a name asked of the notebook as of a module, which is not there; as a whole it is anything."""
        if not todo.ref.attrs:
            raise Unresolvable("__main__", "is the whole running session", "name the variables in the code")
        self._add([Ref("__main__", todo.ref.attrs[0])], Read(frozenset(), frozenset()))

    def _import(self, imported: Import, found: Analysis, names: dict[str, str]) -> None:
        """Count what an import statement of the cell brings, loaded or not."""
        name = modules.absolute(imported, str(self.namespace.get("__package__") or ""))
        read = Read(frozenset(), frozenset())
        for bound, original in names.items():
            used = found.reads[bound].chains if bound in found.reads else set()
            if imported.names:
                self._imported(name, {(original, *chain) for chain in used or {()}}, read)
            else:  # `import a.b` binds `a`
                self._imported(name, used, read, below=original)
        if not names:
            self._imported(name, (), read)

    def _imported(
        self, name: str, chains: Iterable[tuple[str, ...]], read: Read | _Todo, below: str = ""
    ) -> None:
        """Count a module that is imported, and what is taken from it, or from the package it lies in."""
        if sys.modules.get(name) is None:
            self._unloaded(name)
            told = () if name in self.unloaded else filter(None, chains)
            self.pending.update((below or name, chain) for chain in told)
            return
        live = sys.modules.get(below, sys.modules[name])
        for chain in sorted(chains) or [()]:
            todo = _Todo(Ref("__main__", f"import {name}", chain), read.surely, read.possibly)
            if is_stand_in(below or name, live):
                self._part(f"sys.modules[{name!r}]", live, todo, self.sure)
            else:
                self._module(todo, live, self.sure)

    def _import_in_function(self, ref: Ref, todo: _Todo) -> None:
        package, *names = ref.attrs
        text = ref.name.removeprefix("import ")
        name = modules.absolute(Import(text.lstrip("."), len(text) - len(text.lstrip("."))), package)
        self._imported(name, [(taken,) for taken in names], todo)

    def _unloaded(self, name: str) -> None:
        """Count a module that is not loaded yet: a local one by the sources it would load, and what those find."""
        for found, source in modules.closure(name).items():
            if source is not None:
                self.unloaded.add(name)
                self.sure[f"module {found}"] = Part(source.digest, f"source of {found}")
                if "__file__" in source.said.loads:
                    place = modules.place_of(found)
                    self.sure[f"module {found}: place"] = Part(leaf("place", place.encode()).hex(), place)
                self.loading.merge(source.said)
            elif found == "__main__":
                raise Unresolvable(f"module {name}", "imports the notebook itself", "pass it what it needs")
            elif origin(found).own and sys.modules.get(found) is not None:
                self._found_loaded.add(found)
            elif origin(found).kind != "python":
                self.outside.add(found.partition(".")[0])

    # -- the end --------------------------------------------------------------------

    def _patches(self) -> None:
        words = self.facts.attributes | self.facts.loads.keys()
        self.patches.note(self.facts.sets, self.namespace, hidden=not SETTERS.isdisjoint(words))
        packages = {name.partition(".")[0] for name in self.walk.modules} | self.walk.standard | self.outside
        set_here = self.settings.functions(self.walk.modules | self.outside, self.everything())
        given = [*self.patches.of(packages), *((f"set {label}", value) for label, value in set_here.items())]
        given += given_back(self.facts, self.walk.spaces.values())
        for label, value in sorted(given, key=operator.itemgetter(0)):
            self._part(label, value, _Todo(Ref("", label), frozenset(), frozenset()), self.sure)
        self._drain()

    def _packages(self) -> None:
        for package in sorted({name.partition(".")[0] for name in self.walk.modules} | self.outside):
            version = package_version(package)
            self.sure[f"package {package}"] = Part(leaf("version", version.encode()).hex(), version)


# What Python itself binds in a module.
_BY_PYTHON = frozenset({
    "__annotations__", "__builtins__", "__cached__", "__doc__", "__file__", "__loader__", "__name__", "__package__",
    "__path__", "__spec__", "__warningregistry__",
})  # fmt: skip
_FINDERS = frozenset({"import_module", "locate", "resolve_name"})  # of modules, by texts
