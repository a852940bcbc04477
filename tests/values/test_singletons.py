"""Objects that a library keeps one of are known and stored by name."""

import dataclasses
import functools
import pickle
import string
import types

from lean_magic.values import codec, fingerprint, singletons
from lean_magic.values.singletons import may_share_kept_dict, place_of, reduced_with_kept_dict


def again(value):
    """Store a value and read it."""
    return pickle.loads(codec.encode({"v": value}).stream.getvalue())["v"]


def test_one_of_a_library_comes_back_as_itself():
    """What a library's module holds, and a bare object of any library's, is the same object after being stored."""
    assert place_of(dataclasses.MISSING) == ("dataclasses", "MISSING")
    assert again([dataclasses.MISSING, 1])[0] is dataclasses.MISSING
    assert again(functools._initial_missing) is functools._initial_missing


def test_others_are_no_such_objects():
    """What only the user holds, and what a class stores in its own way, is left alone."""
    for value in (object(), [1], types.SimpleNamespace(), dataclasses.field()):
        assert place_of(value) is None
    assert again(string.__all__) is not string.__all__


def test_two_of_a_kind_have_two_fingerprints(monkeypatch):
    """Objects that nothing but their name tells apart are told apart, as code does by `is`."""
    other = type(dataclasses.MISSING)()
    assert fingerprint(other) != fingerprint(dataclasses.MISSING)
    monkeypatch.setattr(dataclasses, "OTHER", other, raising=False)
    assert place_of(other) == ("dataclasses", "OTHER")
    assert fingerprint(other) != fingerprint(dataclasses.MISSING)
    monkeypatch.undo()
    assert place_of(other) is None


class State:
    """All instances have one `__dict__`."""

    kept = {"steps": 0}  # noqa: RUF012

    def __init__(self):
        self.__dict__ = self.kept


def test_a_state_that_all_instances_share_is_still_shared(monkeypatch):
    """An object whose `__dict__` the class of a library keeps comes back with that very dict."""
    monkeypatch.setattr(singletons, "is_own", lambda cls: False)
    assert may_share_kept_dict(State)
    assert not may_share_kept_dict(types.SimpleNamespace)
    make, args = reduced_with_kept_dict(State())
    assert vars(make(*args)) is State.kept
    other = object.__new__(State)
    assert reduced_with_kept_dict(other) is NotImplemented
