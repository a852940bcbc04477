import os
from pathlib import Path

import pytest

from lean_magic.errors import NotPrivate, StoreError
from lean_magic.store import make_private, require_private


@pytest.fixture
def root(tmp_path):
    """Return a private folder in a private folder."""
    folder = tmp_path / "above" / "cache"
    make_private(folder)
    return folder


def mode(path):
    """Return the permission bits."""
    return path.stat().st_mode & 0o7777


def test_a_folder_of_our_own_is_private(root):
    """A folder that we made and only we can write is accepted."""
    require_private(root)


def test_a_missing_folder_passes(tmp_path):
    """There is nothing to fear from a folder that is not there."""
    require_private(tmp_path / "missing" / "cache")


def test_others_may_read(root):
    """Being readable by others makes a folder no less ours."""
    root.chmod(0o755)
    require_private(root)


@pytest.mark.parametrize("bits", [0o720, 0o702, 0o777, 0o1777])
def test_a_folder_others_can_write_is_refused(root, bits):
    """A folder that group or others can write is refused, sticky or not, with the command that mends it."""
    root.chmod(bits)
    with pytest.raises(NotPrivate, match="chmod go-w"):
        require_private(root)


@pytest.mark.parametrize("bits", [0o720, 0o702])
def test_a_folder_above_that_others_can_write_is_refused(root, bits, monkeypatch):
    """Who can write above the folder can swap it, so it is refused by the name of that folder above."""
    monkeypatch.setattr("lean_magic.store.trust._is_alone_in", lambda group: False)
    root.parent.chmod(bits)
    with pytest.raises(NotPrivate, match=str(root.parent)):
        require_private(root)


def test_a_group_of_the_user_alone_is_nobody_else(root, monkeypatch):
    """A home that its group can write, as in many containers, is fine while nobody else is in that group."""
    monkeypatch.setattr("lean_magic.store.trust._is_alone_in", lambda group: True)
    root.parent.chmod(0o770)
    require_private(root)


def test_a_sticky_folder_above_is_fine(root):
    """Below a folder like /tmp others cannot rename what is ours."""
    root.parent.chmod(0o1777)
    require_private(root)


def test_a_folder_of_another_user_is_refused(root, monkeypatch):
    """A folder that belongs to somebody else is refused, whatever its mode."""
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(NotPrivate, match="another user"):
        require_private(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_above_of_another_user_is_refused(root):
    """A folder above that belongs to somebody else is refused: its owner can swap ours."""
    os.chown(root.parent, 4321, 4321)
    with pytest.raises(NotPrivate, match="who could swap it"):
        require_private(root)


def test_links_are_followed_first(root, tmp_path):
    """A link is judged by where it leads."""
    link = tmp_path / "link"
    link.symlink_to(root)
    require_private(link)
    root.chmod(0o777)
    with pytest.raises(NotPrivate):
        require_private(link)


def test_a_file_is_no_folder(tmp_path):
    """A file where the folder belongs is refused with the variable that helps."""
    file = tmp_path / "cache"
    file.write_text("")
    for check in (require_private, make_private):
        with pytest.raises(StoreError, match=r"not a folder.*LEAN_MAGIC_CACHE_DIR"):
            check(file)
        with pytest.raises(StoreError, match="LEAN_MAGIC_CACHE_DIR"):
            check(file / "below")


def test_a_link_in_a_circle_is_no_folder(tmp_path):
    """A link that leads to itself is an error of the store, not of the system."""
    link = tmp_path / "cache"
    link.symlink_to(link)
    for check in (require_private, make_private):
        with pytest.raises(StoreError):
            check(link)


def test_made_folders_are_ours_alone_under_a_lax_umask(tmp_path):
    """The folder and the parents made for it have mode 0700 even where the umask would open them to a group."""
    before = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b" / "cache")
    finally:
        os.umask(before)
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/cache")] == [0o700] * 3


def test_making_it_again_changes_nothing(root):
    """A private folder that is there is accepted as it is."""
    root.chmod(0o750)
    (root / "file").write_text("kept")
    make_private(root)
    assert mode(root) == 0o750
    assert (root / "file").read_text() == "kept"


def test_an_open_folder_is_not_made_private(root):
    """A folder that others can write is not quietly closed to them: it may be shared on purpose."""
    root.chmod(0o777)
    with pytest.raises(NotPrivate):
        make_private(root)
    assert mode(root) == 0o777


def test_a_folder_that_cannot_be_made(plain_folder):
    """Where we may not write, the sentence says so and names the variable that helps."""
    plain_folder.chmod(0o500)
    with pytest.raises(StoreError, match=r"no right.*LEAN_MAGIC_CACHE_DIR"):
        make_private(plain_folder / "cache")


def test_a_folder_that_cannot_be_written(plain_folder):
    """A folder of our own that we may not write is refused in words."""
    plain_folder.chmod(0o500)
    require_private(plain_folder)
    with pytest.raises(StoreError, match=r"not writable.*LEAN_MAGIC_CACHE_DIR"):
        make_private(plain_folder)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_file_system_that_takes_no_folders():
    """A place where no folder can be made is an error of the store."""
    with pytest.raises(StoreError, match="cannot make the cache folder /proc/lean_magic/cache"):
        make_private(Path("/proc/lean_magic/cache"))


def test_without_owners_nothing_is_judged(root, monkeypatch):
    """Where the system has no owners and modes of this kind, they are not asked for."""
    root.chmod(0o777)
    monkeypatch.delattr(os, "geteuid")
    require_private(root)
