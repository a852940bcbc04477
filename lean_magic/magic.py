"""`%%cached`, `%cached` and `%lean`: read the line, call the runner, print one line.

    In [1]: %load_ext lean_magic

    In [2]: %%cached
       ...: embeddings = model.encode(texts)
    ● ran 4 min 12 s · first run · stored 38 MB

Run it again, in this kernel or in any later one:

    In [2]: %%cached
       ...: embeddings = model.encode(texts)
    ✓ cached · saved 4 min 12 s · made 2 h ago · 38 MB
"""

from __future__ import annotations

import ast
from typing import Any

from IPython.core.error import UsageError as ShellUsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from lean_magic import kernel_report
from lean_magic.effects import files, rng
from lean_magic.errors import LeanMagicError, UsageError
from lean_magic.interception import Interception
from lean_magic.key.shell_calls import shell_call
from lean_magic.options import parse_options
from lean_magic.runner import Runner
from lean_magic.settings import LeanMagic
from lean_magic.values.origin import look_for_records, origin

__all__ = ["CachedMagics", "current", "load", "unload"]

_ATTRIBUTE = "_lean_magic"


@magics_class
class CachedMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: Any, runner: Runner) -> None:
        super().__init__(shell)
        self._runner = runner

    @cell_magic("cached")
    def cached_cell(self, line: str, cell: str) -> None:
        """Run a cell, or put back all it did when nothing that matters has changed.

        %%cached [NAME] [--depends EXPR] [--ignore NAME] [--drop NAME] [--ttl 12h]
                 [--items EXPR] [--refresh] [--readonly] [--off] [--quiet]

        NAME             a label for listings, never part of the key
        --depends EXPR   the value of EXPR enters the key (repeatable)
        --ignore NAME    leave this variable out of the key (repeatable)
        --drop NAME      do not store or restore this output (repeatable)
        --ttl 12h        an older entry is stale
        --items EXPR     when the cell runs, the call that has EXPR first computes only the items that are new
        --refresh        run, and replace the entry
        --readonly       look up, never store
        --off            just run
        --quiet          no status line
        """
        # Cells normally never come here (see interception.py): only mistaken lines and nested cells do.
        try:
            parse_options(line)
        except UsageError as error:
            raise ShellUsageError(str(error)) from None
        self._nested(f"%%cached {line}\n{cell}")

    @line_magic("cached")
    def cached_line(self, line: str) -> None:
        """Run one statement, or put back all it did: `%cached x = model.encode(texts)`."""
        if not line.strip():
            raise ShellUsageError("%cached needs a statement, as in: %cached x = f(y)")
        if line.lstrip().startswith("--"):
            raise ShellUsageError("%cached takes a statement and no options; a cell with %%cached takes them")
        self._nested(f"%%cached\n{line}\n")

    def _nested(self, raw: str) -> None:
        result = _interception(self.shell).run_nested(raw)
        if not result.success:
            # The traceback has been shown; the cell around must stop, quietly.
            raise _Stop

    @line_magic("lean")
    def lean_line(self, line: str) -> None:
        """Look after the cache: %lean ls | why | show | savings | clear | config."""
        from lean_magic import lean

        try:
            lean.run(self._runner, line)
        except LeanMagicError as error:
            raise ShellUsageError(str(error)) from None


class _Stop(Exception):
    """Ends the cell around a cached statement that raised."""

    def _render_traceback_(self) -> list[str]:
        return []


def load(shell: Any) -> None:
    """Put the magics into a shell; a second time changes nothing."""
    if getattr(shell, _ATTRIBUTE, None) is not None:
        return
    settings = LeanMagic(parent=shell)
    shell.configurables.append(settings)  # so that %config knows it
    runner = Runner(shell, settings)
    interception = Interception(shell, runner)
    interception.install()
    runner.notice_earlier()
    shell.register_magics(CachedMagics(shell, runner))
    setattr(shell, _ATTRIBUTE, interception)
    files.install_hook()
    look_for_records()
    _watch_generators(shell)
    kernel_report.start(shell)


def _watch_generators(shell: Any) -> None:
    rng.watch()
    inputs = list(map(str, shell.user_ns.get("In", [])))[1:]
    # The last cell is the one that loads the extension.
    if "seed" not in "\n".join(inputs) and all(map(_only_prepares, inputs[:-1])):
        rng.assume_unseeded()


def _only_prepares(text: str) -> bool:
    """Whether a cell only imports installed modules, and calls magics such as `%matplotlib inline`."""
    try:
        nodes = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return all(_imports(node) or _is_harmless(node) for node in nodes)


def _is_harmless(node: ast.stmt) -> bool:
    call = shell_call(node)
    return call is not None and (call.replayed or call.name in {"!", "%pip", "%conda"})


def _imports(node: ast.stmt) -> bool:
    names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
    return bool(names) and not any(name == "." or origin(name).own for name in names)


def unload(shell: Any) -> None:
    """Take the magics out again."""
    interception = getattr(shell, _ATTRIBUTE, None)
    if interception is None:
        return
    kernel_report.stop(shell)
    interception.uninstall()
    shell.configurables.remove(interception.runner.settings)
    setattr(shell, _ATTRIBUTE, None)
    for kind, name in (("cell", "cached"), ("line", "cached"), ("line", "lean")):
        shell.magics_manager.magics[kind].pop(name, None)


def _interception(shell: Any) -> Interception:
    interception = getattr(shell, _ATTRIBUTE, None)
    if interception is None:
        raise LeanMagicError("lean_magic is not loaded; run %load_ext lean_magic first")
    assert isinstance(interception, Interception)
    return interception


def current() -> Runner:
    """Find the runner of the shell this code runs in. Raises LeanMagicError where there is none."""
    from IPython import get_ipython

    return _interception(get_ipython()).runner
