"""`%lean ls`, `show`, `savings` and `config`."""

import sys
import time
from types import SimpleNamespace

import pytest

from lean_magic.lean.place import first_line
from lean_magic.ledger import Ledger


def test_ls(notebook):
    """`ls` lists labels, or first lines of code, newest first, with age, size, seconds, hits and id."""
    for _ in range(3):
        notebook.run(notebook.EMBED)
    notebook.run("%%cached\n\n# a comment\nother   =   1\n")
    head, other, embed, count = notebook.lean("ls").splitlines()
    assert head.split() == ["entry", "made", "size", "took", "hits", "id"]
    assert other.startswith("other = 1 ")
    assert embed.split()[0] == "embed"
    assert embed.split()[-2] == "2"
    assert [line.split()[-1] for line in (other, embed)] == [
        entry.entry[:8] for entry in sorted(notebook.store.list(), key=lambda entry: -entry.created)
    ]
    assert count.startswith("2 entries, ")
    assert "just now" in embed


def test_ls_of_a_text(notebook):
    """A TEXT chooses entries by their label, code or id, whatever its case; none is said so."""
    notebook.run(notebook.EMBED)
    notebook.run("%%cached\nother = 1")
    assert "other" not in notebook.lean("ls EMB")
    assert "embed" not in notebook.lean("ls other")
    entry = next(entry for entry in notebook.store.list() if entry.label)
    assert "1 entry" in notebook.lean(f"ls {entry.entry[:8]}")
    assert notebook.lean("ls nowhere").startswith("no entry with 'nowhere' in it in ")


def test_ls_all(notebook):
    """Without --all the list ends after twenty, and says so."""
    for number in range(22):
        notebook.run(f"%%cached --quiet\nx = {number}")
    lines = notebook.lean("ls").splitlines()
    assert len(lines) == 22
    assert lines[-1].endswith("; %lean ls --all shows 2 more")
    assert len(notebook.lean("ls --all").splitlines()) == 24


def test_ls_of_nothing(notebook):
    """An empty cache, even one without a folder, is said to be empty."""
    assert notebook.lean("ls") == f"no entry in {notebook.folder}"


def test_show(notebook, tmp_path):
    """`show` tells the source, parts, observed files, bound names, provenance, size and path of an entry."""
    (tmp_path / "in.txt").write_text("x")
    notebook.run(f'%%cached load\nimport json\ntext = open("{tmp_path}/in.txt").read() * chunk')
    entry = next(notebook.store.list())
    said = notebook.lean("show load")
    lines = [line.split(None, 1) for line in said.splitlines()]
    assert ["id", entry.entry] in lines
    assert any(line[:1] == ["chunk"] and line[1].startswith("256") for line in lines)
    assert ["file", f"{tmp_path}/in.txt"] in lines
    assert any(line[:1] == ["bound"] and {"json,", "text"} <= set(line[1].split()) for line in lines)
    assert "  │ import json\n" in said
    assert str(notebook.store.open(entry)) in said
    assert entry.provenance["host"] in said
    assert notebook.lean(f"show {entry.entry[:8]}") == said


def test_show_the_newest_of_a_label(notebook):
    """Of several entries with one label the newest is shown and the others are named."""
    for chunk in (1, 2, 3):
        notebook.run(f"chunk = {chunk}")
        notebook.run(notebook.EMBED)
    newest, *older = sorted(notebook.store.list(), key=lambda entry: -entry.created)
    said = notebook.lean("show embed")
    assert newest.entry in said
    assert said.splitlines()[-1] == f"2 older with the same label: {older[0].entry[:8]}, {older[1].entry[:8]}"


def test_show_what_is_not_there(notebook):
    """A label that is mistyped is answered with the nearest, an id that is not unique with its candidates."""
    notebook.run(notebook.EMBED)
    assert "did you mean embed?" in notebook.lean("show embde")
    for number in range(17):
        notebook.run(f"%%cached --quiet\nx = {number}")
    digit = max(
        "0123456789abcdef", key=lambda digit: sum(e.entry.startswith(digit) for e in notebook.store.list())
    )
    assert f"entries begin with '{digit}': " in notebook.lean(f"show {digit}")


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny = 2", "x = 1"),
        ("\n# why\n  x   =\t1\n", "x = 1"),
        ("# only words", "# only words"),
        ("", ""),
    ],
)
def test_first_line(source, line):
    """An entry without a label is called by the first line of its code."""
    assert first_line(source) == line


def test_savings(notebook):
    """`savings` sums up today, the last seven days and all time, without money while no price is known."""
    now, ledger = time.time(), Ledger(notebook.folder / "ledger.jsonl")
    for days in (0, 5, 50):
        ledger.append({"time": now - days * 86_400, "outcome": "hit", "saved": 3600.0})
    ledger.append({"time": now, "outcome": "miss", "seconds": 5.0})
    ledger.append({"time": now, "outcome": "bypass", "seconds": 5.0})
    head, *rows = [line.split() for line in notebook.lean("savings").splitlines()]
    assert head == ["hits", "misses", "bypasses", "time", "saved"]
    assert rows == [
        ["today", "1", "1", "1", "1", "h"],
        ["last", "7", "days", "2", "1", "1", "2", "h"],
        ["in", "total", "3", "1", "1", "3", "h"],
    ]


def test_money(notebook, monkeypatch):
    """With a price an hour, what was saved is said in dollars too; else a GPU in use has a list price."""
    Ledger(notebook.folder / "ledger.jsonl").append({"time": time.time(), "outcome": "hit", "saved": 7200.0})
    notebook.runner.settings.price_per_hour = 2.5
    said = notebook.lean("savings")
    assert "money saved" in said
    assert said.splitlines()[1].endswith("$5.00")
    assert said.splitlines()[-1] == "at $2.5 an hour"
    notebook.runner.settings.price_per_hour = 0.0
    cuda = SimpleNamespace(is_initialized=lambda: True, get_device_name=lambda: "NVIDIA H200")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    said = notebook.lean("savings")
    assert "a list price of this kernel's NVIDIA H200" in said


def test_savings_of_nothing(notebook):
    """An empty ledger has saved nothing, which is no zero."""
    assert notebook.lean("savings").splitlines()[1].split() == ["today", "0", "0", "0", "—"]


def test_config(notebook, monkeypatch):
    """`config` says for each setting where it comes from: a variable, the configuration, this session."""
    monkeypatch.setenv("LEAN_MAGIC_MAX_SIZE", "3G")
    settings = notebook.runner.settings
    settings.quiet = True
    settings.config.LeanMagic.progress_after = 2.0
    rows = {line.split()[0]: line.split(None, 1)[1] for line in notebook.lean("config").splitlines()[1:-1]}
    assert rows["max_size"].split() == ["3.0", "GB", "LEAN_MAGIC_MAX_SIZE"]
    assert rows["cache_dir"].split() == [str(notebook.folder), "LEAN_MAGIC_CACHE_DIR"]
    assert rows["quiet"].split() == ["True", "this", "session"]
    assert rows["progress_after"].endswith("c.LeanMagic.progress_after")
    assert rows["off"].split() == ["False", "default"]
