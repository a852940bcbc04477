"""How a cached cell comes between IPython's parser and its runner.

A cell magic that ran its body by itself would lose top-level `await`, the `;` that
silences a value, line numbers and clean tracebacks. So the `%%cached` line is
taken off before the cell is parsed, and the shell's own `run_ast_nodes` is asked
to run what remains, or is not asked at all.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
from collections.abc import Iterator
from typing import Any

from lean_magic.errors import UsageError
from lean_magic.options import parse_options
from lean_magic.runner import Cell, Runner
from lean_magic.targets import Targets

__all__ = ["Interception", "split_magic"]

_MAGIC = "%%cached"


def split_magic(raw: str) -> tuple[str, str] | None:
    """Split a cell into the rest of its `%%cached` line and its body; None for any other cell."""
    lines = raw.lstrip("\n\r \t").splitlines(keepends=True)
    if not lines or lines[0].split(None, 1)[:1] != [_MAGIC]:
        return None
    return lines[0].strip()[len(_MAGIC) :].strip(), "".join(lines[1:])


class Interception:
    """Put into a shell by `%load_ext`, taken out by `%unload_ext`."""

    def __init__(self, shell: Any, runner: Runner) -> None:
        self.shell = shell
        self.runner = runner
        self._depth = 0

    def install(self) -> None:
        """Start taking cached cells."""
        self._original = self.shell.run_ast_nodes
        self.shell.run_ast_nodes = self.run_ast_nodes
        self.shell.input_transformer_manager.cleanup_transforms.insert(0, self.strip)

    def uninstall(self) -> None:
        """Leave the shell as it was."""
        vars(self.shell).pop("run_ast_nodes", None)
        transforms = self.shell.input_transformer_manager.cleanup_transforms
        if self.strip in transforms:
            transforms.remove(self.strip)

    def strip(self, lines: list[str]) -> list[str]:
        """Take the magic's line off a cell; a line with a mistake stays, and the magic itself tells."""
        found = split_magic("".join(lines))
        if found is None or self._depth:
            return lines
        return lines if _mistaken(found[0]) else found[1].splitlines(keepends=True)

    def run_nested(self, raw: str) -> Any:
        """Run a cached cell from inside another cell; gives IPython's result."""
        depth, self._depth = self._depth, 0
        try:
            return self.shell.run_cell(raw, store_history=False)
        finally:
            self._depth = depth

    async def run_ast_nodes(
        self, nodelist: list[ast.stmt], cell_name: str, *args: Any, **options: Any
    ) -> bool:
        """Stand in for `InteractiveShell.run_ast_nodes`."""
        self._depth += 1
        try:
            return await self._run(nodelist, cell_name, *args, **options)
        finally:
            self._depth -= 1

    @contextlib.contextmanager
    def _by_items(self, cell: Cell) -> Iterator[list[ast.stmt]]:
        """Give the statements to run: with --items, one call in them is taken item by item."""
        if not cell.options.items:
            yield list(cell.nodes)
            return
        from lean_magic.items import rewrite

        nodes = rewrite.rewritten(cell.nodes, cell.options.items)
        space = vars(builtins)
        space[rewrite.NAME] = rewrite.mapper
        try:
            yield nodes
        finally:
            space.pop(rewrite.NAME, None)

    async def _run(self, nodelist: list[ast.stmt], cell_name: str, *args: Any, **options: Any) -> bool:
        async def execute(nodes: list[ast.stmt] = nodelist) -> bool:
            return bool(await self._original(nodes, cell_name, *args, **options))

        result = options.get("result")
        info = getattr(result, "info", None)
        found = split_magic(info.raw_cell) if info is not None and self._depth == 1 else None
        self.runner.look(nodelist)
        if info is None or found is None or _mistaken(found[0]):
            targets = Targets()
            with targets.noting(nodelist, self.shell.user_ns) as nodes:
                raised = await execute(nodes)
            self.runner.notice(nodelist, targets)
            return raised
        cell = Cell(
            nodes=list(nodelist),
            source=found[1],
            options=parse_options(found[0]),
            cell_id=str(info.cell_id or ""),
            quiet=self.shell.displayhook.semicolon_at_end_of_expression(info.transformed_cell or ""),
            filename=cell_name,
            interactivity=str(options.get("interactivity", "last_expr")),
        )
        try:
            with self._by_items(cell) as nodes, cell.targets.noting(nodes, self.shell.user_ns) as nodes:
                return await self.runner.run(cell, lambda: execute(nodes))
        except UsageError as error:
            self.shell.show_usage_error(error)
            options["result"].error_in_exec = error
        except KeyboardInterrupt as error:
            # Ours alone: an interrupt inside the cell has been shown by IPython.
            options["result"].error_in_exec = error.with_traceback(None)
            self.shell.showtraceback((KeyboardInterrupt, error, None))
        return True


def _mistaken(line: str) -> bool:
    """Whether the line has a mistake; the magic itself, which then runs, tells which."""
    try:
        parse_options(line)
    except UsageError:
        return True
    return False
