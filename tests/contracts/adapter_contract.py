"""What every adapter promises; the test class of a new one inherits from AdapterContract."""

import importlib
from dataclasses import dataclass
from typing import Any

import pytest

from lean_magic.errors import Unstorable
from lean_magic.values import Walk, codec, fingerprint
from lean_magic.values.adapters import KNOWN
from lean_magic.values.in_place import content_of, put


@dataclass
class Sample:
    """A kind of object: how to make one, and one of the same form with other content."""

    make: Any
    other: Any
    in_place: bool | None = True  # None: only together with what it is a part of


def through_a_file(value, folder):
    """Return `value` as a later kernel gets it."""
    graph = codec.encode({"value": value})
    path = folder / "payload.joblib"
    with path.open("wb") as file:
        layout = codec.dump(graph, file)
    return codec.load(path, layout, {}, {})["value"]


class AdapterContract:
    """The promises; `library` names the package, `samples` gives name → Sample."""

    library = ""
    many = 40  # enough to be digested together, where a kind is

    def samples(self):
        """Return name → Sample."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _present(self):
        pytest.importorskip(self.library)

    @pytest.fixture
    def adapter(self):
        """Return the adapter itself."""
        return importlib.import_module(f"lean_magic.values.adapters.{KNOWN[self.library]}").ADAPTER

    def test_it_is_known(self, adapter):
        """The adapter is found by the name of its library and has every part of the protocol."""
        assert adapter.library == self.library
        for part in ("rule", "reduce", "shape", "content", "write_back"):
            assert callable(getattr(adapter, part)), part

    def test_it_leaves_others_alone(self, adapter):
        """An object that is none of its own is left to Python's own ways."""
        for value in (object(), [1], "text", 1.5):
            assert adapter.rule(type(value)) is None
            assert adapter.reduce(value, None) is NotImplemented
            assert adapter.shape(value) is None
            assert adapter.content(value) is NotImplemented
            assert adapter.write_back(value, None) is False

    def test_equal_content(self):
        """Objects of equal content have equal fingerprints, and asking twice changes nothing."""
        for name, sample in self.samples().items():
            one, two = sample.make(), sample.make()
            first = fingerprint(one)
            assert fingerprint(one) == first == fingerprint(two), name

    def test_other_content(self):
        """Objects of other content have other fingerprints."""
        for name, sample in self.samples().items():
            assert fingerprint(sample.make()) != fingerprint(sample.other()), name

    def test_neighbours_do_not_matter(self):
        """What was met before in a walk plays no part, but for being met again."""
        for name, sample in self.samples().items():
            walk, value = Walk(), sample.make()
            walk.fingerprint("before", [[], {}])
            assert walk.fingerprint("value", value).digest == fingerprint(sample.make()), name

    def test_many_through_a_file(self, tmp_path):
        """Many of one kind, which may be digested together, have the fingerprint that they had when they come back."""
        for name, sample in self.samples().items():
            many = [sample.make() for _ in range(self.many)]
            first = fingerprint(many)
            try:
                back = through_a_file(many, tmp_path)
            except Unstorable:
                continue
            assert fingerprint(back) == first, name

    def test_through_a_file(self, tmp_path):
        """What is dumped and loaded has the fingerprint it had (law 2), and so has the original."""
        for name, sample in self.samples().items():
            value = sample.make()
            before = fingerprint(value)
            back = through_a_file(value, tmp_path)
            assert type(back) is type(value), name
            assert fingerprint(back) == before == fingerprint(value), name

    def test_one_object_stays_one(self, tmp_path):
        """An object that stands in two places is one object after (law 4)."""
        for name, sample in self.samples().items():
            value = sample.make()
            one, two = through_a_file([value, value], tmp_path)
            assert one is two, name

    def test_two_objects_stay_two(self, tmp_path):
        """Two objects of equal content do not become one."""
        for name, sample in self.samples().items():
            one, two = through_a_file([sample.make(), sample.make()], tmp_path)
            assert one is not two, name

    def test_content_is_put_back(self, tmp_path):
        """The content of one object, put into another of its form, makes that one equal in place."""
        for name, sample in self.samples().items():
            if not sample.in_place:
                continue
            live, changed = sample.make(), sample.other()
            put(live, content_of(changed))
            assert fingerprint(live) == fingerprint(changed), name
            stored = sample.make()
            put(stored, through_a_file(content_of(changed), tmp_path))
            assert fingerprint(stored) == fingerprint(sample.other()), name

    def test_what_cannot_be_put_back_is_refused(self):
        """Kinds whose content cannot be changed in place say so, rather than to guess."""
        for sample in self.samples().values():
            if sample.in_place is False:
                with pytest.raises(Unstorable, match=type(sample.make()).__name__):
                    content_of(sample.make())
