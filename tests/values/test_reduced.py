"""Fingerprints of any other object."""

import functools
import logging

import joblib
import pytest
from notebook_code import made

from lean_magic.errors import Unfingerprintable
from lean_magic.values import codec, fingerprint
from lean_magic.values.reduced import kept_dicts

SLOTS = "class C:\n    __slots__ = ('a', 'b')\n    def __init__(self, a, b): self.a, self.b = a, b"
PLAIN = "class C:\n    def __init__(self, a, b): self.a, self.b = a, b"
BOTH = "class B:\n    __slots__ = ('a',)\nclass C(B):\n    def __init__(self, a, b): self.a, self.b = a, b"
REDUCES = PLAIN + "\n    def __reduce__(self): return C, (self.a, self.b)"
STATE = (
    PLAIN
    + "\n    def __getstate__(self): return {'a': self.a, 'b': self.b}\n    def __setstate__(self, state): pass"
)
LIST = "class C(list):\n    def __init__(self, a, b): super().__init__([a, b])"
DICT = "class C(dict):\n    def __init__(self, a, b): super().__init__(a=a, b=b)"
TEXT = "class C(str):\n    def __new__(cls, a, b): return super().__new__(cls, f'{a!r} {b!r}')"
NUMBER = "class C(int):\n    def __new__(cls, a, b):\n        self = super().__new__(cls, 5)\n        self.a, self.b = a, b\n        return self"
ERROR = "class C(Exception): pass"


@pytest.mark.parametrize("source", [SLOTS, PLAIN, BOTH, REDUCES, STATE, LIST, DICT, TEXT, NUMBER, ERROR])
def test_instances_count_by_content(source):
    """Instances are equal by class and content, however their class keeps it."""
    one, other = made(source), made(source)
    assert fingerprint(one(1, [2])) == fingerprint(other(1, [2]))
    digests = [fingerprint(one(*pair)) for pair in ((1, 2), (2, 1), (1.0, 2), (1, 3), (1, "2"), (True, 2))]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("source", [SLOTS, PLAIN, BOTH, REDUCES, STATE, LIST, DICT, TEXT, NUMBER, ERROR])
def test_instances_count_by_class(source):
    """An instance of an edited class is another value."""
    edited = made(source.replace("class C", "class C", 1) + "\nC.more = lambda self: 5")
    assert fingerprint(made(source)(1, 2)) != fingerprint(edited(1, 2))


def test_the_order_of_attributes_is_content():
    """Which attribute was set first is seen in `vars`, as the order of a dict is."""
    cls = made("class C: pass")
    one, other = cls(), cls()
    one.a, one.b = 1, 2
    other.b, other.a = 2, 1
    assert list(vars(one)) != list(vars(other))
    assert fingerprint(one) != fingerprint(other)


def test_the_order_in_a_state_of_its_own_is_content():
    """A class that keeps its content in a dict and hands it out as its state keeps the dict's order."""
    source = """
class C:
    def __init__(self, table): self.table = table
    def __getstate__(self): return self.table
    def __setstate__(self, table): self.table = table
"""
    cls = made(source)
    assert fingerprint(cls({"a": 1, "b": 2})) != fingerprint(cls({"b": 2, "a": 1}))


def test_empty_slots_are_not_asked_for(monkeypatch):
    """A library's class that makes something whenever it is asked for what it has not is left as it is."""

    class Table:
        __slots__ = ("asked", "empty")

        def __getattr__(self, name):
            self.asked = name
            raise AttributeError(name)

    Table.__module__, Table.__qualname__ = "joblib", "Table"
    monkeypatch.setattr(joblib, "Table", Table, raising=False)
    table = Table()
    table.asked = None
    first = fingerprint(table)
    codec.encode({"table": table})
    assert table.asked is None
    assert fingerprint(table) == first


def test_keys_that_read_alike():
    """Keys of a state that have the same text are told apart."""
    cls = made("class C:\n    def __init__(self, t): self.t = t\n    def __getstate__(self): return self.t")
    assert fingerprint(cls({1: "a", "1": "b"})) != fingerprint(cls({1: "b", "1": "a"}))


