"""The steps of byte code under names that they have in all versions of Python, two where Python joins two."""

from __future__ import annotations

import dis
import inspect
import itertools
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["LATER", "Step", "instructions", "steps"]

# To call these runs nothing yet.
LATER = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Step(NamedTuple):
    """One step; `size` is how much it adds to the stack, `goes` where it may jump to."""

    name: str
    what: Any
    number: int = 0
    size: int = 0
    offset: int = 0
    goes: int = -1


def instructions(code: types.CodeType) -> Iterator[dis.Instruction]:
    """Give the instructions of one code object; what has another name in later versions bears that of Python 3.11.

    Where Python joins two, it forgets where the second stands in the text: what goes on with it tells.
    """
    found = list(dis.get_instructions(code))
    for step, after in itertools.pairwise([*found, found[-1]]):
        if "_FAST" not in step.opname:
            is_item = step.opname == "BINARY_OP" and step.argrepr == "[]"  # since Python 3.14
            yield step._replace(opname="BINARY_SUBSCR") if is_item else step
            continue
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        for number, (kind, name) in enumerate(zip(step.opname.split("_FAST"), names, strict=False)):
            place = after.positions if number and after.opname in _GO_ON else step.positions
            yield step._replace(opname=f"{kind.rpartition('_')[2]}_FAST", argval=name, positions=place)


_GO_ON = {"LOAD_ATTR", "PUSH_NULL", "CALL"}


def steps(code: types.CodeType) -> Iterator[Step]:
    """Give the steps of one code object."""
    for step in instructions(code):
        name, what = step.opname, step.argval
        size = _SIZES.get(name) or dis.stack_effect(step.opcode, step.arg, jump=False)
        jumps = "JUMP" in name or name in _JUMPS
        yield Step(name, what, step.arg or 0, size, step.offset, what if jumps else -1)


_SIZES = {"LOAD_FAST": 1, "STORE_FAST": -1}
_JUMPS = {"FOR_ITER", "SEND"}
