"""Opening a payload: what is verified when, and what is never opened."""

import json
import os
from pathlib import Path

import pytest
from on_disk import beside, files, flip, make_old
from store_contract import a_manifest, writer

from lean_magic.errors import Damaged, NotPrivate
from lean_magic.store import LocalStore


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return LocalStore(tmp_path / "cache")


def verifications(store):
    """Return a list to which every verification of the store adds."""
    told = []
    store.progress = lambda done, total: told.append(total) if done == total else None
    return told


def test_a_payload_is_verified_once_a_process(store):
    """A payload is read on its first use, and not again while the file is unchanged."""
    stored, told = store.put(a_manifest(), writer()), verifications(store)
    for _ in range(3):
        store.open(stored)
    assert told == [7]


def test_a_payload_is_verified_once_a_machine(store):
    """Another process on the same machine does not read it again."""
    stored = store.put(a_manifest(), writer())
    store.open(stored)
    other = LocalStore(store.root)
    told = verifications(other)
    other.open(stored)
    assert told == []


@pytest.mark.parametrize("text", ["", "{", '{"size": 7}', None])
def test_a_garbled_seal_means_verify_again(store, text):
    """A sidecar that is truncated, garbled, of another file or machine only costs a verification."""
    stored = store.put(a_manifest(), writer())
    store.open(stored)
    sidecar = beside(store, stored, ".ok")
    sealed = json.loads(sidecar.read_text())
    sidecar.write_text(text if text is not None else json.dumps(sealed | {"machine": "elsewhere"}))
    other = LocalStore(store.root)
    told = verifications(other)
    other.open(stored)
    assert told == [7]
    assert json.loads(sidecar.read_text()) == sealed


def test_a_touched_payload_is_verified_again(store):
    """A payload whose times changed is read again, and is good if its bytes are."""
    stored, told = store.put(a_manifest(), writer()), verifications(store)
    make_old(store.open(stored))
    assert store.open(stored).read_bytes() == b"payload"
    assert told == [7, 7]


def test_a_payload_changed_behind_its_seal_is_damaged(store):
    """A byte changed with size and time of writing put back is seen all the same, by this process and others."""
    stored = store.put(a_manifest(), writer())
    path = store.open(stored)
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for opener in (store, LocalStore(store.root)):
        with pytest.raises(Damaged):
            opener.open(stored)


def test_a_seal_that_cannot_be_kept_is_no_failure(store, monkeypatch):
    """On a disk without room for the sidecar the payload opens all the same."""
    stored = store.put(a_manifest(), writer())

    def full(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert store.open(stored).read_bytes() == b"payload"
    assert not [name for name in files(store) if name.endswith((".ok", ".tmp"))]


def test_a_link_for_a_payload_is_damaged(store):
    """A payload that became a link is not followed, even to the right bytes."""
    stored = store.put(a_manifest(), writer())
    path = beside(store, stored, ".joblib")
    path.rename(store.root / "moved")
    path.symlink_to(store.root / "moved")
    with pytest.raises(Damaged):
        store.open(stored)


@pytest.mark.parametrize("name", ["", "entries", "entries/fa", "entries/fa/0e"])
def test_nothing_is_opened_in_a_folder_others_can_write(store, name):
    """A payload is opened only if no folder from the root to its own can be written by others."""
    stored = store.put(a_manifest(family="fa", key="0e"), writer())
    store.open(stored)
    (store.root / name).chmod(0o777)
    with pytest.raises(NotPrivate):
        store.open(stored)
