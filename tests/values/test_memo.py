"""What functions under lru_cache remember is told as calls, and can be put into another."""

import functools

import pytest

from lean_magic.values.memo import calls, fill, objects


def made(**options):
    """Make a function that remembers, with a variable of an outer function."""
    k = 3

    @functools.lru_cache(**options)
    def f(a, *more, c=1, **rest):
        return [k, a, more, c, sorted(rest)]

    return f


OPTIONS = [{}, {"maxsize": None}, {"maxsize": 3}, {"typed": True}, {"maxsize": None, "typed": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_what_one_remembers_another_is_told(options):
    """Calls of every shape come out as they went in, and another function then answers them from memory."""
    one, other = made(**options), made(**options)
    for _ in range(2):
        one(1), one("s"), one((1, 2)), one(1, 2, c=3, z=4), one(c=5, a=3), one(1.0), one(True)
    told, info = calls(one), one.cache_info()
    fill(other, told, info.hits, info.misses)
    assert calls(other) == told
    assert other.cache_info() == info
    for args, named, result in told:
        assert other(*args, **named) is result
    assert other.cache_info().misses == info.misses
    assert other(99)[1] == 99


def test_only_new_calls_are_told():
    """Calls whose key and result were known before are left out."""
    f = made()
    f(1)
    known = objects(f)
    f(2)
    assert [args for args, *_ in calls(f, known)] == [(2,)]


@pytest.mark.parametrize(
    "result", [object(), b"x" * (2 << 20), list(range(100_000))], ids=["model", "bytes", "list"]
)
def test_what_is_large_is_not_told(result):
    """Results that are objects of a library, or large, are none that an entry should hold."""
    f = functools.lru_cache(lambda _: result)
    f(1)
    assert calls(f) == []


def test_what_is_no_function_is_left():
    """A builtin that remembers is left as it is."""
    f = functools.lru_cache(len)
    fill(f, [(("abc",), {}, 3)], 1)
    assert f.cache_info().currsize == 0
