"""matplotlib: figures and their parts, compared without addresses and counts, and changed in place.

A transform knows its parents by their `id`, and a registry of callbacks counts how often it was pickled:
neither says anything in another process. What an artist leaves out of its pickle, its canvas and whom it tells
of changes, the live one goes on having (`Artist.__getstate__` in matplotlib/artist.py).
"""

from __future__ import annotations

import functools
import sys
import types
from typing import Any

from lean_magic.values.adapters import matplotlib_triangles
from lean_magic.values.adapters.fingerprint_only import FingerprintOnly
from lean_magic.values.fingerprint import Rule, Walk, combine
from lean_magic.values.memory import Memory
from lean_magic.values.origin import is_own, origin
from lean_magic.values.plain import each
from lean_magic.values.reduced import name_leaf

__all__ = ["ADAPTER"]

# Those that take themselves apart by code of their own, which puts attributes back in another order.
_KINDS = (
    ("transforms", "TransformNode"),
    ("artist", "Artist"),
    ("cbook", "Grouper"),
    ("cbook", "CallbackRegistry"),
)
_TRANSFORM, _REGISTRY = _KINDS[:1], _KINDS[-1:]
_FIGURE = (("figure", "Figure"),)
_ARTIST = (("artist", "Artist"),)
_CANVAS = (("backends.backend_agg", "FigureCanvasAgg"),)
_TOLD = (
    ("colorbar", "Colorbar"),
    ("colorizer", "Colorizer"),
    ("artist", "Artist"),
    ("animation", "Animation"),
)
# Addresses, numbers, and whether something will be worked out anew: no content.
_NOTES = frozenset({"_parents", "_cid_gen", "_pickled_cids", "_invalid", "_stale"})
_LEFT_OUT = ("canvas", "stale_callback", "_renderer")


def _kinds(kinds: tuple[tuple[str, str], ...] = _KINDS) -> tuple[type, ...]:
    known = _known.get(kinds)
    if known is None:
        asked = (getattr(sys.modules.get(f"matplotlib.{module}"), name, None) for module, name in kinds)
        known = tuple(kind for kind in asked if kind is not None)
        if len(known) == len(kinds):  # else some are being loaded
            _known[kinds] = known
    return known


_known: dict[tuple[tuple[str, str], ...], tuple[type, ...]] = {}


def _has_callbacks(value: Any) -> bool:
    return isinstance(value, _kinds(_REGISTRY))


def _state(value: Any) -> dict[str, Any]:
    """Take a figure or a part of one apart as the library does; whether it was in pyplot's hands is no content."""
    if _has_callbacks(value):
        return _callbacks(value)
    state = value.__reduce_ex__(4)[2] or {}
    if isinstance(state, tuple):
        state = {**(state[0] or {}), **state[1]}
    state |= _resolution(value)
    return {name: state[name] for name in sorted(state) if name != "_restore_to_pylab"}


def _resolution(value: Any) -> dict[str, Any]:
    """Give the dots per inch of a figure, in the place of those that it was made with."""
    figure: Any = value if isinstance(value, _kinds(_FIGURE)) else None
    if figure is None:
        return {}
    ratio = getattr(figure.canvas, "device_pixel_ratio", 1)
    now = figure.dpi if ratio == 1 else figure.dpi / ratio
    return {"_dpi": now, "_original_dpi": now}  # which it goes back to when it is filled


def _callbacks(value: Any) -> dict[str, Any]:
    """Do what `__getstate__` does, which would take a number, and would leave out whom the user lets be told."""
    lasting = vars(value)["_pickled_cids"]
    kept = {
        signal: {number: call for number, call in calls.items() if number in lasting or _lasts(call)}
        for signal, calls in _connected(value).items()
    }
    numbers = {number for refs in value.callbacks.values() for number in refs} | lasting
    replaced = {"callbacks": kept, "_func_cid_map": None, "_cid_gen": 1 + max(numbers, default=-1)}
    return dict(sorted((vars(value) | replaced).items()))


def _connected(value: Any) -> dict[str, dict[int, Any]]:
    """Give who is told of what: signal → number → function."""
    return {
        signal: {number: call for number, ref in refs.items() if (call := ref()) is not None}
        for signal, refs in value.callbacks.items()
    }


def _lasts(call: Any) -> bool:
    """Whether a callback is the user's, also inside a lambda of the library, or keeps a part of a figure up to date."""
    cells = getattr(call, "__closure__", None) or ()
    inner = [call, *(cell.cell_contents for cell in cells if cell != types.CellType())]
    homes = {str(getattr(one, "__module__", "")) for one in inner if callable(one)}
    of_part = isinstance(getattr(call, "__self__", None), _kinds(_TOLD))
    return of_part or any(origin(home).own for home in homes)


def _reduced(value: Any) -> Any:
    if _has_callbacks(value):
        return object.__new__, (type(value),), _callbacks(value)
    if isinstance(value, _kinds(_TRANSFORM)):
        form = value.__reduce_ex__(5)
        return *form[:3], None, None, _set_below
    if own := _resolution(value):
        form = value.__reduce_ex__(5)
        state = {**form[2], **own, **_canvas(value), **_told_of_change(value)}
        return *form[:2], state, None, None, _fill_figure
    if type(value) in _kinds(_CANVAS):
        drawn = dict.fromkeys(("renderer", "_lastKey", "manager"))
        state = {name: item for name, item in vars(value).items() if name not in drawn}
        return object.__new__, (type(value),), {**state, "manager": None}
    if isinstance(value, _kinds(_ARTIST)) and (told := _told_of_change(value)):
        form = value.__reduce_ex__(5)
        if isinstance(form[2], dict):
            return *form[:2], {**form[2], **told}, *form[3:]
    return NotImplemented


