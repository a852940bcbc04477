"""The corpus and the function that are measured: texts of about 400 characters, and vectors that cost nothing."""

import numpy as np

FILLING = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore. "
    * 4
)


def texts(count):
    """Make different texts."""
    return [f"{number:08d} {FILLING[: 380 + number % 40]}" for number in range(count)]


def vectors(texts, dimension=768):
    """Give a vector for each text that depends on it."""
    numbers = np.fromiter((int(text[:8]) for text in texts), np.uint32, len(texts))
    return (numbers[:, None] * np.arange(1, dimension + 1, dtype=np.uint32)).astype(np.float32)


def narrow(texts):
    """Give a short vector for each text, where millions are looked up."""
    return vectors(texts, 16)
