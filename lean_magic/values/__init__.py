"""Python objects: their fingerprints and their bytes.

The only room that knows numpy, pandas, polars and torch, and it imports each of
them only once the user has.
"""

from lean_magic.values import rules as _rules  # registers how each kind of value is digested
from lean_magic.values.fingerprint import Fingerprint, Ref, Walk, fingerprint

del _rules

__all__ = ["Fingerprint", "Ref", "Walk", "fingerprint"]
