"""Whether what looks names up in text is given a text that stands right there, told from the steps of byte code."""

from __future__ import annotations

import dis

__all__ = ["is_opaque", "is_searched", "stands_there"]

_NAMES_ONE = {"LOAD_CONST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_FAST", "LOAD_DEREF"}
_SUBSCRIPTS = {"BINARY_SUBSCR", "STORE_SUBSCR", "DELETE_SUBSCR", "COPY"}


def is_opaque(name: str, top: bool, after: list[dis.Instruction]) -> bool:
    """Whether a builtin that looks names up is given anything but a text standing right there."""
    kinds = [step.opname for step in after]
    if name == "dir":  # without an argument it lists the notebook's names
        return top and kinds[:1] == ["CALL"] and after[0].arg == 0
    if name in {"globals", "locals", "vars"}:
        if kinds[:1] != ["CALL"]:
            return name == "globals"
        return not _is_literal(after[1:]) and (top or name == "globals")
    return not (
        kinds[:2] == ["LOAD_CONST", "CALL"]
        or (kinds[:1] in (["LOAD_NAME"], ["LOAD_GLOBAL"]) and kinds[1:2] == ["CALL"])
    )


def is_searched(after: list[dis.Instruction]) -> bool:
    """Whether something is looked for among the names, as in `"k" in globals()`."""
    return [step.opname for step in after[:2]] == ["CALL", "CONTAINS_OP"] and not after[0].arg


def stands_there(after: list[dis.Instruction]) -> bool:
    """Whether a method is given a text or a variable, not something put together on the spot."""
    if not after or after[0].opname not in _NAMES_ONE:
        return False
    return all(step.opname in {*_NAMES_ONE, "KW_NAMES"} for step in after[: _call_at(after)])


def _is_literal(after: list[dis.Instruction]) -> bool:
    """Whether a dict of names is asked for a text that stands there as it is, as in `globals().get("k")`."""
    kinds = [step.opname for step in after]
    if kinds[:1] == ["LOAD_CONST"]:
        return kinds[1] in _SUBSCRIPTS
    if not after or after[0].argval not in {"get", "pop", "setdefault"} or kinds[1:2] != ["LOAD_CONST"]:
        return False
    return kinds[2:3] == ["CALL"] or (kinds[2].startswith("LOAD_") and kinds[3:4] == ["CALL"])


def _call_at(steps: list[dis.Instruction]) -> int:
    return next((index for index, step in enumerate(steps) if step.opname.startswith("CALL")), len(steps))
