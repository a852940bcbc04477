"""What a kernel knows about its own GPUs, without ever taking one into use."""

import sys
import types
from types import SimpleNamespace

import pytest

from lean_magic.views.figures import Gpu, figures

SHELL = SimpleNamespace()


def test_each_gpu_that_is_held(cuda):
    """A GPU on which torch holds memory is told with its name, size and price; the others are not even asked."""
    (gpu,) = figures(SHELL).gpus
    assert (gpu.index, gpu.name, gpu.total, gpu.price) == (0, "NVIDIA H200", 128 << 30, 4.59)
    assert (gpu.reserved, gpu.allocated, gpu.idle) == (8 << 30, 4 << 30, 4 << 30)
    assert gpu.cost == pytest.approx(4.59 / 16)
    assert set(cuda.asked) == {0}


def test_own_price(cuda):
    """The user's own price comes before that of the table."""
    assert figures(SHELL, 1.0).gpus[0].price == 1.0


def test_what_is_not_known():
    """Without size or price there is no cost, which is not a cost of nothing."""
    assert Gpu("GPU-1", 5, 3).cost is None
    assert Gpu("GPU-1", 5, 9).idle == 0


def torch_with(**members):
    """Return a torch with a CUDA that is like this."""
    torch = types.ModuleType("torch")
    torch.version = SimpleNamespace(cuda=members.pop("built", "12.4"))
    torch.cuda = SimpleNamespace(is_initialized=lambda: members.get("started", False), device_count=lambda: 0)
    return torch


@pytest.mark.parametrize(
    ("torch", "why"),
    [
        (None, "has not imported torch"),
        (types.ModuleType("torch"), "has not imported torch"),
        (torch_with(built=None), "built for the CPU"),
        (torch_with(), "has not used a GPU yet"),
        (torch_with(started=True), "holds no GPU memory now"),
    ],
)
def test_why_there_is_none(monkeypatch, torch, why):
    """Where there is no GPU a sentence says why, and looking imports no torch and starts no CUDA."""
    if torch is None:
        monkeypatch.delitem(sys.modules, "torch", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "torch", torch)
    assert why in figures(SHELL).why
    assert sys.modules.get("torch") is torch


def test_cells():
    """What of the notebook is cached comes from the kernel's own report."""
    told = {"cells": 11, "hit_cells": 9, "restart_seconds": 40.0}
    shell = SimpleNamespace(_lean_magic_report=SimpleNamespace(_cells=SimpleNamespace(told=lambda: told)))
    found = figures(shell)
    assert (found.cells, found.cached, found.restart) == (11, 9, 40.0)
