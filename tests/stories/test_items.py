"""A corpus grows: cells that map a function over many items compute only the new ones, in any kernel."""

import re

SETUP = """
import numpy as np, lean_magic
class Model:
    def __init__(self):
        self.weights = np.arange(256 * 4, dtype='f4').reshape(256, 4)
    def encode(self, texts, batch_size=8, show_progress_bar=False):
        print('computing', len(texts))
        return np.stack([self.weights[list(text.encode())].mean(0) for text in texts])
model = Model()
embed = lean_magic.cached_map(model.encode, batch_size=64)
"""


def texts(count):
    """Write a cell that makes so many texts."""
    return f"texts = [f'text {{n}}' for n in range({count})]"


def test_a_cell_that_maps_is_cached_as_usual(kernels):
    """In the next kernel the cell itself is a hit: nothing is looked up, and neither line is its output."""
    cell = "%%cached\nX = embed(texts)\nX.sum()"
    first, second = kernels(), kernels()
    for kernel in (first, second):
        kernel.run(SETUP)
        kernel.run(texts(200))
    ran = first.run(cell)
    assert ran.kind == "miss"
    assert re.match(r"● 200 computed in 4 batches", ran.items_line)
    hit = second.run(cell)
    assert (hit.kind, hit.items_line) == ("hit", "")
    assert (hit.stdout, hit.value) == (ran.stdout, ran.value)


def test_a_cell_that_must_run_is_incremental(kernels):
    """When the corpus has grown, the cell runs and computes only what is new, in another kernel too."""
    cell = "%%cached\nX = embed(texts)"
    first, second = kernels(), kernels()
    first.run(SETUP)
    first.run(texts(200))
    first.run(cell)
    second.run(SETUP)
    second.run(texts(202))
    grown = second.run(cell)
    assert grown.kind == "miss"
    assert "`texts`" in grown.reason
    assert grown.stdout == "computing 4\n"  # two new ones and two canaries
    assert re.match(r"● 200 of 202 found · 2 computed in 1 batch", grown.items_line)
    expected = "np.stack([model.weights[list(t.encode())].mean(0) for t in texts])"
    assert second.ask(f"bool(np.array_equal(X, {expected}))")


def test_a_cell_around_depends_on_what_found_items_were_made_with(kernels, work):
    """If items were made with a file, a cell that only found them runs again once the file has changed."""
    (work / "words.txt").write_text("a b")
    define = (
        "import lean_magic\ndef known(texts):\n    words = open('words.txt').read().split()\n"
        "    return [sum(w in t for w in words) for t in texts]\ncount = lean_magic.cached_map(known)"
    )
    kernel = kernels()
    kernel.run(define)
    kernel.run("x = count(['a', 'b c'])")
    cell = "%%cached\nx = count(['a', 'b c'])"
    assert kernel.run(cell).kind == "miss"
    assert kernel.run(cell).kind == "hit"
    (work / "words.txt").write_text("a b c")
    again = kernel.run(cell)
    assert again.kind == "miss"
    assert kernel.ask("x") == [1, 2]


def test_writing_items_is_no_doing_of_the_cell(kernels, tmp_path):
    """The segments a cell writes are no files of its own: they may go, and the cell is still a hit."""
    first, second = kernels(), kernels()
    for kernel in (first, second):
        kernel.run(SETUP)
        kernel.run(texts(50))
    cell = "%%cached\nX = embed(texts)"
    assert first.run(cell).kind == "miss"
    first.run("embed.forget()")
    hit = second.run(cell)
    assert (hit.kind, hit.items_line) == ("hit", "")
    assert not [path for path in (tmp_path / "cache" / "items").rglob("*") if path.is_file()]


