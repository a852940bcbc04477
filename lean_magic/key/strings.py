"""Names reached through text: `df.query("a > @k")`, `eval("k + 1")`, `globals()["k"]`.

Where code calls something that looks names up in text, every word of every
string the code holds or reads that is a bound name counts as read. Where the
text itself is computed by a builtin's argument nobody can see, the cell runs.
"""

from __future__ import annotations

import ast
import re
import signal
import types
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from lean_magic.errors import Unresolvable
from lean_magic.key.syntax import below
from lean_magic.values.code import CodeFacts
from lean_magic.values.origin import is_a, module_of, origin

__all__ = ["check", "check_session", "finds_modules", "first_lookup", "refuse", "renamed", "words"]

# Methods that look up names standing in a text: pandas, numexpr, polars, duckdb, statsmodels, patsy.
_METHODS = {"query", "eval", "evaluate", "format_map", "sql", "execute", "dmatrix", "dmatrices"}
_FORMULAS = {"ols", "glm", "logit", "probit", "poisson", "gls", "wls", "mixedlm", "from_formula"}
_BUILTINS = {"eval", "exec", "globals", "locals", "compile", "__import__"}
_LOOKUPS = _METHODS | _FORMULAS | _BUILTINS
_HIDDEN = {"eval", "exec", "globals", "locals", "__import__"}
_ASK_BY_TEXT = {"getattr", "attrgetter", "methodcaller"}
_LIVE = {"input", "breakpoint"}
_PROGRAMS = {"subprocess", "Popen", "check_output", "check_call", "getoutput", "getstatusoutput"}
_OS = {"system", "popen", "spawnl", "spawnv", "execv", "execvp", "posix_spawn"}
_FRAMES = {"f_globals", "f_locals", "f_back", "_getframe", "currentframe", "__globals__"}
_EVERYTHING = {"get_objects", "get_referrers", "__subclasses__", "_current_frames"}
_SHARES = {"share_memory", "share_memory_", "SharedMemory", "ShareableList", "SharedMemoryManager"}
_TESTS = {"testmod", "loadTestsFromName", "loadTestsFromNames", "loadTestsFromModule", "TestProgram"}
_IMPORTS = {"modules", "import_module", "__import__"}
_WORD = re.compile(r"[^\W\d]\w*")
_READS = {
    "open",
    "read_text",
    "safe_load",
    "read_json",
    "read_table",
    "getenv",
    "environ",
}  # texts nobody sees
_OPEN_END = r"@\w*$"


def check(builtin: str) -> None:
    """Refuse a builtin that talks to the person at the keyboard. Raises Unresolvable."""
    if builtin in _LIVE:
        raise Unresolvable(f"{builtin}()", "asks the person at the keyboard", "ask in an uncached cell")


def check_session(name: str, value: Any, namespace: Mapping[str, Any]) -> None:
    """Refuse the notebook's own globals, and the running shell or what gives it, under whatever name."""
    if value is namespace:
        raise Unresolvable(name, "is the whole running session", "name the variables in the code")
    shell = getattr(value, "__self__", value) if is_a(value, types.MethodType) else value
    if is_a(shell, types.FunctionType):
        gives = shell.__name__ == "get_ipython" and not origin(module_of(shell)).own
    else:
        front = module_of(type(shell)).partition(".")[0] in {"IPython", "ipykernel"}
        gives = front and hasattr(type(shell), "run_cell")
    if gives:
        raise Unresolvable(
            "get_ipython()", "gives the cell the whole running session", "leave it to an uncached cell"
        )


def refuse(reached: CodeFacts) -> None:
    """Refuse code that reaches where nobody can follow. Raises Unresolvable."""
    idle = reached.idle
    modules = {one.module for one in reached.imports if not ({*one.names} or {one.module}) <= idle}
    said = {*reached.loads, *reached.attributes} - idle
    if said & _PROGRAMS or "subprocess" in modules or _calls_of_os(reached, said) & _OS:
        raise Unresolvable(
            "subprocess", "runs a program whose files nobody sees", "start it in an uncached cell"
        )
    signals = {"kill", "killpg"} & {chain[0] for chain in reached.loads.get("os", ()) if chain}
    signals |= said & {"raise_signal"}
    if signals and _handles_signals():
        why = "may send a signal that code of yours handles, and what that does nobody sees"
        raise Unresolvable(f"{min(signals)}()", why, "send it in an uncached cell")
    shares = said & _SHARES
    if shares:
        raise Unresolvable(
            f"{min(shares)}()", "shares memory with other processes", "leave it to an uncached cell"
        )
    frames = (said | reached.strings) & _FRAMES
    if frames:
        what = "looks into the variables of who calls it"
        raise Unresolvable(min(frames), what, "pass them as arguments, or leave it to an uncached cell")
    everything = said & _EVERYTHING
    if everything:
        what = "finds objects that nothing here names"
        raise Unresolvable(f"{min(everything)}()", what, "name them in the code")
    tests = said & _TESTS or (
        {"main"} if any("main" in chain[:1] for chain in reached.loads.get("unittest", ())) else set()
    )
    if tests:
        what = "looks for tests in all that the session holds"
        raise Unresolvable(f"{min(tests)}()", what, "leave it to an uncached cell")
    if {"getpass", "getch"} & reached.attributes or () in reached.loads.get("getpass", ()):
        raise Unresolvable("getpass()", "asks the person at the keyboard", "ask in an uncached cell")
    loads = said & {"load", "loads", "Unpickler", "read_pickle"}
    if (
        (loads and any("__main__" in text for text in reached.strings))
        or "__main__" in modules
        or (said & _IMPORTS and "__main__" in reached.strings)
        or (finds_modules(reached) and "__name__" in said)
    ):
        raise Unresolvable("__main__", "is the whole running session", "name the variables in the code")


