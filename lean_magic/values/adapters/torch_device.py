"""The digest of a tensor's bytes, computed where the tensor lives: only the leaves' digests cross the bus.

It is the digest of values/tree.py itself. xxh3 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md)
takes 64 bytes at a time as eight words; per word it adds the product of the two halves of word ^ secret to an
accumulator, and the word to the neighbouring one; after every 1024 bytes the accumulators are scrambled. Within
1024 bytes these are sums, whose order does not matter, so all products of all leaves are made at once, and only
the scrambling of 256 sums a leaf goes step by step, for all leaves together. Elementwise operations on int64,
which wraps around as xxh3 wants it, are all this takes, and torch has them on every device.

Why not a plainer digest for devices, say the sum of words times position-dependent odd multipliers modulo 2**64
(Lemire and Kaser, "Strongly universal string hashing is fast", https://arxiv.org/abs/1202.4961)? Their proof is for
multipliers of twice the words' width. With words of 64 bits a change of the top bit of a word changes the sum by
2**63 whatever the multiplier, so two doubles that change their signs cancel out, always. That and the same digest on
the CPU, where xxh3 reads as fast as memory goes, would each have to be paid for; this way the quality of the
digest is xxh3's, and that the device computes it rightly is checked against xxhash before its first use.

On CUDA two small functions are fused by torch's own run-time compiler, so that each word is read from memory once
or twice instead of seven times; where that does not work, plain operations do the same.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import xxhash

from lean_magic.values.adapters.numpy_elements import blocks
from lean_magic.values.tree import LEAF, join

__all__ = ["digest_on_device", "is_worth_it"]

# The secret of xxh3 where none is given.
_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_P32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
_P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_START = (_P32[2], _P64[0], _P64[1], _P64[2], _P64[3], _P32[1], _P64[4], _P32[0])
_LOW = (1 << 32) - 1
_BLOCK, _STRIPES, _LANES = 1024, 16, 8  # bytes of a block, its stripes, the words of a stripe
_AT_ONCE = 32 << 20  # bytes whose products are in memory at a time
_SUMS = 64 << 20  # bytes of sums that are kept until they are scrambled: of 1 GB of content
_LEAST = 4 * LEAF  # bytes below which a copy to the CPU takes less than these many small steps


def is_worth_it(value: torch.Tensor) -> bool:
    """Whether a tensor is to be digested where it is."""
    return value.device.type != "cpu" and value.nbytes >= _LEAST and _way(str(value.device)) is not None


def digest_on_device(value: torch.Tensor) -> bytes:
    """Digest the elements of a dense tensor in C order, on its device (16 bytes).

    Takes up to 200 MB there, and waits for nothing but the current stream. Raises RuntimeError where `is_worth_it`
    would have said no.
    """
    way = _way(str(value.device))
    if way is None:
        raise RuntimeError(f"{value.device} does not compute xxh3")
    return _digest(value, way)


class _Plain:
    """The two innermost steps, by operations that every device has."""

    def products(self, words: torch.Tensor, secret: torch.Tensor) -> torch.Tensor:
        """Multiply the halves of each word ^ secret."""
        keys = words ^ secret
        halves = keys >> 32
        return keys.bitwise_and_(_LOW).mul_(halves.bitwise_and_(_LOW))

    def scrambled(self, state: torch.Tensor, secret: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """Scramble the accumulators, and add the sums of a block, for each of some blocks."""
        for step in steps:
            state = torch.add(
                step, _shifted(state, 47).bitwise_xor_(state).bitwise_xor_(secret), alpha=_P32[0]
            )
        return state


class _Fused:
    """The same, each in one go."""

    def __init__(self) -> None:
        from torch.cuda.jiterator import _create_jit_fn

        names = [f"step{place}" for place in range(_FUSED)]
        scramble = "state = (((state ^ (state >> 47)) ^ (Word)secret) * 0x9E3779B1ULL) + (Word){};"
        self._product = _create_jit_fn(
            "template <typename T> T product(T word, T secret) { typedef unsigned long long Word;"
            " Word key = (Word)word ^ (Word)secret; return (T)((key & 0xFFFFFFFFULL) * (key >> 32)); }"
        )
        self._scramble = _create_jit_fn(
            f"template <typename T> T scramble(T before, T secret, {', '.join('T ' + name for name in names)})"
            " { typedef unsigned long long Word; Word state = (Word)before; "
            f"{' '.join(scramble.format(name) for name in names)} return (T)state; }}"
        )

    def products(self, words: torch.Tensor, secret: torch.Tensor) -> torch.Tensor:
        """Multiply the halves of each word ^ secret."""
        return self._product(words, secret)

    def scrambled(self, state: torch.Tensor, secret: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """Scramble and add for each of some blocks, a few at a time."""
        for first in range(0, len(steps), _FUSED):
            state = self._scramble(state, secret, *steps[first : first + _FUSED])
        return state


_FUSED = (
    5  # steps at a time: 255 of them are 51 times five, and torch fuses functions of up to eight arguments
)


@functools.cache
def _way(device: str) -> _Plain | _Fused | None:
    """Find the fastest way to compute xxh3 on a device that gives what xxhash gives on two leaves and a tail."""
    numbers = torch.arange(2 * LEAF + 100, dtype=torch.int64).mul(0x9E3779B1)
    sample = numbers.bitwise_right_shift(24).to(torch.uint8)
    content = sample.numpy().tobytes()
    leaves = (content[:LEAF], content[LEAF : 2 * LEAF], content[2 * LEAF :])
    expected = join(len(content), [xxhash.xxh3_128_digest(leaf) for leaf in leaves])
    for make in (_Fused, _Plain) if device.startswith("cuda") else (_Plain,):
        with contextlib.suppress(RuntimeError, NotImplementedError, TypeError, ImportError, AttributeError):
            way = make()
            if _digest(sample.to(device), way) == expected:
                return way
    return None


def _digest(value: torch.Tensor, way: _Plain | _Fused) -> bytes:
    size = value.nbytes
    whole = size // LEAF * LEAF
    found: list[bytes] = []
    for start in range(0, whole, _SUMS * _LANES * 2):
        end = min(start + _SUMS * _LANES * 2, whole)
        found += _leaves([_sums(words, way) for words in _words(value, start, end)], way)
    if size > whole:
        tail = b"".join(piece.cpu().numpy().tobytes() for piece in _pieces(value, whole, size))
        found.append(xxhash.xxh3_128_digest(tail))
    return join(size, found)


def _words(value: torch.Tensor, start: int, end: int) -> Iterator[torch.Tensor]:
    """Give bytes `start` to `end`, which are whole leaves, as words: (leaves, blocks, stripes, lanes)."""
    for first in range(start, end, _AT_ONCE):
        last = min(first + _AT_ONCE, end)
        pieces = [*_pieces(value, first, last)]
        content = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        if content.data_ptr() % 8 or content.storage_offset() % 8:
            content = content.clone()
        yield content.view(torch.int64).view(-1, LEAF // _BLOCK, _STRIPES, _LANES)


def _pieces(value: torch.Tensor, start: int, end: int) -> Iterator[torch.Tensor]:
    """Give bytes `start` to `end` of the elements in C order: as they lie, or copied if there are gaps."""
    if value.is_contiguous():
        yield value.reshape(-1).view(torch.uint8)[start:end]
        return
    word = value.element_size()
    # The bytes of an element are never parted: a leaf's length is a multiple of any dtype's.
    for block in blocks(value, start // word, end // word, _AT_ONCE // word):
        yield block.contiguous().view(-1).view(torch.uint8)


def _sums(words: torch.Tensor, way: _Plain | _Fused) -> torch.Tensor:
    """Sum up, for each block of each leaf, what it adds to the accumulators: (leaves, blocks, lanes)."""
    products = way.products(words, _table(words.device)).sum(2)
    swapped = words.sum(2).view(*products.shape[:2], _LANES // 2, 2).flip(-1)
    return products.add_(swapped.reshape(products.shape))


def _leaves(sums: list[torch.Tensor], way: _Plain | _Fused) -> list[bytes]:
    """Scramble the sums of blocks into one another; give the digest of each leaf (16 bytes)."""
    steps = torch.cat(sums).permute(1, 0, 2).contiguous()
    start = torch.tensor([_signed(word) for word in _START], device=steps.device) + steps[0]
    state = way.scrambled(start, _secret(128, steps.device), steps[1:])
    low = _merged(state, _secret(11, state.device), LEAF * _P64[0])
    high = _merged(state, _secret(192 - 64 - 11, state.device), ~(LEAF * _P64[1]))
    both = torch.stack([high, low], 1).cpu().numpy().astype(">i8").tobytes()
    return [both[start : start + 16] for start in range(0, len(both), 16)]


def _merged(state: torch.Tensor, secret: torch.Tensor, start: int) -> torch.Tensor:
    """Merge eight accumulators of each leaf into one word."""
    mixed = state ^ secret
    found = _folded(mixed[:, 0::2], mixed[:, 1::2]).sum(1) + _signed(start)
    found ^= _shifted(found, 37)
    found *= _signed(0x165667919E3779F9)
    return found ^ _shifted(found, 32)


def _folded(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Multiply words to 128 bits; give the upper half ^ the lower one."""
    low, high = one & _LOW, _shifted(one, 32)
    low_other, high_other = other & _LOW, _shifted(other, 32)
    least, crossed = low * low_other, high * low_other
    middle = _shifted(least, 32) + (crossed & _LOW) + low * high_other
    upper = _shifted(crossed, 32) + _shifted(middle, 32) + high * high_other
    return upper ^ ((middle << 32) | (least & _LOW))


def _shifted(words: torch.Tensor, count: int) -> torch.Tensor:
    """Shift to the right as if there were no sign."""
    return (words >> count) & ((1 << (64 - count)) - 1)


def _signed(word: int) -> int:
    word &= (1 << 64) - 1
    return word - (1 << 64) if word >> 63 else word


def _secret(offset: int, device: Any) -> torch.Tensor:
    words = np.frombuffer(_SECRET, "<i8", _LANES, offset)
    return torch.from_numpy(words.astype(np.int64)).to(device)


@functools.lru_cache(maxsize=8)
def _table(device: torch.device) -> torch.Tensor:
    """Give the secret words of every stripe: (blocks, stripes, lanes). The very last stripe has its own."""
    rows = torch.stack([_secret(8 * stripe, device) for stripe in range(_STRIPES)])
    table = rows.repeat(LEAF // _BLOCK, 1, 1)
    table[-1, -1] = _secret(192 - 64 - 7, device)
    return table
