"""Names reached through text: `df.query("a > @k")`, `eval("k + 1")`, `globals()["k"]`.

Where code calls something that looks names up in text, every word of every
string the code holds or reads that is a bound name counts as read. Where the
text itself is computed by a builtin's argument nobody can see, the cell runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lean_magic.errors import Unresolvable
from lean_magic.values.code import CodeFacts

__all__ = ["check", "names", "refuse"]

_METHODS = {"query", "eval", "evaluate", "format_map"}
_BUILTINS = {"eval", "exec", "globals", "locals", "vars", "compile", "__import__"}
_LIVE = {"input", "breakpoint"}
_PROGRAMS = {"subprocess", "Popen", "check_output", "check_call", "getoutput", "getstatusoutput"}
_OS = {"system", "popen", "spawnl", "spawnv", "execv", "execvp", "posix_spawn"}
_FRAMES = {"f_globals", "f_locals", "f_back", "_getframe", "currentframe"}
_WORD = re.compile(r"[^\W\d]\w*")


def check(builtin: str) -> None:
    """Refuse a builtin that talks to the person at the keyboard. Raises Unresolvable."""
    if builtin in _LIVE:
        raise Unresolvable(f"{builtin}()", "asks the person at the keyboard", "ask in a cell of its own")


def refuse(reached: CodeFacts) -> None:
    """Refuse code that reaches where nobody can follow. Raises Unresolvable."""
    modules = {imported.module for imported in reached.imports}
    said = set(reached.loads) | reached.attributes
    if said & _PROGRAMS or "subprocess" in modules or ("os" in said | modules and said & _OS):
        raise Unresolvable(
            "subprocess", "runs a program whose files nobody sees", "start it in a cell of its own"
        )
    if said & _FRAMES:
        raise Unresolvable(min(said & _FRAMES), "looks into the caller's variables", "pass them as arguments")
    if {"getpass", "getch"} & said:
        raise Unresolvable("getpass()", "asks the person at the keyboard", "ask in a cell of its own")
    if "__main__" in modules:
        raise Unresolvable("__main__", "is the whole running session", "name the variables in the code")


def names(reached: CodeFacts, texts: Iterable[str], namespace: Mapping[str, Any]) -> list[str]:
    """List the bound names that text may look up; empty where nothing looks names up in text.

    Raises Unresolvable where the text is computed.
    """
    computed = reached.opaque - {"os.environ"}
    if computed:
        name = min(computed)
        raise Unresolvable(f"{name}()", "looks up names that only running can tell", "name them in the code")
    if not (reached.attributes & _METHODS or set(reached.loads) & _BUILTINS):
        return []
    words = {word for text in [*reached.strings, *texts] for word in _WORD.findall(text)}
    return sorted(word for word in words if word in namespace and not word.startswith("_"))