def _handles_signals() -> bool:
    """Whether code of the user's handles a signal."""
    handlers = map(signal.getsignal, signal.valid_signals())
    return any(callable(one) and origin(str(getattr(one, "__module__", ""))).own for one in handlers)


def _calls_of_os(reached: CodeFacts, said: set[str]) -> set[str]:
    """Give what code may call of `os`: by that name, or of a module that a function imports for itself."""
    if "os" not in said | {imported.module for imported in reached.imports}:
        return set()
    of_others = {
        word for name, chains in reached.loads.items() if name != "os" for chain in chains for word in chain
    }
    return {chain[0] for chain in reached.loads.get("os", ()) if chain} | (said - of_others)


def finds_modules(reached: CodeFacts) -> bool:
    """Whether code looks modules up, as `sys.modules[__name__]` does; a class says `__name__`, a model `modules()`."""
    of_sys = any(chain[:1] == ("modules",) for chain in reached.loads.get("sys", ()))
    return of_sys or not {"modules", "import_module", "__import__"}.isdisjoint(reached.loads)


def first_lookup(nodes: Sequence[ast.stmt]) -> int:
    """Find the first statement that may look names up in text, at once or in a function it defines; -1: none."""
    looking = (
        place
        for place, node in enumerate(nodes)
        if any(map(_looks_up, below([node], ast.Call, ast.Attribute, ast.Name)))
    )
    return next(looking, -1)


def _looks_up(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"dir", "vars"}:
        return not node.args  # all names; with an argument those of an object
    return getattr(node, "attr", getattr(node, "id", "")) in _LOOKUPS


def renamed(reached: CodeFacts, functions: Collection[str]) -> set[str]:
    """Name what looks names up in text and may be called by another name than its own: met as values, or asked for.

    Raises Unresolvable for builtins, of which nobody can tell what they are given.
    """
    asked = reached.strings if _ASK_BY_TEXT & {*reached.loads, *reached.attributes} else set[str]()
    hidden = {name for name in _HIDDEN if f"builtins.{name}" in functions}
    if {"builtins", "__builtins__"} & {*reached.loads, *reached.attributes}:
        hidden |= _HIDDEN & asked
    if hidden:
        name = min(hidden)
        why = "is called by another name, or by a library, so nobody can tell which names it looks up"
        raise Unresolvable(f"{name}()", why, "call it by its own name, or leave this to an uncached cell")
    return (_METHODS | _FORMULAS) & {*functions, *asked}


def words(
    reached: CodeFacts,
    texts: Iterable[str],
    namespace: Mapping[str, Any],
    assigned: Iterable[str] = (),
    others: Collection[str] = (),
) -> set[str]:
    """Give the words that may be looked up as names in text; none where nothing looks names up in text.

    `texts` are the texts among the inputs, `assigned` the names that the cell binds itself, `others` what
    looks names up and is called by another name. Raises Unresolvable where the text is computed.
    """
    unknown = {
        name for name in reached.texts if name in set(assigned) or not isinstance(namespace.get(name), str)
    }
    computed = reached.opaque | ({"eval"} if unknown else set())
    if computed:
        name = min(computed)
        raise Unresolvable(f"{name}()", "looks up names that only running can tell", "name them in the code")
    said = reached.attributes | set(reached.loads)
    if not said & _LOOKUPS and not others:
        return set()
    known = [*reached.strings, *texts]
    composed = reached.composed or bool(reached.queried & set(assigned))
    is_open = (composed or others) and any(re.search(_OPEN_END, text) for text in known)
    if is_open or (composed and not said.isdisjoint(_READS)):
        raise Unresolvable("query()", "looks up a name that is put together", "write the name into the text")
    return {word for text in known for word in _WORD.findall(text)}
