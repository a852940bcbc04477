"""Keys of cells in small notebooks: what they depend on, and what they do not."""

import ast
import builtins

from lean_magic.errors import Unfingerprintable, Unresolvable
from lean_magic.key import analyse, make_key


def notebook(setup):
    """Run the source `setup` as the earlier cells of a fresh notebook; return its namespace."""
    namespace = {"__name__": "__main__", "__builtins__": builtins}
    exec(compile(setup, "<earlier>", "exec", dont_inherit=True), namespace)
    return namespace


def key_of(cell, setup="", **options):
    """Build the key of a cell after `setup`, a source or a namespace."""
    namespace = notebook(setup) if isinstance(setup, str) else setup
    return make_key(analyse(ast.parse(cell).body), namespace, **options)


def compared(key):
    """Give all that decides about a hit: the key's digest, and the parts an entry may have observed."""
    return key.digest, {name: part.digest for name, part in key.possible.items()}


def is_noticed(cell, before, now):
    """Whether the cell is told apart after two histories, or refused in one of them."""
    try:
        return compared(key_of(cell, before)) != compared(key_of(cell, now))
    except (Unfingerprintable, Unresolvable):
        return True


def reads(cell, setup="", name="y"):
    """Whether another value of `name` before the cell (2 for 1) makes a difference to it."""
    return is_noticed(cell, f"{name} = 1\n{setup}", f"{name} = 2\n{setup}")


def hits(cell, before, now):
    """Whether a cell after one history is answered by its entry from after another."""
    return compared(key_of(cell, before)) == compared(key_of(cell, now))


def hits_as(cell, other, setup=""):
    """Whether two texts of a cell share their entries."""
    return compared(key_of(cell, setup)) == compared(key_of(other, setup))
