"""Any other object: by its class and the state it would be pickled with.

`object.__reduce_ex__` is how Python itself takes an object apart
(https://docs.python.org/3/library/pickle.html#object.__reduce_ex__).
"""

from __future__ import annotations

import collections
import copyreg
import enum
import functools
import pickle
import sys
import types
from collections.abc import Mapping
from typing import Any

from lean_magic.errors import Unfingerprintable
from lean_magic.values.fingerprint import INSIDE, Walk, combine, leaf
from lean_magic.values.origin import is_a, is_own, module_of, origin
from lean_magic.values.singletons import place_of
from lean_magic.values.slots import HEAP, slot_names, slots_of
from lean_magic.words import with_article

__all__ = [
    "PICKLING",
    "attributes",
    "dict_of",
    "fill_attributes",
    "held_by",
    "intercepts",
    "is_its_own_dict",
    "is_left_to_python",
    "is_plain",
    "is_silent",
    "kept_dicts",
    "name_leaf",
    "needs_arguments",
    "reduced",
    "set_on_member",
    "shapes_itself",
    "share_attributes",
    "shares_dict",
    "taken_apart",
]


def reduced(walk: Walk, value: Any) -> bytes:
    """Digest an object by its reduced form; raises Unfingerprintable if it has none."""
    walk.mark(value)
    walk.use_module(module_of(type(value)))
    if is_a(value, (set, frozenset)):
        solid = set if is_a(value, set) else frozenset
        members = walk.unordered(solid.__iter__(value))
        return combine("set", walk.digest(type(value)), members, attributes(walk, value))
    is_open = is_own(type(value)) and is_a(value, _OPEN) and not is_own(_shaper(type(value)))
    if is_open or is_its_own_dict(value):
        return combine("own", walk.digest(type(value)), *_contained(walk, value), attributes(walk, value))
    if shapes_itself(type(value)) or intercepts(type(value)):
        return combine("reduced", walk.digest(type(value)), attributes(walk, value))
    form = walk.keep(_reduce(value))
    if isinstance(form, str):
        return _global(walk, value, form)
    place = (
        place_of(value) if form[2:] == (None, None, None) else None
    )  # nothing tells it from others but that
    more = [leaf("singleton", ":".join(place).encode())] if place is not None else []
    may_forget = _forgets(type(value)) or is_own(_shaper(type(value)))
    if may_forget and (held_by(value) or slots_of(value)):
        more.append(attributes(walk, value))
    return combine("reduced", walk.digest(type(value)), *_pieces(walk, form), *more)


_OPEN = (dict, list, collections.deque)


def _contained(walk: Walk, value: Any) -> list[bytes]:
    """Digest what a dict, list or deque of the user's own class holds, without calling methods that are the user's."""
    if isinstance(value, dict):
        kind = collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict
        pairs = list(kind.items(value))
        more = (value.default_factory,) if isinstance(value, collections.defaultdict) else ()
        return [walk.digests([item for pair in pairs for item in pair]), walk.digests(more)]
    if isinstance(value, collections.deque):
        return [walk.digests(list(collections.deque.__iter__(value))), walk.digest(value.maxlen)]
    return [walk.digests(list.__getitem__(value, slice(None)))]


def _forgets(cls: type) -> bool:
    """Whether Python takes instances of a class of the user's apart by one that may leave attributes out: Counter."""
    first = _shaper(cls)
    return is_own(cls) and first is not object and origin(module_of(first)).kind == "python"


def shapes_itself(cls: type) -> bool:
    """Whether a class of the user's says by its own code what is kept of an object, and may leave things out.

    There is nothing in such objects but attributes, so all of those count and are kept.
    """
    first = _shaper(cls)
    return first is not object and is_own(first) and is_plain(cls)


def _shaper(cls: type) -> type:
    """Name the class that says how instances are taken apart."""
    return next((one for one in cls.__mro__ if not _FORMS.isdisjoint(vars(one))), object)


_FORMS = frozenset({"__reduce__", "__reduce_ex__", "__getstate__"})


