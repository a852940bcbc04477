"""Who computes: a change of what the function is finds nothing; how and where it computes changes nothing."""

import functools
import os

import numpy as np
import pytest

import lean_magic

torch = pytest.importorskip("torch")

TEXTS = [f"text {number}" for number in range(40)]


class Embedder(torch.nn.Module):
    """A small model with what models for embeddings have: weights, a prompt, a dimension."""

    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.nn.Embedding(256, 16, _weight=torch.randn(256, 16, generator=generator))
        self.prompt = "query: "
        self.dimension = 16
        self.eval()

    @torch.no_grad()
    def encode(self, texts, batch_size=8, device="cpu", normalize=False):
        """Give a vector for each text."""
        rows = [self.table(torch.tensor(list((self.prompt + text).encode()))).mean(0) for text in texts]
        found = torch.stack(rows)[:, : self.dimension]
        return (torch.nn.functional.normalize(found) if normalize else found).numpy()


def set_weight(model):
    """Change one weight."""
    with torch.no_grad():
        model.table.weight[3, 3] += 0.001


def set_prompt(model):
    """Change the prompt."""
    model.prompt = "passage: "


def set_dimension(model):
    """Cut the vectors."""
    model.dimension = 8


def set_mode(model):
    """Train."""
    model.train()


def set_type(model):
    """Compute in double precision."""
    model.double()


def set_hook(model):
    """Hang something into the model."""
    model.table.register_forward_hook(lambda *_: None)


@pytest.mark.parametrize("change", [set_weight, set_prompt, set_dimension, set_mode, set_type, set_hook])
def test_a_changed_model_finds_nothing(change):
    """A weight, a prompt, a dimension, a mode, a precision: nothing of the model before is found."""
    model = Embedder()
    mapped = lean_magic.cached_map(model.encode)
    mapped(TEXTS)
    change(model)
    assert np.array_equal(mapped(TEXTS), model.encode(TEXTS))
    assert mapped.last.found == 0


def used(model):
    """Use the model."""
    model.encode(TEXTS)
    return model


def made_again(_):
    """Make the same model once more."""
    return Embedder()


def loaded(model):
    """Load the model's weights into another one."""
    other = Embedder(1)
    other.load_state_dict(model.state_dict())
    return other


@pytest.mark.parametrize("again", [used, made_again, loaded])
def test_the_same_model_finds_everything(again):
    """A model that was used, made or loaded again is the same."""
    model = Embedder()
    lean_magic.cached_map(model.encode)(TEXTS)
    mapped = lean_magic.cached_map(again(model).encode)
    mapped(TEXTS)
    assert mapped.last.computed == 0


def test_how_it_computes_changes_nothing():
    """Batch size, device, order and progress are no part of what is computed."""
    model = Embedder()
    lean_magic.cached_map(model.encode, batch_size=8)(TEXTS, batch_size=4)
    for options in ({"batch_size": 32}, {"device": "cuda"}, {"device": torch.device("cpu")}, {}):
        mapped = lean_magic.cached_map(model.encode, batch_size=3)
        mapped(TEXTS[::-1], **options)
        assert mapped.last.computed == 0


def test_options_of_a_partial_count_one_by_one():
    """A partial's options count as if they were given in the call."""
    model = Embedder()
    lean_magic.cached_map(functools.partial(model.encode, normalize=True, batch_size=4))(TEXTS)
    mapped = lean_magic.cached_map(model.encode)
    mapped(TEXTS, normalize=True)
    assert mapped.last.computed == 0
    mapped(TEXTS, normalize=False)
    assert mapped.last.found == 0


def made(source, **names):
    """Define the function `f` by a source text in a namespace of its own, as a notebook would."""
    namespace = {"__name__": "__main__", "np": np, **names}
    exec(source, namespace)
    return namespace["f"]


BODY = "def f(texts):\n    return np.array([len(text) * 1.0 for text in texts])\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (BODY.replace("1.0", "2.0"), 0),
        (BODY.replace("len(text)", "len(text.strip())"), 0),
        (BODY.replace("    return", "    # a remark\n\n    return"), len(TEXTS)),
        (BODY.replace("np.array([", "np.array(  ["), len(TEXTS)),
    ],
)
def test_the_body_counts_and_its_layout_does_not(source, found):
    """Another body finds nothing, a remark or a blank everything."""
    lean_magic.cached_map(made(BODY))(TEXTS)
    mapped = lean_magic.cached_map(made(source))
    mapped(TEXTS)
    assert mapped.last.found == found


def test_functions_it_calls_count(shell):
    """A function that the function calls counts by its body, a variable by its value, at any depth."""
    shell.run(
        "import lean_magic\ndef clean(t): return t.strip()\nscale = 2\ndef f(ts): return [len(clean(t)) * scale for t in ts]"
    )
    shell.run("m = lean_magic.cached_map(f, quiet=True)\nts = [f' {n}' for n in range(30)]\na = m(ts)")
    assert shell.ns["m"].last.computed == 30
    for change in ("def clean(t): return t.lstrip()", "scale = 3"):
        shell.run(change)
        shell.run("a = m(ts)")
        assert shell.ns["m"].last.found == 0
    shell.run("scale = 2")
    shell.run("a = m(ts)")
    assert shell.ns["m"].last.computed == 0


