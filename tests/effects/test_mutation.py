"""In-place change of objects that existed before the cell."""

import contextlib
import datetime
import threading

import numpy as np
import pytest

from lean_magic.effects.changes import changed
from lean_magic.effects.mutation import Mutation
from lean_magic.effects.recorder import Run
from lean_magic.values import Walk, codec

# name → cells: earlier ones, the cached one, one that changes something in between, one that looks.
CASES = {
    "mutate list": {"setup": "x=[1]", "cell": "x.append(2)", "probe": "print(x)"},
    "mutate alias": {"setup": "x=[1]\ny=x", "cell": "x=x+[2]\ny.append(3)", "probe": "print(x,y)"},
    "mutate fn attr": {
        "setup": "def f(): pass\nf.n=0",
        "cell": "f.n+=1",
        "change": "f.n=0",
        "probe": "print(f.n)",
    },
    "mutate closure": {
        "setup": "def mk():\n    n=0\n    def g():\n        nonlocal n\n        n+=1\n        return n\n    return g\ng=mk()",
        "cell": "print(g())",
        "probe": "print(g())",
    },
    "mutate default": {
        "setup": "def f(a=[]):\n    a.append(1)\n    return a",
        "cell": "print(f())",
        "probe": "print(f())",
    },
    "mutate class attr": {
        "setup": "class C: n=0",
        "cell": "C.n+=1",
        "change": "C.n=0",
        "probe": "print(C.n)",
    },
    "mutate enum member": {
        "setup": "import enum\nclass C(enum.Enum): A=1",
        "cell": "C.A.extra=5",
        "change": "del C.A.extra",
        "probe": "print(C.A.extra)",
    },
    "mutate lru": {
        "setup": "import functools\ncalls=[]\n@functools.lru_cache\ndef f(x):\n    calls.append(x)\n    return x",
        "cell": "f(1)",
        "probe": "f(1)\nprint(calls)",
    },
    "pl frame inplace": {
        "setup": "import polars as pl\ndf=pl.DataFrame({'a':[1]})",
        "cell": "df.insert_column(1, pl.Series('b',[2]))",
        "change": "df=pl.DataFrame({'a':[1]})",
        "probe": "print(df.columns)",
    },
    "df attr": {
        "setup": "import pandas as pd\ndf=pd.DataFrame({'a':[1]})",
        "cell": "df['b']=2",
        "change": "del df['b']",
        "probe": "print(list(df))",
    },
    "input view mutated": {
        "setup": "import numpy as np\na=np.zeros(3)\nb=a[:2]",
        "cell": "a[0]+=1\nprint(b)\na[0]-=1",
        "change": "b=a[:2].copy()",
    },
    "temp mutation views": {
        "setup": "import numpy as np\na=np.zeros(3)\nb=a[:]",
        "cell": "a+=1\nprint(b.sum())\na-=1",
        "change": "b=a.copy()",
    },
    "logging level": {
        "setup": "import logging\nL=logging.getLogger('zz')\nL.setLevel(10)",
        "cell": "L.setLevel(30)",
        "change": "L.setLevel(10)",
        "probe": "print(L.level)",
    },
    "logging read": {
        "setup": "import logging\nL=logging.getLogger('zz')\nL.setLevel(10)",
        "cell": "print(L.isEnabledFor(20))",
        "change": "L.setLevel(30)",
    },
    "logging basicConfig": {
        "setup": "import logging",
        "cell": "logging.getLogger().setLevel(10)",
        "change": "logging.getLogger().setLevel(30)",
        "probe": "print(logging.getLogger().level)",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_cached_as_uncached(both, name):
    """A change in place is there after a hit, or the cell runs."""
    plain, cached = both(**CASES[name])
    assert cached == plain


def test_what_cannot_change_is_not_looked_at_again():
    """Texts, numbers and tuples of them are not fingerprinted a second time; whatever could change is, at any depth."""
    held = {
        "text": "a" * 1000, "pair": (1, ("b", 2.5)), "set": frozenset({"x", "y"}), "when": datetime.date(2024, 2, 29),
        "list": [1], "inside": (1, [2]), "lock": (threading.Lock(),), "array": (np.zeros(3),), "again": ([3],),
    }  # fmt: skip
    walk = Walk()
    for name, value in held.items():
        walk.fingerprint(name, value)
    assert walk.fixed == {"text", "pair", "set", "when"}
    parts, again = changed(walk)
    assert parts == set()
    assert again.values.keys() == held.keys() - walk.fixed
    held["inside"][1].append(3)
    held["lock"][0].acquire()
    held["array"][0][1] = 1
    assert changed(walk)[0] == {"inside", "lock", "array"}


class Elsewhere:
    """A device that is none: tensors copied here are taken to lie on it."""

    def __init__(self, monkeypatch):
        from lean_magic.values.adapters import torch_storage

        self._kept = {}
        monkeypatch.setattr(torch_storage, "_device", self.device_of)
        monkeypatch.setattr(torch_storage, "_is_present", lambda device: device == "cuda:7")
        monkeypatch.setattr(torch_storage, "_moved", lambda value, _: self.copy(value))

    def device_of(self, value):
        """Tell where a tensor lies."""
        return "cuda:7" if value.data_ptr() in self._kept else ""

    def copy(self, value):
        """Copy a tensor there."""
        copied = value.detach().clone()
        self._kept[copied.data_ptr()] = copied
        return copied

    def take(self, model):
        """Do what `model.to("cuda:7")` does."""
        for parameter in model.parameters():
            parameter.data = self.copy(parameter)
        for module in model.modules():
            for name, buffer in module.named_buffers(recurse=False):
                module._buffers[name] = self.copy(buffer)


def test_a_model_that_is_moved_is_moved_by_a_hit(monkeypatch, tmp_path):
    """`model.to(device)` leaves all content as it was, and yet a replay moves parameters in place, and buffers."""
    torch = pytest.importorskip("torch")
    there = Elsewhere(monkeypatch)

    def begun():
        model, walk, recorder = torch.nn.BatchNorm1d(2), Walk(), Mutation()
        walk.fingerprint("model", model)
        run = Run(None, {"model": model}, walk, loads={"model": [("to",)]})
        recorder.begin(run)
        return model, run, recorder

    model, run, recorder = begun()
    there.take(model)
    record = recorder.end(run)
    assert record.effects == ["model"]
    live = codec.Live({id(value): mark for mark, value in run.walk.by_mark().items()})
    with (tmp_path / "payload").open("wb") as file:
        layout = codec.dump(codec.encode(record.values, live), file)
    assert recorder.still_holds(record.observed, run) == "a model lies on another device now"

    model, run, recorder = begun()
    weight = model.weight
    assert recorder.still_holds(record.observed, run) == ""
    record.values = codec.load(tmp_path / "payload", layout, run.walk.by_mark(), {})
    with contextlib.ExitStack() as undo:
        recorder.replay(record, run, undo)
        undo.pop_all()
    held = [model.weight, model.bias, model.running_mean, model.running_var]
    assert {there.device_of(one) for one in held} == {"cuda:7"}
    assert model.weight is weight


def test_a_tensor_that_is_copied_elsewhere_counts_by_content(monkeypatch):
    """`x.to(device)` gives another tensor, so where `x` lies does not matter to an entry."""
    torch = pytest.importorskip("torch")
    there = Elsewhere(monkeypatch)
    value, walk, recorder = there.copy(torch.ones(3)), Walk(), Mutation()
    walk.fingerprint("x", value)
    run = Run(None, {"x": value}, walk, loads={"x": [("to",)]})
    recorder.begin(run)
    assert recorder.end(run).observed == {}
