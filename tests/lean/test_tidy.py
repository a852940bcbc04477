"""`%lean check`, `prune` and `clear`."""


def test_check(notebook):
    """`check` reads every byte and says what is wrong; --fix removes it."""
    notebook.run(notebook.EMBED)
    assert notebook.lean("check") == f"nothing is wrong with 1 entry in {notebook.folder}"
    path = notebook.store.open(next(notebook.store.list()))
    path.write_bytes(path.read_bytes()[:-1])
    said = notebook.lean("check").splitlines()
    assert said[0].startswith("1 thing was wrong in ")
    assert said[0].endswith("; %lean check --fix removes what cannot be used")
    assert notebook.lean("check --fix").endswith("(removed)")
    assert "nothing is wrong with 0 entries" in notebook.lean("check")


def test_prune(notebook, monkeypatch):
    """`prune` brings the folder under its budget, or the one that is given, and says what went."""
    notebook.run(notebook.EMBED)
    assert notebook.lean("prune").startswith("nothing to prune: ")
    assert len(list(notebook.store.list())) == 1
    assert notebook.lean("prune --max-size 1k").startswith("deleted 1 entry, ")
    assert list(notebook.store.list()) == []
    notebook.run(notebook.EMBED)
    monkeypatch.setenv("LEAN_MAGIC_MAX_SIZE", "10")
    assert notebook.lean("prune").endswith("holds 0 B of 10 B")
    monkeypatch.setenv("LEAN_MAGIC_MAX_SIZE", "many")
    assert "%lean prune: LEAN_MAGIC_MAX_SIZE: 'many' is not a size" in notebook.lean("prune")


def test_clear_asks(notebook):
    """`clear` deletes everything only with --yes, and says before and after how many and how much."""
    notebook.run(notebook.EMBED)
    notebook.run("%%cached\nx = 1")
    said = notebook.lean("clear")
    assert said.startswith("this would delete 2 entries, ")
    assert said.endswith("to do so: `%lean clear --yes`")
    assert len(list(notebook.store.list())) == 2
    assert notebook.lean("clear --yes").startswith("deleted 2 entries, ")
    assert notebook.store.size() == 0
    assert notebook.lean("clear --yes").startswith("nothing to delete in ")
    assert notebook.run(notebook.EMBED).splitlines()[-1].startswith("●")


def test_clear_a_label(notebook):
    """`clear NAME` deletes the entries of one label, or the one with this id, and no other."""
    notebook.run(notebook.EMBED)
    notebook.run("%%cached other\nx = 1")
    notebook.run("%%cached\nx = 2")
    assert "did you mean other?" in notebook.lean("clear othr")
    assert notebook.lean("clear other").startswith("deleted 1 entry of `other`, ")
    assert [entry.label for entry in notebook.store.list() if entry.label] == ["embed"]
    one = next(entry for entry in notebook.store.list() if not entry.label)
    assert "no entry has the label or id" in notebook.lean(f"clear {one.entry[:7]}")
    assert notebook.lean(f"clear {one.entry[:8]}").startswith("deleted 1 entry of ")
    assert [entry.label for entry in notebook.store.list()] == ["embed"]


def test_clear_leaves_what_is_not_ours(notebook):
    """Entries of another version of lean_magic stay, and the line says so."""
    notebook.run(notebook.EMBED)
    path = notebook.store.open(next(notebook.store.list())).with_suffix(".json")
    path.with_name("ab.json").write_text('{"format": 99}')
    assert notebook.lean("clear --yes").endswith(
        "stay: of another version of lean_magic, or being written now"
    )
    assert path.with_name("ab.json").exists()
