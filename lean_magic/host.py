"""This machine and who uses it, without the modules that take long to load."""

from __future__ import annotations

import os
import sys

from lean_magic._version import __version__

__all__ = ["new_id", "node", "provenance", "working_folder"]


_uname = getattr(os, "uname", None)  # whoever tests puts something else in its place


def new_id(size: int = 16) -> str:
    """Give a number that nobody else gives, of so many bytes, in hex."""
    return os.urandom(size).hex()


def node() -> str:
    """Name this machine in its network."""
    if _uname is not None:
        return str(_uname().nodename)
    import socket

    return socket.gethostname()


def working_folder() -> str:
    """Give the working folder's path, or "" where somebody has deleted it."""
    try:
        return os.getcwd()  # noqa: PTH109  asked whenever a file is opened
    except FileNotFoundError:
        return ""


def provenance() -> dict[str, str]:
    """Say who makes an entry, where, and with what."""
    import getpass

    return {
        "user": getpass.getuser(),
        "host": node(),
        "python": sys.version.partition(" ")[0],
        "lean_magic": __version__,
        "executable": sys.executable,
    }
