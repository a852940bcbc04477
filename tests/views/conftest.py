"""What the tests of the views share: entries, ledger lines, a GPU, and HTML that is read back."""

import html.parser
import types
from types import SimpleNamespace

import pytest

from lean_magic.ledger import Record
from lean_magic.store import Manifest, Payload

NASTY = "<img src=x onerror=alert(1)>&\"'"


class Tags(html.parser.HTMLParser):
    """Checks that every tag is closed, and collects names and text."""

    VOID = {"line", "rect", "polygon", "polyline", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.names, self.text = [], set(), ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        """Note an open tag; no attribute may run anything."""
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.names.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Note a tag that closes itself."""
        self.names.add(tag)

    def handle_endtag(self, tag):
        """Close the last one."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Collect text."""
        self.text += data


@pytest.fixture
def tags():
    """Yield the reader of HTML."""
    return Tags


@pytest.fixture
def nasty():
    """Yield a text that must be escaped."""
    return NASTY


@pytest.fixture
def manifest():
    """Yield a maker of manifests."""

    def make(entry="ab12", family="fa", label="", source="x = 1", created=1000.0, size=10):
        return Manifest(
            family=family, key="ce", entry=entry, label=label, cell_id="", source=source, parts={}, observed={},
            effects={}, seconds=2.0, created=created, provenance={}, payload=Payload(size, "dd", {}),
        )  # fmt: skip

    return make


@pytest.fixture
def line():
    """Yield a maker of the ledger's lines."""
    return lambda **members: Record(**({"time": 2000.0, "outcome": "hit"} | members)).to_json()


class Cuda:
    """What torch tells of two GPUs, the second one unused; `held` may be changed."""

    def __init__(self):
        self.held, self.asked = [8 << 30, 0], []

    def is_initialized(self):
        """Return whether there is a context."""
        return True

    def device_count(self):
        """Return the number of GPUs."""
        return len(self.held)

    def memory_reserved(self, index):
        """Return what the allocator reserved."""
        return self.held[index]

    def memory_allocated(self, index):
        """Return what of it is in use."""
        return self.held[index] // 2

    def get_device_name(self):
        """Return the name of the first."""
        return "NVIDIA H200"

    def get_device_properties(self, index):
        """Return name and size; where there is no context this would be wrong to ask."""
        self.asked.append(index)
        uuid = f"5a1c0e6e-0000-4000-8000-{index:012d}"
        return SimpleNamespace(uuid=uuid, name="NVIDIA H200", total_memory=128 << 30)


@pytest.fixture
def cuda(monkeypatch):
    """Yield a torch that has started CUDA."""
    cuda = Cuda()
    torch = types.ModuleType("torch")
    torch.cuda = cuda
    monkeypatch.setitem(__import__("sys").modules, "torch", torch)
    return cuda
