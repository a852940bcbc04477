"""What the result of a cell depends on: its code, and the code and data that its names reach."""

from lean_magic.key.bindings import binding_order
from lean_magic.key.holders import asks_who_holds
from lean_magic.key.interpreter import look_at_filters
from lean_magic.key.key import (
    Difference,
    Key,
    after_loading,
    difference,
    make_key,
    possible_after,
    possible_now,
)
from lean_magic.key.modules import held_by_modules
from lean_magic.key.patches import Patches
from lean_magic.key.process import read_ahead
from lean_magic.key.registrations import registering
from lean_magic.key.remembered import Remembered
from lean_magic.key.source import Analysis, analyse
from lean_magic.key.syntax import below

__all__ = [
    "Analysis",
    "Difference",
    "Key",
    "Patches",
    "Remembered",
    "after_loading",
    "analyse",
    "asks_who_holds",
    "below",
    "binding_order",
    "difference",
    "held_by_modules",
    "look_at_filters",
    "make_key",
    "possible_after",
    "possible_now",
    "read_ahead",
    "registering",
]
