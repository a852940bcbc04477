"""What generated cells are made of: one phrase a statement, most of them in phrases.txt.

In a phrase `<L>` is a list that is bound already and `<=L>` one that the phrase binds, likewise

    I int   S str   L list   N list of lists   D dict   U set   A array   T table   O object of a class C
    C class   F function of one number   H container of functions   R numpy generator   P file   M caching function

`<k>` is a small number, `<s>` a short text, `<*>` another phrase. Phrases of a group are as likely together as
those of any other group of the same weight.
"""

import re
from pathlib import Path

MAKERS = {
    "I": "<=I> = <k>",
    "S": "<=S> = <s>",
    "L": "<=L> = [<k>, <k>]",
    "N": "<=N> = [[<k>], [<k>, <k>]]",
    "D": "<=D> = {'a': <k>, 'b': <k>}",
    "U": "<=U> = {<k>, <k>}",
    "A": "<=A> = np.arange(6) + <k>",
    "T": "<=T> = pd.DataFrame({'a': [<k>, 2, 3], 'b': [4.0, <k>, 6.0]})",
    "C": "class <=C>:\n    n = <k>\n    items = []\n    def __init__(self, v=<k>):\n        self.v = v\n"
    "    def go(self, by=<k>):\n        return self.v * self.n + by",
    "O": "<=O> = <C>(<k>)",
    "F": "def <=F>(v, by=<k>):\n    return v * <k> + by",
    "H": "<=H> = [<F>, lambda v: v + <k>]",
    "R": "<=R> = np.random.default_rng(<k>)",
    "P": "with open(<=P>, 'w') as out:\n    out.write(<s> * <k>)",
    "M": "@functools.lru_cache\ndef <=M>(v):\n    return v + <k>",
}


def _groups():
    """Read phrases.txt: name of a group → (phrases, weight)."""
    text = (Path(__file__).parent / "phrases.txt").read_text("utf-8")
    found = re.findall(r"^\[(\w+) ?(\d*)\]\n(.*?)(?=^\[\w+ ?\d*\]\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return {
        name: ([line.replace("\\n", "\n") for line in lines.split("\n") if line], int(weight or 0))
        for name, weight, lines in found
    }


_FOUND = _groups()
# Groups of statements, as likely as their weight; how a cell may end; what is done between two runs, never cached.
GROUPS = [group for group in _FOUND.values() if group[1]]
LAST, MEDDLING = _FOUND["last"][0], _FOUND["meddling"][0]

START = """
import collections, contextlib, copy, dataclasses, decimal, enum, functools, json, logging, operator, os
import pathlib, pickle, random, sys, types, warnings
import IPython.display
from IPython.display import display
import numpy as np
import pandas as pd
_seeded = 0
"""

FILES_AT_START = {
    "data.txt": "one\ntwo\n",
    "nums.csv": "a,b\n1,2\n3,4\n",
    "conf.json": '{"a": 1, "b": [2]}',
    "helper.py": "import inner\nLIMIT = 3\nSTATE = []\n\n\ndef ramp(v):\n    return v * LIMIT\n\n\n"
    "def bump(v):\n    global LIMIT\n    LIMIT += v\n    STATE.append(v)\n\n\n"
    "class Box:\n    n = 1\n    items = STATE\n\n    def __init__(self, v=0):\n        self.v = v\n\n"
    "    def go(self, by=0):\n        return self.v + self.n + by\n",
    "inner.py": "FACTOR = 2\n\n\ndef depth(v):\n    return v * FACTOR\n",
}

# File contents that an edit may swap in: the same name, another text.
EDITS_OF_FILES = {
    "data.txt": ["one\nsix\n", "three\n", ""],
    "nums.csv": ["a,b\n1,2\n3,5\n"],
    "conf.json": ['{"a": 2, "b": [2]}'],
    "helper.py": [("v * LIMIT", "v + LIMIT"), ("LIMIT = 3", "LIMIT = 4"), ("by\n", "by + 1\n")],
    "inner.py": [("FACTOR = 2", "FACTOR = 3"), ("v * FACTOR", "v - FACTOR")],
}
