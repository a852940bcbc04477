"""Files that libraries in C, C++ or Rust open by themselves, where no audit hook sees it.

What such a library may have read is found from the texts that the code holds and
reaches: those that name a file, a folder or a pattern, and, where a path is put
together, every file whose ending the code names. What it may have written is found
by looking at the folders that the code names, before and after.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from lean_magic.effects.recorder import Run
from lean_magic.errors import Unstorable

__all__ = [
    "asks_to_read",
    "database",
    "guessed",
    "may_write",
    "must_be_known",
    "must_be_seen",
    "named",
    "says_kind",
    "writes_to",
]

_LIBRARIES = {
    "polars", "pyarrow", "safetensors", "h5py", "cv2", "duckdb", "datasets", "tables", "netCDF4", "fastparquet",
    "transformers", "sentence_transformers", "torchaudio", "torchvision", "tokenizers", "lance", "rasterio", "xgboost",
    "lightgbm", "catboost", "faiss", "annoy", "hnswlib", "soundfile",
}  # fmt: skip
_READS = {
    "load_file",
    "safe_open",
    "from_file",
    "imread",
    "imreadmulti",
    "ParquetFile",
    "ParquetDataset",
    "read_table",
    "load_model",
}
# What tables and arrays read and write through such a library, which no code need name.
_READS_THROUGH = {"read_parquet", "read_hdf", "open_dataset", "open_dataarray", "open_mfdataset"}
_WRITES_THROUGH = {"to_parquet", "to_hdf", "to_netcdf"}
_SQL = {"sql", "query", "execute", "executemany", "from_query"}  # in DuckDB a statement may name files
# Names that are common, too: what is opened is looked at, but no folder is taken to be read as a whole.
_MAY_READ = {
    "from_pretrained",
    "File",
    "VideoCapture",
    "connect",
    "dataset",
    "load",
    "load_dataset",
    "open",
    "open_file",
}
_WRITES = (
    "write_",
    "sink_",
    "save",
    "to_parquet",
    "to_feather",
    "to_hdf",
    "imwrite",
    "mmwrite",
    "File",
    "dump",
)
_CALLS_C = {
    "CDLL", "PyDLL", "WinDLL", "OleDLL", "cdll", "pydll", "windll", "oledll", "pythonapi", "CFUNCTYPE",
    "PYFUNCTYPE", "WINFUNCTYPE", "ctypeslib",
}  # fmt: skip
_DOTS = {".", "..", "./", "../", "/"}  # in data these are signs; only code that says one means a folder


def named(run: Run) -> Iterator[tuple[str, bool]]:
    """Give the paths that the texts of a cell name, those that exist, and whether all below one may be read."""
    deep = _reads_folders(run)
    hidden = _reads_unseen(run)
    for text in sorted(run.strings | run.inner | at_home(run)):
        if not 0 < len(text) < 1000 or "\0" in text or "\n" in text:
            continue
        if text not in run.strings and os.sep not in text and not os.path.isfile(text):
            continue  # a model knows many words, and folders of any name lie around
        if text == os.sep:
            continue  # what paths are put together with
        if text in _DOTS and not (hidden and text in run.constants):
            continue
        # Python's own listings are seen.
        plain = (os.sep in text or "." in text) and not os.path.isdir(text)
        if (hidden or plain) and os.path.lexists(text):
            yield text, deep
        elif hidden and _is_pattern(text):
            yield os.path.dirname(text) or ".", False
            yield from ((name, deep) for name in glob.glob(text))
    if hidden:
        yield from ((name, False) for name in _ending(run))


def at_home(run: Run) -> set[str]:
    """Give the paths that code may mean in the user's folder, or in one that a variable of the environment names."""
    tails = {text for text in run.constants if 0 < len(text) < 1000 and "\0" not in text and "\n" not in text}
    homes = [home for name, home in os.environ.items() if name in tails]
    if run.words & {"home", "expanduser"} or any(text.startswith("~") for text in tails):
        homes.append(os.path.expanduser("~"))
    found = {os.path.normpath(os.path.join(home, text.lstrip("~/"))) for home in homes for text in tails}
    return {path for path in found | set(homes) if os.path.lexists(path)}


def _reads_unseen(run: Run) -> bool:
    """Whether the code uses a library that is known to open files by itself."""
    return bool(run.packages & _LIBRARIES) or not {"from_file", *_READS_THROUGH}.isdisjoint(run.words)


def asks_to_read(run: Run) -> bool:
    """Whether the code may have a library read a file unseen."""
    common = not (_MAY_READ | _READS_THROUGH).isdisjoint(run.words)
    return _reads_unseen(run) and (_reads(run) or common or _queries_files(run))