def test_a_device_variable_changes_nothing(shell):
    """A variable that names a device is no part of what a function computes; any other value of it is."""
    shell.run(
        "import lean_magic\ndevice = 'cpu'\ndef f(ts): return [(len(t), device == 'left' and 5) for t in ts]"
    )
    shell.run(
        "m = lean_magic.cached_map(f, quiet=True)\na = m(['a', 'bb'])\ndevice = 'cuda:1'\na = m(['a', 'bb'])"
    )
    assert shell.ns["m"].last.computed == 0
    shell.run("device = 'left'\na = m(['a', 'bb'])")
    assert shell.ns["a"] == [(1, 5), (2, 5)]


def test_a_number_of_any_name_counts(shell):
    """A variable that a function reads counts, also if it is called as options are that do not."""
    shell.run("import lean_magic\nbatch_size = 1\ndef f(ts): return [t[:batch_size] for t in ts]")
    shell.run("m = lean_magic.cached_map(f, quiet=True)\na = m(['abc'])\nbatch_size = 2\na = m(['abc'])")
    assert shell.ns["a"] == ["ab"]


def test_two_lambdas_of_one_version():
    """Lambdas have no name, so each counts by its code, also under the same version."""
    lean_magic.cached_map(lambda texts: [1 for _ in texts], version=1)(TEXTS)
    assert lean_magic.cached_map(lambda texts: [2 for _ in texts], version=1)(TEXTS) == [2] * len(TEXTS)


def test_a_version_stands_for_everything():
    """With `version`, what cannot be compared can be cached, and only the version counts."""
    import socket

    connection = socket.socket()

    def answers(texts):
        return [(len(text), connection.fileno() > 0) for text in texts]

    plain = lean_magic.cached_map(answers)
    plain(TEXTS)
    plain(TEXTS)
    assert plain.last.found == 0  # it just runs
    told = lean_magic.cached_map(answers, version="2024-06")
    told(TEXTS)
    told(TEXTS)
    assert told.last.computed == 0
    other = lean_magic.cached_map(answers, version="2024-07")
    other(TEXTS)
    assert other.last.found == 0
    connection.close()


def test_a_file_that_the_function_reads_counts(tmp_path):
    """What a function reads besides its items counts, as long as its process lives and after."""
    path = tmp_path / "words.txt"
    path.write_text("a b")

    def known(texts):
        with open(path) as file:
            words = file.read().split()
        return [sum(word in text for word in words) for text in texts]

    mapped = lean_magic.cached_map(known)
    assert mapped(["a", "b c"]) == [1, 1]
    mapped(["a", "b c"])
    assert mapped.last.computed == 0
    path.write_text("a b c")
    assert mapped(["a", "b c"]) == [1, 2]
    assert mapped.last.found == 0
    assert "words.txt" in mapped.last.reason


def test_a_function_that_changes_itself_is_told(shell):
    """If what a function depends on is changed by running it, the line says what to leave out."""
    shell.run(
        "import lean_magic\ncalls = []\ndef f(ts):\n    calls.append(len(ts))\n    return [len(t) for t in ts]"
    )
    shell.run("m = lean_magic.cached_map(f)\na = m(['a', 'bb'])")
    assert any("`calls`" in note and 'ignore=["calls"]' in note for note in shell.ns["m"].last.notes)
    shell.run("m = lean_magic.cached_map(f, ignore=['calls'])\na = m(['a', 'bb'])\na = m(['a', 'bb'])")
    assert shell.ns["m"].last.computed == 0


def test_the_line_says_what_changed(shell):
    """When nothing is found, the line names what differs from the function that has items."""
    shell.run(
        "import lean_magic\nscale = 2\ndef f(ts): return [len(t) * scale for t in ts]\nm = lean_magic.cached_map(f)"
    )
    shell.run("a = m(['a'])\nscale = 3\na = m(['a'])")
    assert shell.ns["m"].last.reason == "`scale`: 2 → 3"


def test_local_modules_count_before_and_after_they_are_loaded(tmp_path):
    """A module that the function itself imports is found in later processes, and edited not."""
    import subprocess
    import sys

    module = tmp_path / "counting.py"
    module.write_text("def measure(text): return len(text)\n")
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, lean_magic\n"
        "def f(texts):\n    import counting\n    return [counting.measure(text) for text in texts]\n"
        "m = lean_magic.cached_map(f, quiet=True)\n"
        "m(['a', 'b']); first = m.last.computed\n"
        "m(['a', 'b']); print(first, m.last.computed)\n"
    )

    def run():
        done = subprocess.run(
            [sys.executable, program],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ},
            check=True,
        )
        return done.stdout.split()

    assert run() == ["2", "0"]
    assert run() == ["0", "0"]
    module.write_text("def measure(text): return len(text) + 1\n")
    assert run() == ["2", "0"]


