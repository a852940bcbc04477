"""What is known about other libraries' objects: one file a library.

An adapter is imported only once its library is in `sys.modules`, that is, once
the user's own code brought it.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, Protocol, cast

from lean_magic.values.origin import module_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from lean_magic.values.fingerprint import Rule
    from lean_magic.values.memory import Memory

__all__ = ["KNOWN", "Adapter", "adapters_for", "load_adapters", "look", "notice"]

# Top-level package → the file in this folder that knows its objects.
KNOWN = {
    "_thread": "threading_",
    "anthropic": "clients_",
    "asyncio": "asyncio_",
    "bokeh": "bokeh_",
    "bs4": "bs4_",
    "contextlib": "contextlib_",
    "dateutil": "dateutil_",
    "h5py": "h5py_",
    "http": "clients_",
    "httpcore": "clients_",
    "httpcore2": "clients_",
    "httpx": "clients_",
    "httpx2": "clients_",
    "lightgbm": "lightgbm_",
    "lmfit": "lmfit_",
    "matplotlib": "matplotlib_",
    "networkx": "networkx_",
    "numba": "numba_",
    "numpy": "numpy_",
    "openai": "clients_",
    "pandas": "pandas_",
    "patsy": "patsy_",
    "PIL": "pil_",
    "plotly": "plotly_",
    "polars": "polars_",
    "pyarrow": "pyarrow_",
    "pydantic": "pydantic_",
    "scipy": "scipy_",
    "sentence_transformers": "sentence_transformers_",
    "sklearn": "sklearn_",
    "sqlite3": "sqlite3_",
    "sqlalchemy": "sqlalchemy_",
    "ssl": "clients_",
    "statsmodels": "patsy_",
    "sympy": "sympy_",
    "tokenizers": "tokenizers_",
    "toolz": "toolz_",
    "torch": "torch_",
    "tqdm": "tqdm_",
    "traitlets": "traitlets_",
    "transformers": "transformers_",
    "xarray": "xarray_",
    "xgboost": "xgboost_",
}

# What an adapter needs of a library that the library itself loads late.
_NEEDS = {"dateutil": "dateutil.tz", "numpy": "numpy.random"}


class Adapter(Protocol):
    """What one library's objects need; every adapter passes tests/contracts/adapter_contract.py."""

    library: str

    def rule(self, cls: type) -> Rule | None:
        """Give the rule that fingerprints objects of `cls`, or None to leave them to Python's own."""

    def reduce(self, value: Any, memory: Memory | None) -> Any:
        """Give the reduced form to store `value` by, or NotImplemented to leave it to pickle.

        `memory` knows which arrays of the graph share memory; None: write by content alone.
        """

    def shape(self, value: Any) -> tuple[Any, ...] | None:
        """Give (interval of memory, shape, dtype) of an array; None for anything else."""

    def content(self, value: Any) -> Any:
        """Give the content of `value` as another object, or NotImplemented."""

    def write_back(self, live: Any, stored: Any) -> bool:
        """Make `live` hold what `content` gave; False if `live` is not of this adapter's kinds."""


def adapters_for(cls: type) -> Iterator[Adapter]:
    """Give the adapters that may know `cls`: those of its own library, then of its bases'."""
    packages = dict.fromkeys(module_of(base).partition(".")[0] for base in cls.__mro__)
    return (_load(package) for package in packages if package in KNOWN and package in sys.modules)


def load_adapters() -> list[str]:
    """Load the adapters of all libraries that are loaded now, which the first object of theirs would do; name them.

    Those of Python's own, some of which every kernel loads, wait for that object.
    """
    libraries = KNOWN.keys() - sys.stdlib_module_names
    found = [package for package in sorted(libraries) if _NEEDS.get(package, package) in sys.modules]
    for package in found:
        _load(package)
    return found


def look(values: Collection[Any]) -> None:
    """Let adapters note, before a cell runs, what objects of the notebook read that keep it once they are used."""
    if _COMPILER in sys.modules:
        _load("numba").look(values)  # type: ignore[attr-defined]


def notice(values: Collection[Any]) -> None:
    """Let them note what those keep that the cell has used."""
    if _COMPILER in sys.modules:
        _load("numba").notice(values)  # type: ignore[attr-defined]


_COMPILER = "numba.core.dispatcher"


def _load(package: str) -> Adapter:
    module = importlib.import_module(f"{__name__}.{KNOWN[package]}")
    return cast("Adapter", module.ADAPTER)