def _queries_files(run: Run) -> bool:
    return "duckdb" in run.packages and not _SQL.isdisjoint(run.words)


def _reads(run: Run) -> bool:
    return any(word in _READS or word.startswith(("read_", "scan_")) for word in run.words)


def guessed(run: Run, found: Collection[str]) -> set[str]:
    """Give the folders any file of which may be read: by a library in C, under a name that no text holds.

    `found` are the paths that texts name: where there is one, that is taken for what is read, with what was
    seen to be opened.
    """
    any_file = _reads_unseen(run) and _reads(run) and not found
    return {os.path.normpath(place) for place in _places(run)} if any_file else set()


def _is_pattern(text: str) -> bool:
    """Whether a text is a pattern of paths: not a token such as `[CLS]`, not a question, not below the root."""
    names = os.sep in text or "." in text
    return (
        names and glob.has_magic(text) and os.path.dirname(text) != os.sep and not any(map(str.isspace, text))
    )


def _ending(run: Run) -> Iterator[str]:
    """Give the files, in the folders that count, whose ending stands in the code by itself or after a gap."""
    endings = tuple(text for text in run.constants if text.startswith((".", "/", "*")) and "." in text[:6])
    tails = {os.path.splitext(text)[1] for text in endings} | {
        text for text in endings if text.startswith(".")
    }
    for folder in _places(run) if tails - {""} else ():
        with os.scandir(folder) as entries:
            yield from (
                os.path.normpath(entry.path) for entry in entries if os.path.splitext(entry.name)[1] in tails
            )


def _places(run: Run) -> Iterable[str]:
    return {
        ".",
        *(text for text in run.strings if 0 < len(text) < 1000 and "\0" not in text and os.path.isdir(text)),
    }


def _reads_folders(run: Run) -> bool:
    """Whether a folder that is named may be read as a whole."""
    through = {"from_pretrained", "load_dataset", "ImageFolder"} | _READS_THROUGH
    return bool(run.packages & _LIBRARIES or run.words & through)


def database(told: Any) -> str:
    """Give the path of what SQLite opens, a path or a URI; "" for a database in memory."""
    text = os.fsdecode(told) if isinstance(told, (str, bytes, os.PathLike)) else ""
    if text.startswith("file:"):
        where, _, options = text.removeprefix("file:").partition("?")
        text = (
            "" if "mode=memory" in options else unquote(where.removeprefix("//localhost").removeprefix("//"))
        )
    return "" if text == ":memory:" else text


def may_write(run: Run) -> bool:
    """Whether the code may have a library write a file unseen."""
    by_itself = bool(run.packages & (_LIBRARIES | {"torch", "scipy"}))
    said = any(word.startswith(_WRITES) for word in run.words) or _queries_files(run)
    return (by_itself and said) or not _WRITES_THROUGH.isdisjoint(run.words)


def writes_to(run: Run) -> set[str]:
    """Give the folders that the code may have a library write a file to."""
    parents = (os.path.dirname(text) for text in run.strings if os.sep in text and len(text) < 1000)
    return {*_places(run), *filter(os.path.isdir, parents)}


def says_kind(run: Run, path: str) -> bool:
    """Whether code names the ending of a path, in a text or in a verb; what others write meanwhile has its own."""
    verbs = (word.rpartition("_")[2] for word in run.words if word.startswith(_WRITES))
    texts = (text.rpartition(".")[2] for text in run.strings | run.constants)
    return os.path.splitext(path)[1][1:] in {*verbs, *texts}


def must_be_known(run: Run, looked_up: Collection[tuple[str, str]], how: str) -> None:
    """Refuse code, (module, name), that no code has named: the key knows nothing of it. Raises Unstorable.

    `how` says by what it was looked up, as the user is told.
    """
    met = run.walk.live() if looked_up else {}
    for module, name in sorted(looked_up):
        own = module == "__main__"
        label = name if own else f"{module}.{name}"
        space = run.namespace if own else vars(sys.modules.get(module, object))
        if label not in run.reads | run.assigned and id(space.get(name)) not in met:
            raise Unstorable(label, how, "name it in the code, too")


def must_be_seen(run: Run) -> None:
    """Refuse code that calls C by itself: what that reads, asks and sets is seen by nobody. Raises Unstorable."""
    said = run.words | run.constants
    through = "cffi" if "cffi" in run.packages and said & {"dlopen", "verify"} else "ctypes"
    if through == "cffi" or not _CALLS_C.isdisjoint(said):
        raise Unstorable(through, "calls code in C, which nothing observes", "call it in an uncached cell")
