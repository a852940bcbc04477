"""Objects of libraries that live in their process alone, each told in the user's words: neither compared nor stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lean_magic.errors import Unstorable
from lean_magic.values.fingerprint import INSIDE, Rule, Walk
from lean_magic.values.origin import module_of

__all__ = ["live_reducer", "live_rule"]

_CLIENT = "a client of a service on the network", ""
_DATABASE = "a connection to a database", ""
# Package and class, or one of its bases → what it is, and a remedy where there is a better one than the usual.
_KNOWN: dict[tuple[str, str], tuple[str, str]] = {
    ("duckdb", "DuckDBPyConnection"): _DATABASE,
    ("_duckdb", "DuckDBPyConnection"): _DATABASE,
    ("psycopg2", "connection"): _DATABASE,
    ("psycopg", "BaseConnection"): _DATABASE,
    ("pymongo", "MongoClient"): _CLIENT,
    ("redis", "Redis"): _CLIENT,
    ("botocore", "BaseClient"): _CLIENT,
    ("_duckdb", "DuckDBPyRelation"): (
        "a query that DuckDB has not run",
        "keep its result, as .df() gives it",
    ),
    ("lxml", "_Element"): ("a tree of lxml", "keep what you need of it, or its text"),
    ("lxml", "_ElementTree"): ("a tree of lxml", "keep what you need of it, or its text"),
    ("distributed", "Client"): ("a client of a Dask cluster", "make it in an uncached cell"),
    ("mlflow", "ActiveRun"): ("a run of MLflow", "log in an uncached cell"),
    ("tensorboard", "EventFileWriter"): (
        "a writer of TensorBoard, which writes from a thread of its own",
        "keep in a list what it is to write, and write that in an uncached cell",
    ),
    ("torch", "_KinetoProfile"): (
        "a profile of torch",
        "keep its table as text, as prof.key_averages().table() gives it",
    ),
    ("wandb", "Run"): ("a run of Weights & Biases", "log in an uncached cell"),
    ("torch", "_MultiProcessingDataLoaderIter"): (
        "a half used iterator of a DataLoader with workers",
        "write next(iter(loader)) without keeping the iterator, or go through it in one cell",
    ),
    ("torch", "ExportedProgram"): (
        "a program that torch has exported",
        "export and call it in uncached cells, or within one cell that keeps only results",
    ),
    ("unittest", "NonCallableMock"): ("a mock", ""),
}


def _known(cls: type) -> tuple[str, str] | None:
    told = (_KNOWN.get((module_of(base).partition(".")[0], base.__name__)) for base in cls.__mro__)
    return next((found for found in told if found is not None), None)


def live_rule(cls: type) -> Rule | None:
    """Give the rule that refuses to compare objects of a class; None for any other class."""
    known = _known(cls)
    if known is None:
        return None

    def refuse(walk: Walk, value: Any) -> bytes:
        raise walk.fail(value, f"is or holds {known[0]}, which has no content to compare", known[1] or INSIDE)

    return refuse


def live_reducer(cls: type) -> Callable[[Any], Any] | None:
    """Give what refuses to store objects of a class; None for any other class."""
    known = _known(cls)
    if known is None:
        return None

    def refuse(obj: Any) -> Any:
        raise Unstorable(type(obj).__qualname__, f"is or holds {known[0]}", known[1])

    return refuse
