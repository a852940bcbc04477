"""The digest that devices compute, by the same functions on the CPU."""

import shutil
import subprocess

import numpy as np
import pytest
import torch

from lean_magic.values.adapters import torch_device, torch_storage
from lean_magic.values.adapters.torch_content import digest_of
from lean_magic.values.adapters.torch_device import digest_on_device
from lean_magic.values.tree import LEAF

RANDOM = torch.from_numpy(np.random.default_rng(3).integers(0, 256, 9 * LEAF, np.uint8))


@pytest.mark.parametrize("size", [0, 5, LEAF - 1, LEAF, LEAF + 1, 2 * LEAF, 7 * LEAF + 12_345])
@pytest.mark.parametrize("content", [RANDOM, torch.zeros_like(RANDOM), torch.full_like(RANDOM, 255)])
def test_a_device_digests_as_the_cpu_does(size, content):
    """What torch's operations compute is the digest that xxhash gives, for any bytes and any length."""
    assert digest_on_device(content[:size]) == digest_of(content[:size])


@pytest.mark.parametrize("batch", [LEAF, 3 * LEAF])
def test_batches_do_not_matter(batch, monkeypatch):
    """How much is worked on at a time plays no part."""
    monkeypatch.setattr(torch_device, "_AT_ONCE", batch)
    monkeypatch.setattr(torch_device, "_SUMS", 2 * batch // 16)
    assert digest_on_device(RANDOM) == digest_of(RANDOM)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn, torch.bool, torch.complex64]
)
@pytest.mark.parametrize("turn", [lambda x: x, lambda x: x.T, lambda x: x[:, ::2], lambda x: x[1:, 3:]])
def test_dtypes_and_layouts(dtype, turn):
    """Every dtype and layout has on a device the digest that it has on the CPU."""
    value = turn((torch.arange(1200 * 900).reshape(1200, 900) % 251).to(dtype))
    assert digest_on_device(value) == digest_of(value)


def test_a_device_that_computes_something_else_is_not_used(monkeypatch):
    """Where the operations of a device do not give xxh3, tensors are copied to the CPU instead."""
    torch_device._way.cache_clear()
    monkeypatch.setattr(torch_device._Plain, "products", lambda self, words, secret: words + secret)
    try:
        assert torch_device._way("cpu") is None
        with pytest.raises(RuntimeError, match="does not compute xxh3"):
            digest_on_device(RANDOM)
    finally:
        torch_device._way.cache_clear()


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_what_is_compiled_for_cuda(monkeypatch, tmp_path):
    """The two functions that are fused on CUDA are C++, and compute what the plain operations do."""
    jiterator = pytest.importorskip("torch.cuda.jiterator")
    sources = []
    monkeypatch.setattr(jiterator, "_create_jit_fn", sources.append)
    torch_device._Fused()
    numbers = [int(number) for number in np.random.default_rng(4).integers(-(2**63), 2**63 - 1, 7)]
    told = ", ".join(f"(long long){number & (2**64 - 1)}ULL" for number in numbers)
    main = f'#include <cstdio>\nint main() {{ printf("%lld %lld", product({told[: told.index(", ", told.index(", ") + 1)]}), scramble({told})); }}'
    (tmp_path / "fused.cpp").write_text("\n".join([*sources, main]))
    subprocess.run(["g++", "-o", tmp_path / "fused", tmp_path / "fused.cpp"], check=True)
    found = subprocess.run([tmp_path / "fused"], capture_output=True, text=True, check=True).stdout.split()
    values = [torch.tensor([number]) for number in numbers]
    plain = torch_device._Plain()
    assert int(found[0]) == plain.products(values[0], values[1]).item()
    assert int(found[1]) == plain.scrambled(values[0], values[1], torch.stack(values[2:])).item()


@pytest.mark.parametrize("size", [1, 1000, (16 << 20) + 1, 70 << 20])
def test_bytes_that_go_through_buffers_arrive(size):
    """What is copied piece by piece through a few buffers arrives whole and in order."""
    source = RANDOM.repeat(31)[:size].roll(size // 3)
    target = torch.zeros_like(source)
    torch_storage.pipelined(source, target, pinned=False)
    assert torch.equal(source, target)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    """On a GPU the digest is that of the same content on the CPU, and little memory is taken for it."""
    value = torch.randint(0, 255, (300 << 20,), dtype=torch.uint8)
    there = value.cuda()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    assert digest_on_device(there) == digest_of(value)
    assert torch.cuda.max_memory_allocated() - before < 256 << 20
