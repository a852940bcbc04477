"""The digest of large contents: a tree over leaves, by many threads, out of any layout, and good as a digest."""

import itertools
import random
import threading
import tracemalloc

import numpy as np
import pytest
import xxhash

from lean_magic.values import fingerprint
from lean_magic.values import tree as tree_module
from lean_magic.values.adapters.numpy_elements import digest_of, is_solid
from lean_magic.values.counting import on_bytes
from lean_magic.values.tree import LEAF, join, tree, tree_of, trees

SIZES = [0, 1, 240, 241, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF, 3 * LEAF + 17]
LARGE = np.random.default_rng(0).integers(0, 256, 40 << 20, np.uint8)


def cut(content, lengths):
    """Cut a content into pieces of these lengths, over and over."""
    start = 0
    for length in itertools.cycle(lengths):
        if start >= len(content):
            return
        yield content[start : start + length]
        start += length


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lengths", [[LEAF], [1000], [LEAF + 1], [7, 2 * LEAF, 3]])
def test_pieces_do_not_matter(size, lengths):
    """The digest is that of the bytes, however they come in pieces."""
    content = LARGE[:size].tobytes()
    assert tree_of(size, lambda start, end: cut(content[start:end], lengths)) == tree(content)


def test_the_tree_is_what_its_docstring_says():
    """A digest is that of the length and of the leaves' xxh3 digests in their order."""
    content = LARGE[: 2 * LEAF + 5].tobytes()
    leaves = [xxhash.xxh3_128_digest(content[start : start + LEAF]) for start in range(0, len(content), LEAF)]
    said = b"tree\0" + len(content).to_bytes(8, "little") + b"".join(leaves)
    assert tree(content) == join(len(content), leaves) == xxhash.xxh3_128_digest(said)


def test_threads_do_not_matter(monkeypatch):
    """One thread and many give the same digest, all bytes are told of, and none is left running."""
    found = set()
    for cores in (1, 2, 5):
        monkeypatch.setattr(tree_module, "_cores", lambda cores=cores: cores)
        told = []
        with on_bytes(lambda done, _: told.append(done)):
            found.add(tree(LARGE))
        assert told[-1] == LARGE.nbytes
        assert told == sorted(told)
    assert len(found) == 1
    assert not [thread for thread in threading.enumerate() if "Executor" in thread.name]


def test_contents_that_threads_share(monkeypatch):
    """Several contents that threads digest together have the digests that each has alone."""
    whole = memoryview(LARGE.tobytes())
    contents = [whole, whole[:0], whole[:7], whole[: LEAF + 1], whole[5:]]
    for cores in (1, 4):
        monkeypatch.setattr(tree_module, "_cores", lambda cores=cores: cores)
        assert trees(contents) == [tree(content) for content in contents]
    assert trees([]) == []


def test_what_a_thread_raises_is_raised(monkeypatch):
    """An error while bytes are read in a thread ends the digest, and is what the caller sees."""
    monkeypatch.setattr(tree_module, "_cores", lambda: 3)
    main = threading.current_thread()

    def read(start, end):
        if threading.current_thread() is main:
            threading.Event().wait(0.05)
            return [LARGE[start:end]]
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        tree_of(LARGE.nbytes, read)


def layouts():
    """Give arrays of many layouts, each large enough to be read in several blocks."""
    square = LARGE[: 4 << 20].view("f4").reshape(1024, 1024)
    yield "transposed", square.T
    yield "columns", square[:, 3:900]
    yield "every third", LARGE[: 9 << 20].view("f8")[::3]
    yield "backwards", LARGE[: 4 << 20].view("u2")[::-1]
    yield "turned in three axes", LARGE[: 6 * 10**6].reshape(100, 200, 300).transpose(2, 1, 0)
    yield "channels last", LARGE[: 3 << 20].reshape(4, 3, 512, 512).transpose(0, 2, 3, 1)
    yield "three bytes each", LARGE[: 3 << 20].view("V3")[::2]
    yield "complex", LARGE[: 4 << 20].view("c16").reshape(512, 512).T
    yield "broadcast", np.broadcast_to(LARGE[:5000], (600, 5000))
    yield "big-endian", LARGE[: 4 << 20].view(">i4").reshape(1024, 1024).T
    yield "fields", LARGE[: 6 << 20].view([("a", "f4"), ("b", "u2")])[::2]
    yield "fields with gaps", np.zeros(300_000, np.dtype([("a", "f8"), ("b", "i2")], align=True))[::2]
    yield "long doubles", np.arange(300_000, dtype="g")[::3]