def test_an_ordinary_call_item_by_item(kernels):
    """`--items texts` makes `model.encode(texts)` incremental without a change of the code, and says so."""
    cell = "%%cached --items texts\nX = model.encode(texts, show_progress_bar=False)"
    first, second = kernels(), kernels()
    first.run(SETUP)
    first.run(texts(300))
    ran = first.run(cell)
    assert ran.kind == "miss"
    assert re.match(r"● 300 computed in 2 batches", ran.items_line)
    second.run(SETUP)
    second.run(texts(300))
    assert second.run(cell).kind == "hit"
    second.run(texts(303))
    grown = second.run(cell)
    assert (grown.kind, grown.stdout) == ("miss", "computing 5\n")
    assert "300 of 303 found" in grown.items_line
    plain = second.run("Y = model.encode(texts)\nbool(np.array_equal(X, Y))")
    assert plain.value["text/plain"] == "True"
    assert "--items" not in plain.items_line


def test_items_that_no_call_has(kernel):
    """`--items` with a name that no call is given, or several are, is an error, and the cell does not run."""
    kernel.run("def f(xs): return xs\nxs = [1]")
    for body, said in [
        ("x = f(ys)", "no call in this cell has it"),
        ("def x(): return f(xs)", "no call in this cell has it"),  # it may be called in another cell
        ("x = f(f(xs)); y = f(xs)", "2 calls in this cell have it"),
        ("x = f(xs, 1)", "write the other arguments of f() by name"),
    ]:
        wrong = kernel.run(f"%%cached --items xs\n{body}")
        assert said in wrong.error + wrong.stderr
        assert kernel.ask("'x' in globals()") is False


def test_results_that_do_not_fit_the_items_are_told_in_one_line(kernel):
    """A call that gives no result for each item is an error of one line, without the lines of ours that found it."""
    kernel.run("import lean_magic\nxs = [1, 2]")
    wrong = kernel.run("%%cached --items xs\nn = len(xs)")
    assert wrong.error.startswith("UsageError: %%cached --items: len() gave an int, which has no row")
    assert "\n" not in wrong.error
    wrong = kernel.run("n = lean_magic.cached_map(len)(xs)")
    assert wrong.error.startswith("UsageError: cached_map: len() gave an int")
    assert "\n" not in wrong.error


def test_an_interrupted_map_keeps_what_it_has(kernels):
    """After the stop button, what was computed is kept, one line says how much, and the next call goes on."""
    import time

    kernel = kernels()
    kernel.run(
        "import time, lean_magic\ndef slow(texts):\n    time.sleep(0.2)\n    return [len(t) for t in texts]\n"
        "m = lean_magic.cached_map(slow, batch_size=10)\ntexts = [f'text {n}' for n in range(200)]"
    )
    begun = kernel.start("x = m(texts)")
    time.sleep(1.5)
    kernel.interrupt()
    stopped = kernel.finish(begun)
    assert "KeyboardInterrupt" in stopped.error
    kept = int(re.match(r"◌ stopped · (\d+) of 200 computed and kept", stopped.items_line)[1])
    assert 0 < kept < 200
    rest = kernel.run("x = m(texts)")
    assert f"● {kept} of 200 found · {200 - kept} computed" in rest.items_line


def test_a_map_made_in_a_cached_cell(kernels):
    """A cached map is an output like any other: a later kernel puts it back and it finds its items."""
    make = "%%cached\ndef f(texts):\n    return [len(t) for t in texts]\nm = lean_magic.cached_map(f, batch_size=7)"
    for kind, found in (("miss", "● 3 computed"), ("hit", "✓ 3 found")):
        kernel = kernels()
        kernel.run("import lean_magic")
        assert kernel.run(make).kind == kind
        assert found in kernel.run("x = m(['a', 'b', 'c'])").items_line
        assert kernel.ask("m.choices.batch_size") == 7


def test_bars_are_no_output_of_a_cell(kernels):
    """A bar that was shown while items were computed does not come back with the cell."""
    define = "import time, lean_magic\ndef f(xs):\n    time.sleep(0.3)\n    return list(xs)\nm = lean_magic.cached_map(f, batch_size=2)"
    cell = "%%cached\ny = m(list(range(8)))\nprint('done')"
    first, second = kernels(), kernels()
    for kernel in (first, second):
        kernel.run(define)
        kernel.quietly("get_ipython()._lean_magic.runner.settings.progress_after = 0.1")
    assert first.run(cell).kind == "miss"
    hit = second.run(cell)
    assert (hit.kind, hit.stdout, hit.stderr, hit.displays) == ("hit", "done\n", "", [])
