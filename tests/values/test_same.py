"""Whether two settings are the same."""

import numpy as np
import pytest

from lean_magic.errors import Unfingerprintable
from lean_magic.values.same import is_other


def test_what_says_so_itself():
    """What can be compared is."""
    assert is_other(1, 2)
    assert not is_other([1], [1])


def test_what_refuses_to_be_compared():
    """Arrays inside say neither yes nor no, so what they hold tells."""
    assert not is_other({"a": np.arange(3)}, {"a": np.arange(3)})
    assert is_other({"a": np.arange(3)}, {"a": np.arange(4)})
    assert is_other({"a": np.arange(3)}, {"a": "b"})


def test_what_cannot_be_compared_at_all():
    """It is an error that says why."""
    held = [np.arange(3), (one for one in "ab")]
    next(held[1])
    with pytest.raises(Unfingerprintable):
        is_other(held, [np.arange(3), 1])
