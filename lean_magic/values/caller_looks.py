"""Whether code that asks for frames looks at its caller's variables alone, which effects/callers.py watches."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Mapping

__all__ = ["ASKS_CALLER", "OF_CALLER", "looks_at_caller_alone"]

Loads = Mapping[str, set[tuple[str, ...]]]
ASKS_CALLER = "currentframe() of a function"  # among the attributes that code names
OF_CALLER = {"currentframe", "f_back", "f_locals"}
_OTHER_FRAMES = {
    "f_globals", "_getframe", "__globals__", "tb_frame", "gi_frame", "cr_frame", "ag_frame", "stack", "trace",
    "getouterframes", "getinnerframes", "getframeinfo", "walk_stack", "extract_stack", "currentframes",
}  # fmt: skip
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}


def looks_at_caller_alone(code: types.CodeType, loads: Loads, steps: list[dis.Instruction]) -> bool:
    """Whether a function asks by `inspect.currentframe().f_back` for its caller's variables, and looks no further.

    Whether the caller is a function, too, and not the notebook, shows when it runs: effects/callers.py.
    """
    asked = [step.argval for step in steps if step.opname in _ATTRIBUTES]
    by_name = "currentframe" in {chain[0] for chain in loads.get("inspect", ()) if chain}
    if not (code.co_flags & inspect.CO_OPTIMIZED and by_name and asked.count("currentframe") == 1):
        return False
    place = next(place for place, step in enumerate(steps) if step.argval == "currentframe")
    return _goes_back_once(code, steps, place) and _OTHER_FRAMES.isdisjoint((*asked, *loads))


def _goes_back_once(code: types.CodeType, steps: list[dis.Instruction], place: int) -> bool:
    """Whether `f_back` is asked of the function's own frame alone, not of frames on and on."""
    back = [at for at, step in enumerate(steps) if step.opname in _ATTRIBUTES and step.argval == "f_back"]
    after = steps[place + 2 : place + 3]
    if not back or back == [place + 2]:
        return True
    kept = after[0].argval if after and after[0].opname == "STORE_FAST" else None
    stored = sum(step.opname == "STORE_FAST" and step.argval == kept for step in steps)
    is_argument = kept in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    asks = len(back) == 1 and (steps[back[0] - 1].opname, steps[back[0] - 1].argval) == ("LOAD_FAST", kept)
    return asks and stored == 1 and not is_argument
