"""What the tests see of a local store behind its back."""

import os
import time


def beside(store, manifest, suffix):
    """Return the path of one of the entry's files."""
    return store.root / "entries" / manifest.family / manifest.key / f"{manifest.entry}{suffix}"


def flip(path):
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def files(store):
    """Return the names of all files of the store, sorted."""
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


def make_old(path, days=2):
    """Let a file look as if it was last written days ago."""
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
