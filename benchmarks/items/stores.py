"""Caches that are compared, each as people use it: `store(texts, folder)` and `look_up(texts, folder)`.

Each computes what it misses with the same function, whose cost is next to nothing, so that what is measured is
the cache. Those whose library is not there are left out.
"""

import sqlite3
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from texts import vectors

BATCH = 256


def whole_array(texts, folder):
    """Keep one array for all texts: `np.save`, `np.load`."""
    path = Path(folder) / "whole.npy"
    if path.exists():
        return np.load(path)
    found = vectors(texts)
    np.save(path, found)
    return found


def lean_magic_items(texts, folder):
    """Map."""
    del folder  # told by LEAN_MAGIC_CACHE_DIR
    import lean_magic

    return lean_magic.cached_map(vectors, batch_size=BATCH, quiet=True)(texts)


def langchain(texts, folder):
    """Ask LangChain's CacheBackedEmbeddings on a folder of files."""
    from langchain_classic.embeddings import CacheBackedEmbeddings
    from langchain_classic.storage import LocalFileStore
    from langchain_core.embeddings import Embeddings

    class Vectors(Embeddings):
        def embed_documents(self, texts):
            return vectors(texts).tolist()

        def embed_query(self, text):
            return self.embed_documents([text])[0]

    store = LocalFileStore(folder)
    cache = CacheBackedEmbeddings.from_bytes_store(
        Vectors(), store, namespace="v1", batch_size=BATCH, key_encoder="blake2b"
    )
    return np.array(cache.embed_documents(texts), np.float32)


def joblib_items(texts, folder):
    """Call a function under joblib.Memory once for each text."""
    import joblib

    one = joblib.Memory(folder, verbose=0).cache(_one)
    return np.stack([one(text) for text in texts])


def _one(text):
    return vectors([text])[0]


def diskcache_items(texts, folder):
    """Keep a row for each text in a diskcache.Cache, and write batches in transactions."""
    import diskcache

    with diskcache.Cache(folder, size_limit=2**40, eviction_policy="none") as cache:
        found = {text: cache.get(text) for text in texts}
        missing = [text for text, row in found.items() if row is None]
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            with cache.transact():
                for text, row in zip(batch, vectors(batch), strict=True):
                    cache[text] = found[text] = row
    return np.stack([found[text] for text in texts])


def sqlite_items(texts, folder):
    """Keep a row for each text in a table of SQLite's, and write batches in transactions."""
    base = sqlite3.connect(Path(folder) / "items.sqlite")
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("CREATE TABLE IF NOT EXISTS items (text TEXT PRIMARY KEY, row BLOB) WITHOUT ROWID")
    found = {}
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        marks = ",".join("?" * len(batch))
        found.update(base.execute(f"SELECT text, row FROM items WHERE text IN ({marks})", batch))
        missing = [text for text in batch if text not in found]
        if missing:
            rows = [row.tobytes() for row in vectors(missing)]
            found.update(zip(missing, rows, strict=True))
            with base:
                base.executemany(
                    "INSERT OR REPLACE INTO items VALUES (?, ?)", zip(missing, rows, strict=True)
                )
    base.close()
    return np.stack([np.frombuffer(found[text], np.float32) for text in texts])


# Name → (what maps, the library it needs, whether it is slow enough for a tenth of the texts to do)
STORES = {
    "the whole array, np.save": (whole_array, "numpy", False),
    "lean_magic, item by item": (lean_magic_items, "lean_magic", False),
    "SQLite, a blob a row": (sqlite_items, "sqlite3", True),
    "diskcache, a row": (diskcache_items, "diskcache", True),
    "joblib.Memory, a call an item": (joblib_items, "joblib", True),
    "LangChain, CacheBackedEmbeddings": (langchain, "langchain_classic", True),
}


def available():
    """Name the caches whose library is there."""
    return [name for name, (_, library, _) in STORES.items() if find_spec(library)]