def test_warning_filters_change_nothing():
    """What warnings are shown is no part of what is computed, unless the function looks at them."""
    import warnings

    mapped = lean_magic.cached_map(Embedder().encode)
    mapped(TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mapped(TEXTS)
    assert mapped.last.computed == 0


READS = {"an item": "os.environ['LEAN_TEST']", "getenv": "os.getenv('LEAN_TEST', '5')"}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_variable_of_the_environment_counts(shell, monkeypatch, read):
    """What the function asks of the environment counts, as for a cell; what is set again is found again."""
    shell.run(
        f"import lean_magic, os\ndef f(xs): return [x * int({read}) for x in xs]\n"
        "m = lean_magic.cached_map(f, quiet=True)"
    )
    for value, computed in (("2", 2), ("3", 2), ("2", 0)):
        monkeypatch.setenv("LEAN_TEST", value)
        shell.run("r = m([1, 2])")
        assert shell.ns["r"] == [int(value), 2 * int(value)]
        assert shell.ns["m"].last.computed == computed


def test_whether_a_file_is_there_counts(tmp_path):
    """What the function asks about files counts; what it asks about items that are files is theirs."""
    flag, item = tmp_path / "flag", tmp_path / "item"
    item.write_text("ab")
    mapped = lean_magic.cached_map(
        lambda paths: [os.path.getsize(one) + flag.exists() for one in paths], quiet=True
    )
    assert [mapped([item])[0], mapped([item])[0], mapped.last.computed] == [2, 2, 0]
    flag.write_text("")
    assert mapped([item]) == [3]
    item.write_text("abcd")
    assert mapped([item]) == [5]


REMEMBERS = """
import functools, sys, lean_magic
@functools.lru_cache
def scale():
    with open("scale") as file: return int(file.read())
@functools.lru_cache
def square(x): return x * x
def first(xs): return [x * scale() for x in xs]
def second(xs): return [square(x) + scale() for x in xs]
if "early" in sys.argv: scale()
one, two = lean_magic.cached_map(first, quiet=True), lean_magic.cached_map(second, quiet=True)
print(one([1, 2]), two([1, 2]), two([1, 2, 3]), one.last.computed, two.last.computed, two.last.found)
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_file_that_an_answer_from_memory_came_from(tmp_path, when):
    """What a function under lru_cache read counts for whomever it answers from memory."""
    import subprocess
    import sys

    (tmp_path / "program.py").write_text(REMEMBERS)

    def run(scale):
        (tmp_path / "scale").write_text(str(scale))
        command = [sys.executable, "program.py", when]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout

    assert run(2) == "[2, 4] [3, 6] [3, 6, 11] 2 1 2\n"
    assert run(3) == "[3, 6] [4, 7] [4, 7, 12] 2 1 2\n"
    assert run(2) == "[2, 4] [3, 6] [3, 6, 11] 0 0 3\n"


def test_a_file_that_changes_under_a_function_that_keeps_it(tmp_path, counter):
    """What a function gives from an earlier state of a file is given, once, and not stored."""
    path = tmp_path / "words.txt"
    path.write_text("a b")

    kept = []

    def words():
        if not kept:
            with open(path) as file:
                kept.append(file.read().split())
        return kept[0]

    def known(texts):
        os.write(counter.descriptor, b"." * len(texts))
        return [sum(word in text for word in words()) for text in texts]

    mapped = lean_magic.cached_map(known, canaries=0, version=1)
    assert mapped(["a", "b c"]) == [1, 1]
    path.write_text("a b c")
    for count in (4, 6):
        assert mapped(["a", "b c"]) == [1, 1]
        assert "words.txt changed since it was read" in mapped.last.notes[0]
        assert counter.count == count
    kept.clear()
    assert mapped(["a", "b c"]) == [1, 2]
    mapped(["a", "b c"])
    assert mapped.last.computed == 0


def test_what_is_remembered_of_a_file_that_changed(tmp_path):
    """What a function gives from what an lru_cache remembers is found as long as it remembers that."""
    path = tmp_path / "words.txt"
    path.write_text("a b")

    @functools.lru_cache
    def words():
        with open(path) as file:
            return file.read().split()

    mapped = lean_magic.cached_map(
        lambda texts: [sum(word in text for word in words()) for text in texts], quiet=True
    )
    assert mapped(["a", "b c"]) == [1, 1]
    path.write_text("a b c")
    for computed in (2, 0):
        assert mapped(["a", "b c"]) == [1, 1]
        assert mapped.last.computed == computed
    words.cache_clear()
    for computed in (2, 0):
        assert mapped(["a", "b c"]) == [1, 2]
        assert mapped.last.computed == computed
