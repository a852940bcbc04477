"""Functions that keep what they are given, told from those that remember what they computed."""

import pytest

from lean_magic.values.keeping import keeps

CODE = """
STATE, OPTIONS, MEMO, ONE = 0, {}, {}, lambda: 0

def sets_a_global(value):
    global STATE
    STATE = value

def sets_it_converted(value):
    global STATE
    STATE = int(value)

def sets_an_attribute(value, *, loud=False):
    ONE.value = value if loud else 0
    ONE.inner.loud = loud

def sets_an_item(name, value):
    OPTIONS[name] = value

def sets_many(**options):
    OPTIONS.update(options)

def sets_by_name(value):
    setattr(ONE, "value", [value])

def switches():
    global STATE
    STATE = True

def sets_on_itself(self, value):
    self.value = value

def computes_and_sets(name, value):
    OPTIONS[name.lower()] = [value]

def looks_up_and_sets(value):
    global STATE
    if value:
        STATE = OPTIONS.get(value)

def says_once(value):
    global STATE
    if STATE:
        STATE = False

def remembers(value):
    if value not in MEMO:
        MEMO[value] = value * 2
    return MEMO[value]

def loads_once():
    global STATE
    if STATE == 0:
        STATE = 1
    return STATE

def counts(value):
    global STATE
    STATE += 1
    return value

def fills(value, given):
    given[0] = value
    given.name = value
    return given

def waits(value):
    global STATE
    STATE = value
    yield
"""
KEEP = [
    "sets_a_global", "sets_it_converted", "sets_an_attribute", "sets_an_item", "sets_many", "sets_by_name", "switches",
    "computes_and_sets", "looks_up_and_sets",
]  # fmt: skip
DO_NOT = ["says_once", "sets_on_itself", "remembers", "loads_once", "counts", "fills", "waits"]


@pytest.fixture(scope="module")
def space():
    """Give the functions of a library."""
    found = {}
    exec(CODE, found)  # noqa: S102
    return found


@pytest.mark.parametrize("name", KEEP)
def test_what_is_given_and_kept_is_found(space, name):
    """A function that puts what it is given where later calls find it configures its library."""
    assert keeps(space[name].__code__, is_bound=False)


@pytest.mark.parametrize("name", DO_NOT)
def test_what_is_only_remembered_is_no_setting(space, name):
    """A function that remembers what it computed, or changes what it is handed, configures nothing."""
    assert not keeps(space[name].__code__, is_bound=False)


def test_an_object_that_stays_keeps_what_its_methods_set(space):
    """A method of an object that a library keeps configures it."""
    assert keeps(space["sets_on_itself"].__code__, is_bound=True)