@pytest.mark.parametrize(
    ("name", "array"), list(layouts()), ids=lambda value: value if type(value) is str else ""
)
@pytest.mark.parametrize("cores", [1, 3])
def test_layout_does_not_matter(name, array, cores, monkeypatch):
    """Strided, turned, sliced, broadcast, big-endian and structured arrays have the fingerprint of their copy."""
    monkeypatch.setattr(tree_module, "_cores", lambda: cores)
    monkeypatch.setattr(tree_module, "_THREADED", 0)
    assert fingerprint(array) == fingerprint(np.ascontiguousarray(array))


@pytest.mark.parametrize("turn", [lambda a: a, lambda a: a[:, ::2], lambda a: a.T, lambda a: a[::-1, :-7]])
def test_no_copy_of_the_whole(turn):
    """Fingerprinting a large array takes a few blocks of memory, whatever its layout."""
    array = turn(np.ones((12_000, 12_000), "u1"))
    tracemalloc.start()
    try:
        fingerprint(array)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 << 20
    assert peak < array.nbytes / 2


def test_solid_dtypes():
    """Bytes stand for the elements only where no byte is a gap or a reference."""
    for dtype in ("f8", ">i2", "S3", [("a", "i4"), ("b", "f4")], [("a", [("b", "u1")]), ("c", "u2", (2, 2))]):
        assert is_solid(np.dtype(dtype)), dtype
    gaps = np.dtype({"names": ["a", "b"], "formats": ["u1", "u1"], "offsets": [0, 2]})
    overlapping = np.dtype({"names": ["a", "b"], "formats": ["u2", "u2"], "offsets": [0, 1]})
    for dtype in (
        "O",
        "g",
        gaps,
        overlapping,
        [("a", "O")],
        np.dtype([("a", "u1"), ("b", "i8")], align=True),
    ):
        assert not is_solid(np.dtype(dtype)), dtype


# -- how good the digest is ---------------------------------------------------------


def variants():
    """Give contents of 4 kB that differ from one another by little, and in ways that weak digests do not see."""
    base = LARGE[:4096].copy()
    numbers = np.random.default_rng(1).standard_normal(512)
    zeros = np.zeros(4096, np.uint8)
    yield from flipped(base)
    yield from flipped(zeros)
    for one, other in itertools.islice(itertools.combinations(range(512), 2), 0, None, 40):
        swapped, negated = numbers.copy(), numbers.copy()
        swapped[[one, other]] = swapped[[other, one]]
        negated[[one, other]] *= -1  # the top bits of two words
        yield from (swapped, negated)
    for shift in range(1, 4096):
        yield np.roll(base, shift)
    for length in range(1, 4096):
        yield np.concatenate([zeros[:length], base[length:]])  # runs of zeros
    for place in range(512):
        for steps in (1, -1):
            near = numbers.copy()
            near[place] = np.nextafter(near[place], steps * np.inf)
            yield near
    mixed = random.Random(2)
    blocks = base.reshape(64, 64)
    for _ in range(2000):
        yield blocks[mixed.sample(range(64), 64)]


def flipped(base):
    """Give a content with each one of its bits flipped."""
    for bit in range(8 * base.size):
        other = base.copy()
        other[bit // 8] ^= 1 << bit % 8
        yield other


def test_no_collisions():
    """Contents that differ by a bit, a swap, a shift, zeros, order or a float's last place have their own digests."""
    contents = {np.ascontiguousarray(each).tobytes() for each in variants()}
    digests = {digest_of(np.frombuffer(content, np.uint8)) for content in contents}
    assert len(digests) == len(contents) > 70_000  # over 1e9 pairs
    # Halves of a good digest are good ones: 64 bits have no collision among so few either.
    assert len({digest[:8] for digest in digests}) == len({digest[8:] for digest in digests}) == len(contents)


def test_half_the_bits_change():
    """Flipping any bit of a content changes about half of the digest's bits."""
    base = LARGE[:4096].copy()
    before = int.from_bytes(digest_of(base), "big")
    changed = [(int.from_bytes(digest_of(each), "big") ^ before).bit_count() for each in flipped(base)]
    assert 63.5 < np.mean(changed) < 64.5
    assert min(changed) > 20


def test_order_and_number_of_leaves_count():
    """Leaves that change places, come twice or are missing at the end change the digest."""
    leaves = [LARGE[start : start + LEAF] for start in range(0, 6 * LEAF, LEAF)]
    orders = list(itertools.permutations(range(6)))
    orders += [order[:-1] for order in orders] + [(*order, 0) for order in orders]
    known = [xxhash.xxh3_128_digest(leaf) for leaf in leaves]
    found = {join(len(order) * LEAF, [known[place] for place in order]) for order in set(orders)}
    assert len(found) == len(set(orders))
    zeros = np.zeros(40 * LEAF, np.uint8)
    assert len({tree(zeros[:size]) for size in range(0, zeros.size, LEAF // 16)}) == 40 * 16
