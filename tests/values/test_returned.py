"""What functions give back of what stays, told from their code."""

import pytest

from lean_magic.values.returned import Path, returned

CODE = """
ONE, MANY, OTHER = object(), {}, None

def a_global(): return ONE
def by_a_name():
    found = ONE
    return found
def an_attribute(): return ONE.inner.value
def an_item(name): return MANY[name]
def gets(name): return MANY.get(name, None)
def either(x): return ONE if x else MANY
def this_or_that(x): return x or ONE
def under_a_lock():
    with ONE:
        return MANY
def of_its_class(cls):
    if cls.it is None:
        cls.it = cls()
    return cls.it
def made_once():
    global OTHER
    if OTHER is None:
        made = dict()
        OTHER = made
        return made
    return OTHER
def by_another(): return a_global()
def by_text(): return getattr(ONE, "inner")
def a_copy(): return list(ONE)
def computed(x): return MANY[x] + 1
def given(x): return x
def is_there(x): return x in MANY
def waits(): yield ONE
def changes(x): MANY[x] = 1
"""
ONE, MANY, OTHER, IT = Path("global", "ONE"), Path("global", "MANY"), Path("global", "OTHER"), Path("self")
GIVEN = {
    "a_global": {ONE},
    "by_a_name": {ONE},
    "an_attribute": {Path("attr", "value", Path("attr", "inner", ONE))},
    "an_item": {Path("item", "", MANY)},
    "gets": {Path("item", "", MANY)},
    "either": {ONE, MANY},
    "this_or_that": {ONE},
    "under_a_lock": {MANY},
    "of_its_class": {Path("attr", "it", IT)},
    "made_once": {OTHER, Path("call", "", Path("global", "dict"))},
    "by_another": {Path("call", "", Path("global", "a_global"))},
    "by_text": {Path("attr", "inner", ONE)},
    "a_copy": {Path("call", "", Path("global", "list"))},
    "computed": set(),
    "given": set(),
    "is_there": set(),
    "waits": set(),
    "changes": set(),
}


@pytest.fixture(scope="module")
def space():
    """Give the functions of a library."""
    found = {}
    exec(CODE, found)  # noqa: S102
    return found


@pytest.mark.parametrize("name", GIVEN)
def test_what_stays_and_is_given_back_is_found(space, name):
    """A function's code tells which of what stays it gives back, and that of anything else it gives back none."""
    assert set(returned(space[name].__code__, is_bound=name == "of_its_class").paths) == GIVEN[name]


def test_what_it_puts_there_itself_is_told_apart(space):
    """Where a function puts what it gives back itself, it may only be remembering what it made."""
    assert OTHER in returned(space["made_once"].__code__, is_bound=False).filled
    assert not returned(space["an_item"].__code__, is_bound=False).filled
