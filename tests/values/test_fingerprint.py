"""The walk: numbering, aliasing, cycles, depth."""

import pytest
from notebook_code import elsewhere

from lean_magic.errors import Unfingerprintable
from lean_magic.values import Ref, Walk, fingerprint
from lean_magic.values.counting import on_bytes


class Node:
    """An object that can point to another."""

    def __init__(self, to=None):
        self.to = to


def loop(length):
    """Return a ring of lists."""
    first = ring = []
    for _ in range(length - 1):
        ring.append([])
        ring = ring[0]
    ring.append(first)
    return first


def test_aliasing_is_content():
    """One object twice and two equal objects are told apart, at every place."""
    a = [1]
    assert fingerprint([a, a]) != fingerprint([[1], [1]])
    assert fingerprint([a, [1], a]) != fingerprint([a, a, [1]])
    assert fingerprint({"x": a, "y": a}) != fingerprint({"x": [1], "y": [1]})
    assert fingerprint((a, a)) != fingerprint(([1], [1]))


def test_immutable_values_have_no_identity():
    """Whether two equal strings are one object is the interpreter's choice, and no content."""
    text = "".join(["some ", "text"])
    assert fingerprint([text, text]) == fingerprint([text, "".join(["some ", "text"])])
    assert fingerprint([(1, text)] * 2) == fingerprint([(1, text), (1, "".join(["some ", "text"]))])


def test_cycles_end():
    """A graph with cycles has a fingerprint, and rings of other lengths have others."""
    assert len({fingerprint(loop(length)) for length in (1, 2, 3, 4)}) == 4
    one, other = Node(), Node()
    one.to, other.to = one, Node(other)
    assert fingerprint(one) != fingerprint(other)


def test_a_cycle_is_entered_somewhere():
    """Where a ring is entered is content if its members differ."""
    one, other = Node(), Node()
    one.name, other.name, one.to, other.to = "a", "b", other, one
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    "make",
    [
        "x = [x]",
        "x = {'a': x}",
        "x = (x,)",
        "x = Node(x)",
        "x = [[], x]",
        "x = lambda x=x: x",
        "x = partial(print, x)",
    ],
)
@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_depth_never_kills_the_process(make, depth):
    """However deeply a value is nested, it has a fingerprint or is refused; the process lives on."""
    source = f"""
from functools import partial
from lean_magic.errors import Unfingerprintable
from lean_magic.values import fingerprint
class Node:
    def __init__(self, to): self.to = to
x = None
for _ in range({depth}):
    {make}
try:
    print(len(fingerprint(x)))
except Unfingerprintable as error:
    print(error)
import os
os._exit(0)  # freeing what is nested so deeply is Python's own trouble
"""
    told = elsewhere(source, 0)
    assert "32" in told or "too deeply" in told
    assert depth > 500 or "32" in told


def test_numbers_correspond():
    """The n-th object of one walk stands where the n-th of any walk with the same digest does."""
    walks = Walk(), Walk()
    for walk in walks:
        inner = {"k": [5]}
        walk.fingerprint("x", [inner, Node(inner)])
    assert [type(found) for found in walks[0].objects] == [type(found) for found in walks[1].objects]
    assert walks[0].objects[1] == walks[1].objects[1] == {"k": [5]}


def test_parts_share_objects():
    """An object that two parts share is told apart from equal objects in both."""
    shared, one, other = [1], Walk(), Walk()
    first = [one.fingerprint("a", shared).digest, one.fingerprint("b", shared).digest]
    second = [other.fingerprint("a", [1]).digest, other.fingerprint("b", [1]).digest]
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_refs_are_noted():
    """The globals that a function looks up are told, with the attributes taken from them."""
    namespace = {"__name__": "__main__"}
    exec("def f(): return a.b.c + d", namespace)
    found = Walk().fingerprint("f", namespace["f"])
    assert {Ref("__main__", "a", ("b", "c")), Ref("__main__", "d", ())} <= found.refs


def test_errors_name_the_part():
    """What cannot be compared is named by the part it stands in, with a remedy."""
    begun = (i for i in [1, 2])
    next(begun)
    with pytest.raises(Unfingerprintable, match="`texts`.*generator.*; "):
        Walk().fingerprint("texts", [1, {"a": begun}])


def test_large_values_tell_how_far_they_are():
    """While large values are digested, the bytes done are told, and they only grow."""
    told = []
    with on_bytes(lambda done, total: told.append((done, total))):
        fingerprint(bytes(200 << 20))
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (200 << 20, None)


def test_no_trace_is_left():
    """Taking a fingerprint changes nothing that can be seen of the value."""
    value = Node([Node(), {"a": {1, 2}}])
    before = dict(vars(value))
    assert fingerprint(value) == fingerprint(value)
    assert vars(value) == before
