"""What other processes do for a cell."""

import os

import pytest

from lean_magic.effects import elsewhere
from lean_magic.effects.opened import Opened
from lean_magic.effects.recorder import Run
from lean_magic.errors import Unstorable
from lean_magic.values import Walk


def run(*words, constants=()):
    """Make a run whose code holds some words."""
    return Run(None, {}, Walk(), words=frozenset(words), constants=frozenset(constants))


def test_a_forked_process_tells_its_parent():
    """What a forked process says into a channel the one that made it reads, in order."""
    channel = elsewhere.Channel()
    for text in ("a", "b\n"):
        child = os.fork()
        if not child:
            channel.tell("stdout", text if channel.is_elsewhere() else "nowhere else")
            os._exit(0)
        os.waitpid(child, 0)
    assert not channel.is_elsewhere()
    assert list(channel.told()) == [["stdout", "a"], ["stdout", "b\n"]]
    channel.close()


@pytest.mark.parametrize(
    ("words", "forked", "told", "refused"),
    [
        (("Pool", "open"), False, True, False),
        (("Pool", "open"), False, False, True),
        (("Pool", "map"), True, False, False),
        (("read_csv",), True, True, True),
        (("print",), True, True, False),
        (("n_jobs", "rename"), False, True, False),
        (("open", "unlink"), False, False, False),
    ],
)
def test_what_nobody_tells_is_refused(words, forked, told, refused):
    """A cell that has others read or write files is refused only where the system does not tell which."""
    started = [""] if forked else []
    if not refused:
        elsewhere.must_be_seen(run(*words), started, told=told)
        return
    with pytest.raises(Unstorable, match="process"):
        elsewhere.must_be_seen(run(*words), started, told=told)


@pytest.mark.parametrize(
    ("program", "refused"),
    [
        ("/usr/bin/uname", False),
        ("x86_64-linux-gnu-gcc-12", False),
        ("lscpu -p", False),
        ("dot", True),
        ("git log", True),
    ],
)
def test_programs_of_libraries(program, refused):
    """A cell in which a library runs a program is refused, unless that only asks about the machine or compiles."""
    if not refused:
        elsewhere.must_be_seen(run(), [program], told=True)
        return
    with pytest.raises(Unstorable, match="program"):
        elsewhere.must_be_seen(run(), [program], told=True)


def test_a_keyword_tells_of_workers():
    """Keywords such as `n_jobs` tell that other processes may work, and nothing else does."""
    assert elsewhere.may_work(run(constants=["n_jobs"]))
    assert not elsewhere.may_work(run("ThreadPoolExecutor", "Thread", "map"))


def test_what_is_removed_is_refused(tmp_path, monkeypatch):
    """A file of before that another process removes cannot be brought back; one that came and went says nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("old.txt", "own.txt"):
        (tmp_path / name).write_text("1")
    watch = Opened([(".", True)])
    (tmp_path / "passing.txt").write_text("2")
    (tmp_path / "passing.txt").unlink()
    (tmp_path / "own.txt").unlink()
    watch.look()
    removing = run("Pool", "unlink")
    assert elsewhere.written(removing, watch, {"own.txt"}) == set()
    (tmp_path / "old.txt").rename(tmp_path / "new.txt")
    watch.stop()
    with pytest.raises(Unstorable, match="removed or renamed"):
        elsewhere.written(removing, watch, {"own.txt"})
    assert elsewhere.written(run("unlink"), watch, set()) == set()


def test_what_is_added_to_is_refused(tmp_path, monkeypatch):
    """A file of before that another process may have added to cannot be put back; one that is new can."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.txt").write_text("1")
    watch = Opened([(".", True)])
    (tmp_path / "new.txt").write_text("2")
    watch.look()
    adding = run("Pool", "open", "write", constants=["a", "new", "old", ".txt"])
    assert elsewhere.written(adding, watch, set()) == {"new.txt"}
    with (tmp_path / "old.txt").open("a") as file:
        file.write("3")
    watch.stop()
    with pytest.raises(Unstorable, match="added to"):
        elsewhere.written(adding, watch, set())
    over = run("Pool", "open", constants=["w", "old", ".txt"])
    assert elsewhere.written(over, watch, {"new.txt"}) == {"old.txt"}
    assert elsewhere.written(run("open"), watch, set()) == set()


@pytest.mark.parametrize("texts", [[".txt"], ["o"], ["w"], ["other.txt"], ["out", ".csv"]])
def test_what_the_code_does_not_spell_may_be_another_ones(tmp_path, monkeypatch, texts):
    """A file whose name or ending no text of the code spells may be somebody else's, so that nobody puts it back."""
    monkeypatch.chdir(tmp_path)
    watch = Opened([(".", True)])
    (tmp_path / "one.txt").write_text("2")
    watch.stop()
    with pytest.raises(Unstorable, match="may not have written"):
        elsewhere.written(run("Pool", "open", constants=["w", *texts]), watch, set())
    assert elsewhere.written(run("Pool", "open", constants=["w", "one", ".txt"]), watch, set()) == {"one.txt"}


def test_variables_of_the_environment_that_others_may_read(monkeypatch):
    """Where other processes may read the environment, the variables count that the code spells, whole or in part."""
    monkeypatch.setenv("ZZ_MODE_Q", "1")
    said = ["Pool", "environ"]
    assert elsewhere.variables(run(*said, constants=["ZZ_MODE", "ABSENT"])) == {
        "ZZ_MODE",
        "ZZ_MODE_Q",
        "ABSENT",
    }
    assert elsewhere.variables(run(*said, constants=["in/$ZZ_MODE_Q/x"])) == {"ZZ_MODE_Q"}
    assert elsewhere.variables(run(*said)) is None
    assert elsewhere.variables(run("environ", constants=["ZZ_MODE_Q"])) == set()
    assert elsewhere.variables(run("Pool", constants=["ZZ_MODE_Q"])) == set()