def _told_of_change(artist: Any) -> dict[str, Any]:
    """Give whom a part of a figure tells that it is to be drawn anew, which pickle leaves out: what is around it."""
    return {"stale_callback": artist.stale_callback} if artist.stale_callback is not None else {}


def _canvas(figure: Any) -> dict[str, Any]:
    """Give what a figure is drawn on in memory; a window belongs to its process."""
    return {"canvas": figure.canvas} if type(figure.canvas) in _kinds(_CANVAS) else {}


def _fill_figure(figure: Any, state: dict[str, Any]) -> None:
    canvas, told = state.pop("canvas", None), state.get("stale_callback")
    figure.__setstate__({**state, "stale_callback": None})
    if canvas is not None:
        figure.set_canvas(canvas)
    figure.stale_callback = told  # last, since it would draw the figure


def _set_below(value: Any, state: dict[str, Any]) -> None:
    """Fill a transform, and tell those that it is made of, which may have been there before, that it is to be told."""
    value.__setstate__(state)
    nodes = (item for item in state.values() if isinstance(item, _kinds(_TRANSFORM)))
    value.set_children(*(node for node in nodes if "_parents" in vars(node)))


def _part(walk: Walk, value: Any) -> bytes:
    walk.mark(value)
    state = walk.keep(_state(value))
    if _has_callbacks(value):
        told = {signal: list(calls.values()) for signal, calls in state["callbacks"].items() if calls}
        state["callbacks"] = walk.keep(told)
    notes = _NOTES | _worked_out(value)
    said = {name: item for name, item in state.items() if name not in notes}
    # The list in `rcParams`, which figures of several cells have in common.
    if said.get("_path_effects") == []:
        said["_path_effects"] = ()
    names = _names(tuple(said))
    return combine("matplotlib", walk.digest(type(value)), names, each(walk, list(said.values())))


def _worked_out(value: Any) -> frozenset[str]:
    """Name what a transform keeps of what it was asked for, which what it is made of tells anew."""
    if not isinstance(value, _kinds(_TRANSFORM)) or is_own(type(value)):
        return frozenset()
    return _INVERTED if isinstance(value, _kinds(_GIVEN)) else _INVERTED | _KEPT


# Of these transforms points or a matrix are all.
_GIVEN = (("transforms", "Bbox"), ("transforms", "Affine2D"))
_INVERTED = frozenset({"_inverted"})
_KEPT = frozenset({"_points", "_mtx", "_affine", "_transformed_path", "_transformed_points"})


@functools.lru_cache(1 << 10)
def _names(names: tuple[str, ...]) -> bytes:
    """Digest the names of attributes, which the hundreds of parts of a figure have in common."""
    return combine("names", *map(name_leaf, names))


def _connect(live: Any, stored: dict[str, Any]) -> None:
    """Put callbacks back; those that are left out stay."""
    lasting = vars(live)["_pickled_cids"]
    others = [
        (signal, call)
        for signal, calls in _connected(live).items()
        for number, call in calls.items()
        if number not in lasting and not _lasts(call)
    ]
    live.__setstate__(stored)
    for signal, call in others:
        live.connect(signal, call)


def _change(live: Any, stored: dict[str, Any]) -> None:
    """Change a transform, and tell all that are made of it, of which the cell may have known but some."""
    before = list(vars(live)["_parents"].values())
    live.__setstate__(stored)
    after = list(vars(live)["_parents"].values())
    vars(live)["_parents"].clear()
    for parent in filter(None, [ref() for ref in (*before, *after)]):
        parent.set_children(live)
    vars(live)["_invalid"] = 0  # else it takes them for told
    live.invalidate()


class _Matplotlib(FingerprintOnly):
    library = "matplotlib"

    def rule(self, cls: type) -> Rule | None:
        return _part if issubclass(cls, _kinds()) else matplotlib_triangles.rule(cls)

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        del memory
        form = _reduced(value)
        return matplotlib_triangles.reduced(value) if form is NotImplemented else form

    def tables(self, value: Any) -> dict[str, Any]:
        """Give what a figure is drawn on, of which it keeps its own."""
        figure: Any = value if isinstance(value, _kinds(_FIGURE)) else None
        return {} if figure is None else {"canvas": figure.canvas}

    def content(self, value: Any) -> Any:
        return _state(value) if isinstance(value, _kinds()) else matplotlib_triangles.content(value)

    def write_back(self, live: Any, stored: Any) -> bool:
        if not isinstance(live, _kinds()):
            return matplotlib_triangles.put(live, stored)
        if _has_callbacks(live):
            _connect(live, dict(stored))
            return True
        if isinstance(live, _kinds(_TRANSFORM)):
            _change(live, dict(stored))
            return True
        kept = {name: vars(live)[name] for name in _LEFT_OUT if name in vars(live)}
        if hasattr(live, "__setstate__"):
            live.__setstate__(dict(stored))
        else:
            vars(live).clear()
            vars(live).update(stored)
        vars(live).update(kept)
        return True


ADAPTER = _Matplotlib()
