"""`lean-magic` in a terminal: the verbs of `%lean` on the default folder."""

import subprocess
import sys
import time

import pytest

from lean_magic import __version__, cli
from lean_magic.ledger import Ledger
from lean_magic.store import LocalStore, Manifest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the default folder, with two entries and a ledger."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LEAN_MAGIC_CACHE_DIR", str(folder))
    monkeypatch.delenv("LEAN_MAGIC_MAX_SIZE", raising=False)
    put(folder, "ab" * 16, "embed", 1000)
    put(folder, "cd" * 16, "", 10)
    Ledger(folder / "ledger.jsonl").append(
        {"time": time.time(), "outcome": "hit", "entry": "ab" * 16, "saved": 90.0}
    )
    return folder


def put(folder, entry, label, size):
    """Store an entry."""
    LocalStore(folder).put(
        Manifest(
            family="fa" * 16,
            key=entry,
            entry=entry,
            label=label,
            cell_id="",
            source="x = encode(texts)",
            parts={},
            observed={},
            effects={},
            seconds=3.0,
            created=time.time() - 100 * len(label),
            provenance={"host": "vm"},
        ),
        lambda file: file.write(b"x" * size) and {},
    )


def run(capsys, *words):
    """Run one command and return its status, output and errors."""
    status = cli.main(words)
    out, err = capsys.readouterr()
    return status, out, err


def test_ls(folder, capsys):
    """`lean-magic ls` lists the entries as `%lean ls` does."""
    status, out, _ = run(capsys, "ls")
    assert status == 0
    assert [line.split()[-1] for line in out.splitlines()[1:3]] == ["cdcdcdcd", "abababab"]
    assert out.splitlines()[-1] == f"2 entries, 1.0 kB, in {folder}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "lean-magic ls [TEXT] [--all]"),
        (["--help"], "lean-magic ls [TEXT] [--all]"),
        (["show", "embed"], "ab" * 16),
        (["show", "cdcd"], "x = encode(texts)"),
        (["savings"], "1 min 30 s"),
        (["check"], "nothing is wrong with 2 entries"),
        (["check", "--fix"], "nothing is wrong"),
        (["prune"], "nothing to prune"),
        (["prune", "--max-size=1.5k"], "deleted 1 entry"),
        (["clear", "embed"], "deleted 1 entry of `embed`, 1.0 kB"),
        (["clear", "--yes"], "deleted 2 entries, 1.0 kB"),
        (["config"], "LEAN_MAGIC_CACHE_DIR"),
        (["--version"], f"lean-magic {__version__}"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_verbs(capsys, words, told):
    """Each verb answers on the standard output and ends with 0."""
    status, out, err = run(capsys, *words)
    assert told in out
    assert (status, err) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lst"], "lean-magic: no verb 'lst'; did you mean ls?"),
        (["ls", "--al"], "lean-magic ls: no option --al; did you mean --all?"),
        (["why"], "lean-magic: why needs the kernel that runs the cell; ask %lean why there"),
        (["show", "embde"], "lean-magic: no entry has the label or id 'embde'; did you mean embed?"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_wrong_lines(capsys, words, told):
    """A line that cannot be understood is one line on the standard error, and ends with 2."""
    assert run(capsys, *words) == (2, "", f"{told}\n")


def test_what_is_wrong_ends_with_1(folder, capsys):
    """`check` with findings, `clear` that was not confirmed and a folder that cannot be used end with 1."""
    assert run(capsys, "clear")[0] == 1
    assert len(list(LocalStore(folder).list())) == 2
    next(folder.rglob("*.joblib")).write_bytes(b"")
    assert run(capsys, "check")[0] == 1
    assert run(capsys, "check", "--fix")[0] == 0
    assert run(capsys, "clear", "--yes")[0] == 0
    (folder / "entries").rmdir()
    (folder / "entries").touch()
    status, out, err = run(capsys, "ls")
    assert (status, out) == (1, "")
    assert err.startswith("lean-magic: cannot list ")


def test_an_interrupt(folder, capsys, monkeypatch):
    """Ctrl-C ends a command without a traceback."""
    monkeypatch.setattr(LocalStore, "check", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(capsys, "check") == (130, "", "")


def test_a_process_of_its_own(folder):
    """The command needs no IPython, an output without "·" or "—" gets "?", and a closed pipe is no error."""
    script = "import sys; from lean_magic.cli import main; status = main(); print('IPython' in sys.modules); sys.exit(status)"
    command = [sys.executable, "-c", script, "show", "embed"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii", "LEAN_MAGIC_CACHE_DIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("False\n")
    assert "  ? x = encode(texts)" in done.stdout
    piped = f"'{sys.executable}' -m lean_magic.cli | true"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)
    assert done.stderr == ""
