"""What a cell imports from a library is, after a hit, the library's own."""

import importlib

import pytest

MODULES = [
    "math", "random", "os", "os.path", "signal", "types", "typing", "hashlib", "collections", "collections.abc", "functools",
    "datetime", "decimal", "logging", "threading", "asyncio", "json", "re", "numpy", "numpy.linalg", "numpy.random",
    "numpy.ma", "pandas", "pandas.api.types", "scipy.stats", "scipy.sparse", "sklearn.linear_model", "sklearn.metrics",
    "matplotlib.pyplot", "matplotlib.patches", "torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils.data",
    "safetensors", "safetensors.torch", "tokenizers", "polars", "networkx", "mpmath", "sympy", "PIL.Image", "tqdm",
]  # fmt: skip
PLAIN = (str, bytes, int, float, complex, tuple, type(None))
# Those that talk to the person or find everything, of which a cell would be refused that also uses them.
REFUSED = {"ctypeslib", "putenv", "unsetenv", "nice", "sched_setaffinity", "stack_size"}


def public(module):
    """Give the names that a module offers and that are no plain values."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    offered = ((name, getattr(module, name, None)) for name in sorted({*names} - REFUSED))
    return [name for name, value in offered if type(value) not in PLAIN]


@pytest.mark.parametrize("module", MODULES)
def test_names_are_the_librarys_own(shells, module):
    """Whatever a cell imports by name from a library is that very object when the cell is a hit."""
    library = pytest.importorskip(module)
    names = public(library)
    cell = f"%%cached\nfrom {module} import {', '.join(names)}"
    first = shells().run(cell)
    assert first.kind == "miss", first.outcome
    again = shells()
    assert again.run(cell).kind == "hit"
    library = importlib.import_module(module)
    others = [name for name in names if again.ns[name] is not getattr(library, name)]
    assert not others


@pytest.mark.parametrize("module", ["math", "random", "numpy.linalg", "torch.nn", "sympy"])
def test_star_takes_the_librarys_own(shells, module):
    """A star import leaves, when the cell is a hit, the tables of the library that it took, not copies."""
    library = pytest.importorskip(module)
    assert shells().run(f"%%cached\nfrom {module} import *").kind == "miss"
    again = shells()
    assert again.run(f"%%cached\nfrom {module} import *").kind == "hit"
    taken = [name for name in public(library) if name in again.ns]
    assert taken
    assert all(again.ns[name] is getattr(library, name) for name in taken)