def intercepts(cls: type) -> bool:
    """Whether code of the user's would run when pickle makes an object and sets its attributes.

    Or code of a library when pickle asks for empty slots: xarray makes attributes of a dataset whenever it is asked.
    """
    if issubclass(cls, enum.Enum):  # which makes its members once, by their names
        return False
    if hasattr(cls, "__getattr__") and slot_names(cls) and is_silent(cls):
        return is_plain(cls)
    asked = _ASKED | ({"__setattr__"} if slot_names(cls) else set())
    return any(is_own(one) and not asked.isdisjoint(vars(one)) for one in cls.__mro__) and is_plain(cls)


def shares_dict(cls: type) -> bool:
    """Whether instances may have a `__dict__` that others have, too, since a class of the user's sets it."""
    own = (vars(one).values() for one in cls.__mro__ if is_own(one))
    said = (
        member.__code__.co_names for held in own for member in held if isinstance(member, types.FunctionType)
    )
    return any("__dict__" in names for names in said) and bool(cls.__dictoffset__) and is_plain(cls)


def is_left_to_python(cls: type) -> bool:
    """Whether instances are nothing but attributes, and their class does not say how they are pickled."""
    has_dict = bool(cls.__dictoffset__) and not issubclass(cls, types.SimpleNamespace)
    return has_dict and is_silent(cls) and is_plain(cls)


def is_silent(cls: type) -> bool:
    """Whether no class but `object` says how instances are pickled."""
    return all(PICKLING.isdisjoint(vars(one)) for one in cls.__mro__[:-1])


def share_attributes(obj: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give an object the very dict of another, and slots."""
    object.__setattr__(obj, "__dict__", state[0])
    fill_attributes(obj, ({}, state[1]))


def needs_arguments(cls: Any) -> bool:
    """Whether a class leaves pickling to Python, and yet makes no instance without arguments."""
    new = cls.__new__
    if not isinstance(new, types.FunctionType) or not is_plain(cls):
        return False
    required = new.__code__.co_argcount - len(new.__defaults__ or ())
    named = new.__code__.co_kwonlyargcount - len(new.__kwdefaults__ or ())
    return (required > 1 or named > 0) and is_silent(cls)


PICKLING = _FORMS | {"__setstate__", "__getnewargs__", "__getnewargs_ex__"}
_ASKED = frozenset(
    {"__getattr__", "__getattribute__", "__setstate__", "__new__"}
)  # pickle looks for the last but one on the object, and calls the last


def _reduce(value: Any) -> Any:
    """Take a value apart. Raises Unfingerprintable, whatever the class's own code raises."""
    own = copyreg.dispatch_table.get(type(value)) or taken_apart(type(value))
    try:
        form = own(value) if own is not None else value.__reduce_ex__(4)
        if isinstance(form, str):
            return form
        call, args, state, items, pairs = (*form, None, None, None)[:5]
        if type(state) is dict and not state:
            state = None  # whether there is an empty dict yet is no content
        return call, tuple(args), state, *(None if rest is None else list(rest) for rest in (items, pairs))
    except RecursionError:
        raise
    except _FAILURES as error:
        raise _without_content(value) from error


def taken_apart(cls: type) -> Any:
    """Give how a class of ours wants its instances compared and stored, which pickle writes by their names; or None."""
    return vars(cls).get("taken_apart") if module_of(cls).startswith("lean_magic.") else None


# What a class may raise when it is asked to take itself apart.
_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, MemoryError,
    NameError, OSError, ReferenceError, RuntimeError, StopIteration, SystemError, TypeError, ValueError, Warning,
    pickle.PickleError,
)  # fmt: skip


def _without_content(value: Any) -> Unfingerprintable:
    kind = type(value)
    why = f"holds {with_article(f'{module_of(kind)}.{kind.__qualname__}')}, which has no content to compare"
    return Unfingerprintable(kind.__qualname__, why, INSIDE)


def set_on_member(value: enum.Enum) -> dict[str, Any]:
    """Give what was set on a member of an enum besides its name and value."""
    return {name: item for name, item in vars(value).items() if name not in _BY_ENUM}


# Set by `enum` itself on every member.
_BY_ENUM = frozenset({"_name_", "_value_", "__objclass__", "_sort_order_", "_inverted_"})


def is_plain(cls: type) -> bool:
    """Whether instances are nothing but attributes: no state of C's below them."""
    while cls not in (object, types.SimpleNamespace):
        base = cls.__base__
        if base is None or not cls.__flags__ & HEAP or cls.__basicsize__ - base.__basicsize__ > _room(cls):
            return False
        cls = base
    return True


