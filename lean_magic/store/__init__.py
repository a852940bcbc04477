"""The store: keeps an entry's bytes, and never looks inside a payload."""

from lean_magic.store.index import Line
from lean_magic.store.lease import Holder, Lease, Leases
from lean_magic.store.local import LocalStore, line_of
from lean_magic.store.manifest import FORMAT, Manifest, Part, Payload
from lean_magic.store.store import Store
from lean_magic.store.trust import make_private, require_private

__all__ = [
    "FORMAT",
    "Holder",
    "Lease",
    "Leases",
    "Line",
    "LocalStore",
    "Manifest",
    "Part",
    "Payload",
    "Store",
    "line_of",
    "make_private",
    "require_private",
]
