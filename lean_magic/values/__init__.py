"""Python objects: their fingerprints and their bytes.

The only room that knows numpy, pandas, polars and torch, and it imports each of
them only once the user has.
"""

from lean_magic.values.fingerprint import Fingerprint, Ref, Walk, fingerprint

__all__ = ["Fingerprint", "Ref", "Walk", "fingerprint"]
