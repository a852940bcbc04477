"""The verbs of `%lean`: each reads the store or the ledger and prints a table."""

from __future__ import annotations

__all__ = ["run"]
from typing import Any


def run(runner: Any, line: str) -> None:
    print(runner, line)
