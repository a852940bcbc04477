"""Views described in an array that lies in memory one way are the same views in one that lies another way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lean_magic.values.memory import LayoutChanged
from lean_magic.values.strides import View, moved


@st.composite
def lying_somehow(draw, shape):
    """Draw an array of a shape whose axes lie in memory in any order, with any gaps."""
    order = draw(st.permutations(range(len(shape))))
    gaps = [draw(st.integers(1, 3)) for _ in shape]
    wide = np.zeros([shape[axis] * gap for axis, gap in zip(order, gaps, strict=True)], np.int32)
    thin = wide[tuple(slice(None, None, gap) for gap in gaps)]
    return thin.transpose(np.argsort(order))


@st.composite
def cases(draw):
    """Draw two arrays of one content, and the same view of each."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    one, other = draw(lying_somehow(shape)), draw(lying_somehow(shape))
    one[...] = other[...] = np.arange(one.size).reshape(shape)
    cut = tuple(
        slice(*sorted((draw(st.integers(0, size)), draw(st.integers(0, size)))), draw(st.integers(1, 3)))
        for size in shape
    )
    turn = tuple(slice(None, None, draw(st.sampled_from([1, -1]))) for _ in shape)
    order = draw(st.permutations(range(len(shape))))
    return one, other, lambda array: array[cut][turn].transpose(order)


def described(array, view):
    """Describe a view by strides and start."""
    return View(view.shape, view.strides, view.ctypes.data - array.ctypes.data)


@given(cases())
@settings(max_examples=300, deadline=None)
def test_a_view_is_found_again(case):
    """What is described by the strides of one array has the same elements in the other."""
    one, other, look = case
    view = look(one)
    found = moved(described(one, view), one.shape, one.strides, other.strides)
    wanted = look(other)
    if view.size:
        assert found.start == described(other, wanted).start
        long = [length > 1 for length in view.shape]
        assert [step for step, more in zip(found.strides, long, strict=True) if more] == [
            step for step, more in zip(wanted.strides, long, strict=True) if more
        ]


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array.reshape(-1)[1:],
        lambda array: array.reshape(-1)[::2],
        lambda array: array.view("i2")[:, 1:],
    ],
    ids=["across rows", "across rows, in steps", "inside elements"],
)
def test_what_is_no_box_is_refused(view):
    """A view that runs on from one row into the next has no description in another order."""
    array = np.arange(15, dtype="i4").reshape(3, 5)
    with pytest.raises(LayoutChanged):
        moved(described(array, view(array)), array.shape, array.strides, np.asfortranarray(array).strides)


def test_an_axis_of_length_one_says_nothing():
    """The stride of an axis with one element is of no importance."""
    view = View((1, 4), (8, 8), 0)
    assert moved(view, (1, 4), (32, 8), (8, 8)) is view
