import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from store_contract import a_manifest

from lean_magic.errors import Damaged, Unstorable
from lean_magic.store import FORMAT, Manifest, Part, Payload
from lean_magic.store.manifest import format_of

PAYLOAD = Payload(7, "ab" * 16, {"buffers": [[64, 128]]})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def resealed(**changes):
    """Return a manifest with a good check over members that are `changes` away from good."""
    tree = json.loads(a_manifest(payload=PAYLOAD).to_json())
    del tree["check"]
    tree = {name: value for name, value in (tree | changes).items() if value is not ...}
    body = b'",' + json.dumps(tree).encode()[1:]
    return b'{"check":"' + xxhash.xxh3_128_hexdigest(body).encode() + body


@pytest.mark.parametrize("payload", [None, PAYLOAD])
def test_round_trip(payload):
    """What was written is read back equal, with or without a payload."""
    manifest = a_manifest(payload=payload)
    assert Manifest.from_json(manifest.to_json()) == manifest


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_json_round_trips(tree):
    """Anything that JSON can say comes back equal and in the same order, whatever the text in it."""
    manifest = a_manifest(effects=tree)
    read = Manifest.from_json(manifest.to_json())
    assert read.effects == tree
    assert [*read.effects] == [*tree]


def test_paths_with_undecodable_bytes_round_trip():
    """A file name that is not UTF-8, as Python spells it, comes back as it was."""
    manifest = a_manifest(observed={"files": {"a\udcff.csv": "12"}})
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_the_order_of_parts_is_kept():
    """Parts come back in the order of the key."""
    manifest = a_manifest(parts={name: Part("12") for name in "zay"})
    assert [*Manifest.from_json(manifest.to_json()).parts] == ["z", "a", "y"]


def test_it_is_one_line_of_json_with_format_and_check():
    """Any JSON reader can read a manifest, and finds its format and check."""
    data = a_manifest().to_json()
    tree = json.loads(data)
    assert tree["format"] == FORMAT == format_of(data)
    assert len(tree["check"]) == 32
    assert data.count(b"\n") == 1


def test_any_mapping_is_an_object_and_any_tuple_a_list():
    """Read-only mappings and tuples are written, and come back as plain ones."""
    manifest = a_manifest(effects=types.MappingProxyType({"names": ("x", "y")}))
    assert Manifest.from_json(manifest.to_json()).effects == {"names": ["x", "y"]}


def nested(depth):
    """Return lists in lists."""
    tree = []
    for _ in range(depth):
        tree = [tree]
    return tree


@pytest.mark.parametrize(
    "value",
    [{1, 2}, {1: 2}, b"bytes", float("nan"), float("inf"), 10**5000, nested(100_000)],
    ids=["set", "number as name", "bytes", "nan", "infinity", "number too long", "nested too deep"],
)
def test_what_is_not_json_is_refused(value):
    """What JSON cannot say, or would change, is refused when writing."""
    with pytest.raises(Unstorable, match="manifest"):
        a_manifest(effects={"names": [value]}).to_json()


@pytest.mark.parametrize("name", ["", "..", "a/b", "A1", "xyz", "a" * 129, "1\n"])
@pytest.mark.parametrize("field", ["family", "key", "entry"])
def test_ids_are_hex(field, name):
    """Ids become names of files, so nothing but hex is written or read."""
    with pytest.raises(ValueError, match="hex"):
        a_manifest()._replace(**{field: name}).to_json()
    with pytest.raises(Damaged):
        Manifest.from_json(resealed(**{field: name}))


def test_every_changed_bit_is_seen():
    """A manifest with any one bit flipped is Damaged."""
    data = a_manifest().to_json()
    for position in range(len(data)):
        spoilt = bytearray(data)
        spoilt[position] ^= 1 << position % 8
        with pytest.raises(Damaged):
            Manifest.from_json(bytes(spoilt))


def test_every_truncation_is_seen():
    """A manifest cut short anywhere is Damaged."""
    data = a_manifest().to_json()
    for end in range(len(data)):
        with pytest.raises(Damaged):
            Manifest.from_json(data[:end])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_damaged(data):
    """Bytes that are no manifest raise Damaged and nothing else."""
    with pytest.raises(Damaged):
        Manifest.from_json(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"label": ...},
        {"payload": ...},
        {"format": ...},
        {"format": True},
        {"format": FORMAT + 1},
        {"extra": 1},
        {"label": 3},
        {"source": None},
        {"seconds": "1"},
        {"seconds": True},
        {"created": 10**400},
        {"created": float("nan")},
        {"parts": []},
        {"parts": {"code": {"digest": 1}}},
        {"parts": {"code": {"text": "x"}}},
        {"parts": {"code": {"digest": "12", "other": "x"}}},
        {"parts": {"code": "12"}},
        {"observed": None},
        {"effects": []},
        {"provenance": "ada"},
        {"payload": 3},
        {"payload": {"size": 1}},
        {"payload": {"size": -1, "digest": "ab", "layout": {}}},
        {"payload": {"size": 1.0, "digest": "ab", "layout": {}}},
        {"payload": {"size": 1, "digest": "../ab", "layout": {}}},
        {"payload": {"size": 1, "digest": "ab", "layout": []}},
        {"payload": {"size": 1, "digest": "ab", "layout": {}, "more": 1}},
    ],
    ids=str,
)
def test_wrong_members_are_damaged(changes):
    """A manifest with a good check, but a missing, additional or wrong member, is Damaged."""
    with pytest.raises(Damaged):
        Manifest.from_json(resealed(**changes))


def test_a_resealed_manifest_is_good():
    """The manifests of the test above are damaged by their change alone."""
    assert Manifest.from_json(resealed()) == a_manifest(payload=PAYLOAD)


def test_json_that_is_no_object_or_too_deep_is_damaged():
    """A good check over something else than an object, or over bottomless nesting, is Damaged."""
    for body in (b'",' + b'"x":' + b"[" * 100_000, b'"]', b'"}'):
        data = b'{"check":"' + xxhash.xxh3_128_hexdigest(body).encode() + body
        with pytest.raises(Damaged):
            Manifest.from_json(data)
        assert format_of(data) is None


def test_the_format_of_another_version_is_known():
    """A manifest of another format is told from a damaged one."""
    assert format_of(resealed(format=7)) == 7
    assert format_of(b"[]") is format_of(b"\xff") is format_of(b"") is None


def test_the_room_imports_no_pickle():
    """Nothing that could run a payload's code is imported in order to store or list it."""
    code = (
        "import sys, types; package = types.ModuleType('lean_magic'); package.__path__ = ['lean_magic'];"
        "sys.modules['lean_magic'] = package; import lean_magic.store;"
        "print({'pickle', 'joblib', 'numpy', 'cloudpickle'} & {*sys.modules})"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert result.stdout == "set()\n"
