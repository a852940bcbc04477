"""What the measured cells and calls compute: the same functions on both sides."""

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