def test_what_reduces_to_a_name():
    """An object that pickles as a name counts by its content, or is refused."""
    import numpy as np

    def told(value):
        try:
            return fingerprint(value)
        except Unfingerprintable:
            return object()

    assert told(np.frompyfunc(lambda x: x + 1, 1, 1)) != told(np.frompyfunc(lambda x: x + 2, 1, 1))
    one, other = (
        made(f"class C:\n    a = {value}\n    def __reduce__(self): return 'thing'") for value in (1, 2)
    )
    assert told(one()) != told(other())


def test_loggers():
    """A logger counts by its level, handlers and filters, not only by its name."""
    logger = logging.getLogger("lean_magic.test.logger")
    seen = []
    for change in (
        lambda: logger.setLevel(10),
        lambda: logger.setLevel(50),
        lambda: logger.addHandler(logging.NullHandler()),
        lambda: setattr(logger, "disabled", True),
    ):
        change()
        seen.append(fingerprint(logger))
    assert len(set(seen)) == 4


def test_using_a_dispatcher_is_no_change():
    """A function that dispatches on types is what it was after it has been called."""
    dispatch = functools.singledispatch(made("def C(a): return 0"))
    dispatch.register(int)(made("def C(a): return 1"))
    before = fingerprint(dispatch)
    dispatch(1)
    dispatch("a")
    assert fingerprint(dispatch) == before


def test_using_a_cache_is_no_change():
    """A cached function is what it was after it has been called."""
    function = functools.lru_cache(made("def C(a): return a"))
    before = fingerprint(function)
    function(1)
    assert fingerprint(function) == before


def test_what_has_no_content():
    """An open socket, a device or a thread is refused, by name and with a remedy."""
    import os
    import socket
    import threading

    with socket.socket() as open_socket, open(os.devnull) as file:  # noqa: PTH123
        for value in (open_socket, file, threading.current_thread()):
            with pytest.raises(Unfingerprintable, match="value"):
                fingerprint(value)


def test_a_file_is_what_it_holds_and_how_far_it_was_read(tmp_path):
    """A file that is open to be read has another fingerprint once it was read on, or is another file."""
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n", "utf-8")
    with path.open(encoding="utf-8") as file, path.open(encoding="utf-8") as other:
        start = fingerprint(file)
        assert fingerprint(other) == start
        next(file)
        other.readline()
        assert (
            start != fingerprint(file) != fingerprint(other)
        )  # of which one does not tell its place any more
        assert (next(file), file.read(), other.read()) == ("two\n", "", "two\n")
    path.write_bytes(b"one\r\ntwo")
    with path.open(encoding="utf-8") as file, pytest.raises(Unfingerprintable, match="line ends of Windows"):
        fingerprint(file)


@pytest.mark.parametrize(
    "error", [OSError, KeyError, ZeroDivisionError, AssertionError, StopIteration, MemoryError]
)
def test_classes_that_fail_to_reduce(error):
    """Whatever a class raises when it is taken apart, the value is refused with a reason."""
    cls = made(f"class C(list):\n    def __reduce_ex__(self, protocol): raise {error.__name__}('no')")
    with pytest.raises(Unfingerprintable):
        fingerprint(cls())


def test_attributes_that_raise():
    """A property that raises is not asked; only what an object holds counts."""
    cls = made(
        "class C:\n    def __init__(self): self.a = 1\n    @property\n    def b(self): raise RuntimeError"
    )
    assert fingerprint(cls()) == fingerprint(cls())


def test_only_a_dict_that_is_kept_is_known_by_its_id():
    """The view that a class makes of its members is gone after the question, and its id another object's."""
    cls = made(PLAIN)
    one = cls(1, 2)
    assert kept_dicts({"one": one, "cls": cls, "number": 3}) == {id(vars(one)): ("one", "")}
