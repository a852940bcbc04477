"""`%lean why`."""


def test_why_of_the_last_cell(notebook):
    """`why` tells of the last cached cell that it was a hit, why it missed, or why it was not cached."""
    assert notebook.lean("why") == "no cached cell has run in this kernel yet"
    notebook.run(notebook.EMBED)
    assert notebook.lean("why").endswith(" and was stored: first run")
    notebook.run(notebook.EMBED)
    assert notebook.lean("why").startswith("`embed` was a hit: saved ")
    notebook.run("%%cached\n!true")
    said = notebook.lean("why")
    assert said.startswith("the last cached cell ran ")
    assert " and was not cached: `!true` reaches outside Python" in said


def test_why_tells_all_reasons(notebook):
    """`why` lists every reason, where the status line stops after three."""
    names = list("abcde")
    notebook.run("; ".join(f"{name} = 1" for name in names))
    cell = f"%%cached sums\ntotal = {' + '.join(names)}"
    notebook.run(cell)
    notebook.run("; ".join(f"{name} = 2" for name in names))
    assert "and 2 more (%lean why)" in notebook.run(cell)
    head, *reasons = notebook.lean("why").splitlines()
    assert head.endswith(" and was stored:")
    assert reasons == [f"  · `{name}`: 1 → 2" for name in names]


def test_why_before_a_run(notebook):
    """`why NAME` says whether a cell would hit as things are now, without running it or storing anything."""
    notebook.run(notebook.EMBED)
    before = sorted(path.name for path in notebook.folder.rglob("*"))
    assert notebook.lean("why embed").startswith("`embed` would hit: made just now in ")
    notebook.run("chunk = 512")
    assert notebook.lean("why embed") == "`embed` would miss: `chunk`: 256 → 512"
    notebook.run("def size(n):\n    return n + 2")
    said = notebook.lean("why embed").splitlines()
    assert said == [
        "`embed` would miss:",
        "  · `chunk`: 256 → 512",
        "  · `size` changed: return n + 1 → return n + 2",
    ]
    assert sorted(path.name for path in notebook.folder.rglob("*")) == before
    notebook.run("del vectors")
    notebook.lean("why embed")
    assert "vectors" not in notebook.shell.user_ns


def test_why_agrees_with_what_happens(notebook):
    """What `why NAME` foretells is what the cell then does."""
    notebook.run(notebook.EMBED)
    for change in ("pass", "chunk = 3", "chunk = 256", "def size(n):\n    return 2 * n"):
        notebook.run(change)
        foretold = notebook.lean("why embed")
        assert ("would hit" in foretold) == notebook.run(notebook.EMBED).splitlines()[-1].startswith("✓")


def test_why_takes_the_latest_text(notebook):
    """The text that counts is the one that ran last under that label, with the options on its line."""
    notebook.run(notebook.EMBED)
    notebook.run(
        notebook.EMBED.replace("chunk *", "chunk +").replace("embed\n", "embed --depends limit\n", 1)
    )
    assert "limit" in notebook.lean("why embed")
    notebook.run("limit = 3")
    assert "would miss" in notebook.lean("why embed")
    notebook.run(notebook.EMBED.replace("embed\n", "embed --off\n", 1))
    assert notebook.lean("why embed") == "`embed` would just run: caching is switched off"


def test_why_in_a_new_kernel(notebook):
    """In a new kernel the newest entry with the label tells the text of the cell."""
    notebook.run("limit = 1")
    notebook.run(notebook.EMBED.replace("embed\n", "embed --depends limit\n", 1))
    notebook.restart()
    notebook.run("chunk = 256\nlimit = 1\ndef size(n):\n    return n + 1")
    said = notebook.lean("why embed")
    assert said.startswith("`embed` as stored (it has not run in this kernel) would hit: ")
    notebook.run("limit = 2")
    assert "would miss: --depends limit: 1 → 2" in notebook.lean("why embed")
    assert "did you mean embed?" in notebook.lean("why embd")
    entry = next(notebook.store.list())
    assert "would miss" in notebook.lean(f"why {entry.entry[:8]}")


def test_why_of_a_label_that_only_hits_have(notebook):
    """An entry is also found by a label under which it was only hit."""
    notebook.run(notebook.EMBED.replace("%%cached embed", "%%cached"))
    notebook.run(notebook.EMBED)
    notebook.restart()
    notebook.run("chunk = 256\ndef size(n):\n    return n + 1")
    assert "would hit" in notebook.lean("why embed")


def test_why_of_what_cannot_be_cached(notebook):
    """A cell that would just run is told with the reason and the remedy; one that does not compile is told so."""
    notebook.run("%%cached shell\n!true")
    assert notebook.lean("why shell").startswith("`shell` would just run: `!true` reaches outside Python")
    notebook.run("import socket\nline = socket.socket()")
    notebook.run("%%cached number\nx = line.fileno()")
    assert notebook.lean("why number").startswith("`number` would just run: `line` ")
    notebook.run("line.close()")
    notebook.run("%%cached broken\nx = (")
    assert "the cell does not compile" in notebook.lean("why broken")
    notebook.run("%%cached stray\nreturn 3")
    assert notebook.lean("why stray") == "`stray` does not compile"


def test_why_of_what_could_not_be_stored(notebook):
    """Of a cell whose outcome could not be stored the last time, `why NAME` says that too."""
    cell = "%%cached numbers\nx = (n for n in [1, 2])\nnext(x)"
    assert "not cached" in notebook.run(cell)
    miss, before = notebook.lean("why numbers").splitlines()
    assert miss == "`numbers` would miss: first run"
    assert before.startswith("its last run was not cached: `x` ")