def _room(cls: type) -> int:
    """Give the bytes that a `class` statement adds to instances: a pointer for each slot, dict and weak list."""
    slots = sum(isinstance(member, types.MemberDescriptorType) for member in vars(cls).values())
    return 8 * (slots * ("__slots__" in vars(cls)) + ("__dict__" in vars(cls)) + ("__weakref__" in vars(cls)))


def _global(walk: Walk, value: Any, name: str) -> bytes:
    """Digest an object that is pickled as a name: by that name, if it is installed, and by its attributes."""
    module = getattr(value, "__module__", None)
    module = module if isinstance(module, str) else module_of(type(value))
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not is_plain(type(value)) and (found is not value or origin(module).own):
        raise _without_content(value)
    walk.use_module(module)
    return combine(
        "global", walk.digest(type(value)), walk.digest(f"{module}:{name}"), attributes(walk, value)
    )


def _pieces(walk: Walk, form: tuple[Any, ...]) -> list[bytes]:
    """Digests of a reduce tuple: callable, arguments, state, list items, dict items."""
    call, args, state, items, pairs = form
    return [
        walk.digest(call),
        walk.digest(args),
        _state(walk, state),
        combine("items", walk.digests(items) if items is not None else b""),
        combine("pairs", walk.digests(pairs) if pairs is not None else b""),
    ]


def _state(walk: Walk, state: Any) -> bytes:
    if type(state) is dict:
        return _named(walk, state)
    if type(state) is tuple and len(state) == 2 and all(part is None or type(part) is dict for part in state):
        return combine("states", *[_named(walk, part or {}) for part in state])
    return walk.digest(state)


def _named(walk: Walk, state: dict[Any, Any]) -> bytes:
    names = [name_leaf(name) if type(name) is str else walk.digest(name) for name in state]
    return combine("state", *names, *map(walk.digest, list(state.values())))


@functools.lru_cache(maxsize=1 << 14)
def name_leaf(name: str) -> bytes:
    """Digest the name of an attribute, which names no file and is no text to look names up in."""
    return leaf("name", name.encode("utf-8", "surrogatepass"))


def fill_attributes(obj: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Set all that an object held, (attributes, slots), whatever its class would make of it."""
    attributes, slots = state
    dict_of(obj).update(attributes)
    for name, value in slots.items():
        object.__setattr__(obj, name, value)


def attributes(walk: Walk, value: Any, skip: frozenset[str] = frozenset()) -> bytes:
    """Digest the instance attributes (dict and slots) of `value` in their order."""
    state = held_by(value) | slots_of(value)
    kept = {name: item for name, item in state.items() if name not in skip}
    return _named(walk, kept)


def held_by(value: Any) -> dict[str, Any]:
    """Give the instance attributes of `value`, without giving it a `__dict__` where it has none yet.

    A partial of a partial becomes one, unless the inner one has a `__dict__`.
    """
    if is_a(value, functools.partial):
        form: Any = functools.partial.__reduce__(value)
        return dict(form[2][3] or {})
    return dict(dict_of(value))


def is_its_own_dict(value: Any) -> bool:
    """Whether a dict gives its own items as attributes."""
    has_dict = is_a(value, dict) and type(value).__dictoffset__
    return bool(has_dict) and object.__getattribute__(value, "__dict__") is value


def kept_dicts(values: Mapping[str, Any]) -> dict[int, tuple[str, str]]:
    """Give (name of an object, "") by the id of the `__dict__` that it keeps; a class makes one for whoever asks."""
    held = ((name, dict_of(value), value) for name, value in values.items())
    return {id(one): (name, "") for name, one, value in held if type(one) is dict and one is dict_of(value)}


def dict_of(value: Any) -> dict[str, Any]:
    """Give the `__dict__` of an object that has one, whatever its class says when it is asked for attributes."""
    if not type(value).__dictoffset__:
        return {}
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:  # since Python 3.12, type variables show none
        return {}
    if held is value:  # as `is_its_own_dict` says
        return {}
    return held if isinstance(held, dict) else getattr(value, "__dict__", {})
