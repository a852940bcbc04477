"""The steps of byte code under names that they have in all versions of Python, two where Python joins two."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Step", "steps"]


class Step(NamedTuple):
    """One step; `size` is how much it adds to the stack, `goes` where it may jump to."""

    name: str
    what: Any
    number: int = 0
    size: int = 0
    offset: int = 0
    goes: int = -1


def steps(code: types.CodeType) -> Iterator[Step]:
    """Give the steps of one code object."""
    for step in dis.get_instructions(code):
        name, what = step.opname, step.argval
        if "_FAST" in name and isinstance(what, tuple):
            kinds = ["LOAD_FAST" if "LOAD" in kind else "STORE_FAST" for kind in name.split("_FAST")[:-1]]
            sizes = (1 if kind == "LOAD_FAST" else -1 for kind in kinds)
            yield from (
                Step(kind, one, 0, size, step.offset)
                for kind, one, size in zip(kinds, what, sizes, strict=False)
            )
            continue
        name = "LOAD_FAST" if name.startswith("LOAD_FAST") else name
        if name == "BINARY_OP" and step.argrepr == "[]":  # since Python 3.14
            name = "BINARY_SUBSCR"
        size = dis.stack_effect(step.opcode, step.arg, jump=False)
        jumps = "JUMP" in name or name in _JUMPS
        yield Step(name, what, step.arg or 0, size, step.offset, what if jumps else -1)


_JUMPS = {"FOR_ITER", "SEND"}
