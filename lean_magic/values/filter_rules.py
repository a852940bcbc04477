"""Filters of warnings, however they were set: Python's own name a module by a text, `filterwarnings` by a pattern."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["SETS_FILTERS", "as_set"]

# What code says that sets filters.
SETS_FILTERS = {"filterwarnings", "simplefilter", "resetwarnings", "catch_warnings", "filters"}


def as_set(item: Any) -> Any:
    """Give a filter as `filterwarnings` would set it again, as scikit-learn does in each of its threads."""
    if type(item) is not tuple or len(item) != 5:
        return item
    action, message, category, module, line = item
    if isinstance(message, str):
        message = re.compile(message, re.IGNORECASE)
    return action, message, category, re.compile(module) if isinstance(module, str) else module, line
