"""Files a cell reads count by content, files it writes are put back; so it is with random generators."""

import os

import pytest
from story_kernels import plain

READS = {
    "open": "x = open('data.txt').read()",
    "open in a with": "with open('data.txt') as file:\n    x = file.read()",
    "open in a function": "def f(name):\n    with open(name) as file:\n        return file.read()\nx = f('data' + '.txt')",
    "pathlib": "from pathlib import Path\nx = Path('data.txt').read_text()",
    "os.open": "import os\nfd = os.open('data.txt', os.O_RDONLY)\nx = os.read(fd, 9)\nos.close(fd)",
    "absolute path": "import os\nx = open(os.getcwd() + '/data.txt').read()",
    "parent folder": "x = open('sub/../data.txt').read()",
    "a loop of lines": "x = [line for line in open('data.txt')]",
    "json": "import json\nx = json.load(open('data.txt'))",
    "a thread": "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n    x = pool.submit(lambda: open('data.txt').read()).result()\ndel pool",
    "mmap": "import mmap\nwith open('data.txt', 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m:\n    x = bytes(m)\ndel m",
    "size": "import os\nx = os.path.getsize('data.txt')",
    "stat": "from pathlib import Path\nx = Path('data.txt').stat().st_size",
    "sqlite": "import sqlite3\nwith sqlite3.connect('data.db') as db:\n    x = db.execute('select a from t').fetchall()\ndb.close()\ndel db",
    "zip": "import zipfile\nwith zipfile.ZipFile('data.zip') as z:\n    x = z.read('a')\ndel z",
    "a variable path": "x = open(name).read()",
    "a path object": "x = path.read_text()",
    "a path in a dict": "x = open(config['input']).read()",
    "a path in an object": "x = open(box.path).read()",
}
HAS = "import pathlib, types\nname, path = 'data.txt', pathlib.Path('data.txt')\nconfig = {'input': 'data.txt'}\nbox = types.SimpleNamespace(path='data.txt')"


def data_files(text):
    """Lay the same content out in several formats."""
    import io
    import sqlite3
    import zipfile

    db = sqlite3.connect(":memory:")
    db.execute("create table t (a)")
    db.execute("insert into t values (?)", (text,))
    db.commit()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr(zipfile.ZipInfo("a"), text)
    return {"data.txt": text, "data.db": db.serialize(), "data.zip": packed.getvalue(), "sub/other.txt": "o"}


@pytest.mark.parametrize("cell", READS.values(), ids=READS)
def test_file_that_changes_runs(story, cell):
    """A cell runs when a file it reads has other content; as the file was, it hits."""
    notebook = [HAS, f"%%cached\n{cell}"]
    story.changes(notebook, notebook, "miss", files=data_files("1"), files_after=data_files("22"), back=False)


def test_file_that_another_program_reads(story):
    """A program that the cell starts may read anything, so the cell runs each time."""
    for text in ("1", "22"):
        cell = "%%cached\nimport subprocess\nx = subprocess.run(['cat', 'data.txt'], capture_output=True, text=True).stdout"
        assert story.run(cell, files={"data.txt": text}).value("x") == text


@pytest.mark.parametrize(
    "cell", [READS[name] for name in ["open", "open in a with", "pathlib", "a variable path", "zip"]]
)
def test_file_that_is_only_touched_hits(story, cell):
    """A file written again with the same content is no reason to run."""
    notebook = [HAS, f"%%cached\n{cell}"]
    story.replays(*notebook, files=data_files("1"))


def test_file_of_the_same_size_and_time_runs(story):
    """Content counts even if size and time of change were set back."""
    cell = "%%cached\nx = open('data.txt').read()"
    story.run(cell, files={"data.txt": "1"})
    before = (story.work / "data.txt").stat()
    (story.work / "data.txt").write_text("2")
    os.utime(story.work / "data.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert story.run(cell).value("x") == "2"


def test_reason_names_the_file(story):
    """The line under the cell names the file that changed."""
    cell = "%%cached\nx = open('data.txt').read()"
    story.run(cell, files={"data.txt": "1"})
    assert "data.txt" in story.run(cell, files={"data.txt": "22"}).reason


LISTS = {
    "os.listdir": "import os\nx = sorted(os.listdir('sub'))",
    "glob": "import glob\nx = sorted(glob.glob('sub/*.txt'))",
    "recursive glob": "import glob\nx = sorted(glob.glob('**/*.txt', recursive=True))",
    "pathlib": "from pathlib import Path\nx = sorted(str(path) for path in Path('sub').iterdir())",
    "pathlib glob": "from pathlib import Path\nx = sorted(map(str, Path('.').rglob('*.txt')))",
    "os.walk": "import os\nx = [sorted(files) for _, _, files in os.walk('sub')]",
    "exists": "import os\nx = os.path.exists('sub/b.txt')",
    "pathlib exists": "from pathlib import Path\nx = Path('sub', 'b' + '.txt').exists()",
    "try open": "try:\n    x = open('sub/b.txt').read()\nexcept FileNotFoundError:\n    x = None",
}


@pytest.mark.parametrize("cell", LISTS.values(), ids=LISTS)
def test_folder_that_changes_runs(story, cell):
    """A cell runs when a folder it listed, or a file it looked for, is no longer as it was."""
    notebook = [f"%%cached\n{cell}"]
    story.changes(
        notebook,
        notebook,
        "miss",
        files={"sub/a.txt": ""},
        files_after={"sub/a.txt": "", "sub/b.txt": ""},
        back=False,
    )


WRITES = {
    "a file": "with open('out.txt', 'w') as file:\n    file.write('a')",
    "pathlib": "from pathlib import Path\nPath('out.txt').write_text('a');",
    "appending": "with open('data.txt', 'a') as file:\n    file.write('a')",
    "reading and writing": "text = open('data.txt').read()\nwith open('data.txt', 'w') as file:\n    file.write(text + 'a')",
    "writing, then reading": "with open('out.txt', 'w') as file:\n    file.write('a')\nx = open('out.txt').read()",
    "removing": "import os\nos.remove('data.txt')",
    "renaming": "import os\nos.rename('data.txt', 'new.txt')",
    "copying": "import shutil\nshutil.copy('data.txt', 'copy.txt');",
    "a folder": "import os\nos.makedirs('new/deep')\nopen('new/deep/a.txt', 'w').close()",
    "an empty folder": "import os\nos.mkdir('new')",
    "removing a folder": "import shutil\nshutil.rmtree('sub')",
    "a temporary file": "import tempfile\nwith tempfile.TemporaryDirectory() as folder:\n    open(folder + '/a', 'w').close()\ndel folder\nx = 1",
    "a database": "import sqlite3\nwith sqlite3.connect('new.db') as db:\n    db.execute('create table t (a)')\ndb.close()",
    "a subprocess that writes": "import subprocess\nsubprocess.run(['cp', 'data.txt', 'out.txt']);",
    "mode of a file": "import os\nopen('out.txt', 'w').close()\nos.chmod('out.txt', 0o600)",
    "truncating": "import os\nos.truncate('data.txt', 0)",
    "a link": "import os\nos.symlink('data.txt', 'link.txt')",
}


@pytest.mark.parametrize("cell", WRITES.values(), ids=WRITES)
def test_written_files_are_right(story, cell):
    """After a hit, as after a run, the files are what the cell makes of them."""
    story.stays_right(f"%%cached\n{cell}", "import os\nprint(sorted(os.listdir('.')), [open(n).read() for n in os.listdir('.') if n[-3:] == 'txt'])",
                      files={"data.txt": "1", "sub/a.txt": "a"})  # fmt: skip


@pytest.mark.parametrize(
    "name", ["a file", "pathlib", "writing, then reading", "a temporary file", "copying"]
)
def test_ordinary_writes_hit(story, name):
    """A cell that writes small files hits, and puts them back."""
    story.replays(f"%%cached\n{WRITES[name]}", files={"data.txt": "1"})


def test_written_file_that_was_changed_is_put_back(story):
    """A file that the cell wrote, and somebody changed since, is put back by the hit."""
    cell = "%%cached\nwith open('out.txt', 'w') as file:\n    file.write('a')"
    story.run(cell, files={})
    assert story.run(cell, files={"out.txt": "zzz"}).kind == "hit"
    assert (story.work / "out.txt").read_text() == "a"


def test_appending_twice_appends_twice(kernel, work):
    """A cell that appends does so each time it is run."""
    (work / "log.txt").write_text("")
    for count in (1, 2, 3):
        kernel.run("%%cached\nwith open('log.txt', 'a') as file:\n    file.write('a')")
        assert (work / "log.txt").read_text() == "a" * count


# -- generators --------------------------------------------------------------------------

DRAWS = {
    "random": ("import random\nrandom.seed(SEED)", "x = random.random()", "print(random.random())"),
    "numpy global": (
        "import numpy as np\nnp.random.seed(SEED)",
        "x = np.random.rand(3)",
        "print(np.random.rand())",
    ),
    "numpy generator": (
        "import numpy as np\nrng = np.random.default_rng(SEED)",
        "x = rng.random(3)",
        "print(rng.random())",
    ),
    "numpy random state": (
        "import numpy as np\nrng = np.random.RandomState(SEED)",
        "x = rng.rand(3)",
        "print(rng.rand())",
    ),
    "torch": ("import torch\ntorch.manual_seed(SEED);", "x = torch.rand(3)", "print(torch.rand(1))"),
    "torch generator": (
        "import torch\ng = torch.Generator().manual_seed(SEED)",
        "x = torch.rand(3, generator=g)",
        "print(torch.rand(1, generator=g))",
    ),
    "random object": ("import random\nr = random.Random(SEED)", "x = r.random()", "print(r.random())"),
    "seeded by setstate": (
        "import random\nrandom.setstate(random.Random(SEED).getstate())",
        "x = random.random()",
        "print(random.random())",
    ),
    "seeded through an alias": (
        "from random import seed, random\nseed(SEED)\ndel seed",
        "x = random()",
        "print(random())",
    ),
    "seeded in a function": (
        "import random\ndef go(): random.seed(SEED)\ngo()",
        "x = random.random()",
        "print(random.random())",
    ),
    "numpy seeded through an alias": (
        "from numpy.random import seed, rand\nseed(SEED)\ndel seed",
        "x = rand(2)",
        "print(rand())",
    ),
}


@pytest.mark.parametrize(("seed", "cell", "after"), DRAWS.values(), ids=DRAWS)
def test_seeded_generators(loaded_story, seed, cell, after):
    """A draw from a seeded generator depends on the seed, and leaves the generator as a run does."""
    notebooks = [[seed.replace("SEED", value), f"%%cached\n{cell}", after] for value in ("1", "2")]
    first = loaded_story.stays_right(*notebooks[0])
    other = loaded_story.stays_right(*notebooks[1])
    assert plain(first[2].stdout) != plain(other[2].stdout)


@pytest.mark.parametrize(
    "name", ["random", "numpy global", "torch", "seeded by setstate", "seeded through an alias"]
)
def test_seeded_draws_hit(loaded_story, name):
    """A cell that draws from a seeded global generator hits in the next kernel."""
    seed, cell, after = DRAWS[name]
    loaded_story.replays(seed.replace("SEED", "1"), f"%%cached\n{cell}", after)


SEEDS = {
    "random": "import random\nrandom.seed(1)\nx = random.random()\n#\nprint(random.random())",
    "numpy": "import numpy as np\nnp.random.seed(1)\nx = np.random.rand()\n#\nprint(np.random.rand())",
    "torch": "import torch\ntorch.manual_seed(1)\nx = torch.rand(1)\n#\nprint(torch.rand(1))",
    "numpy generator": "import numpy as np\nrng = np.random.default_rng(1)\nx = rng.random()\n#\nprint(rng.random())",
    "random, only seeded": "import random\nrandom.seed(1)\n#\nprint(random.random())",
    "torch, only seeded": "import torch\ntorch.manual_seed(1);\n#\nprint(torch.rand(1))",
    "all three": "import random, torch\nimport numpy as np\nrandom.seed(1)\nnp.random.seed(1)\ntorch.manual_seed(1);\n#\nprint(random.random(), np.random.rand(), torch.rand(1))",
}


@pytest.mark.parametrize("text", SEEDS.values(), ids=SEEDS)
def test_seeding_in_the_cell(loaded_story, text):
    """A cell that seeds for itself hits, whatever came before, and the next draw is as after a run."""
    cell, after = text.split("\n#\n")
    loaded_story.replays(f"%%cached\n{cell}", after)


@pytest.mark.parametrize("text", SEEDS.values(), ids=SEEDS)
def test_seeding_in_the_cell_hits_after_other_draws(loaded_story, text):
    """The state before plays no part where the cell seeds first."""
    cell, after = text.split("\n#\n")
    warm = "import random\nimport numpy as np\nimport torch\nrandom.seed(7)\nnp.random.seed(7)\ntorch.manual_seed(7);"
    loaded_story.run(warm, f"%%cached\n{cell}", after)
    first = loaded_story.run(warm.replace("7", "8"), f"%%cached\n{cell}", after)
    assert first.kinds == ["hit"], first
    assert first[2].stdout == loaded_story.uncached(cell, after)[1].stdout


@pytest.mark.parametrize(
    "draw",
    [
        "import random\nx = random.random()",
        "import numpy as np\nx = np.random.rand()",
        "import torch\nx = torch.rand(1)",
    ],
)
def test_unseeded_draws_hit(story, draw):
    """A generator that nobody seeded is no input: any draw is as good as another."""
    cell = f"%%cached\n{draw}"
    story.run(cell)
    assert story.run(cell).kind == "hit"


@pytest.mark.parametrize(
    ("load", "draw"),
    [
        ("import random", "x = random.random()"),
        ("import numpy as np", "x = np.random.rand()"),
        ("import torch", "x = torch.rand(1)"),
        ("import torch", "x = torch.nn.Linear(2, 2).eval()"),
    ],
)
def test_unseeded_draws_hit_where_the_library_was_loaded_before(story, load, draw):
    """Also where an earlier cell, or the kernel, imported the library."""
    cell = f"%%cached\n{draw}"
    assert story.run(load, cell).kind == "miss"
    assert story.run(load, "y = 1", cell).kind == "hit"


@pytest.mark.parametrize("load", ["import random", "import numpy.random", "import torch"])
def test_a_draw_elsewhere_is_no_seed(story, load):
    """A draw that an uncached cell made meanwhile does not matter where nobody seeded."""
    draw = {
        "import random": "random.random()",
        "import numpy.random": "numpy.random.rand()",
        "import torch": "torch.rand(1)",
    }[load]
    cell = f"%%cached\nx = {draw}"
    story.run(load, cell)
    assert story.run(load, f"{draw};", cell).kind == "hit"


def test_unseeded_generator_is_left_alone(story):
    """A hit does not put the unseeded generator into the state of another kernel."""
    cell = "%%cached\nimport random\nx = random.random()"
    draws = [story.run(cell, "y = random.random()").value("y") for _ in range(3)]
    assert len(set(draws)) == 3


def test_reason_names_the_generator(story):
    """The line under the cell names the generator in another state."""
    cell = "%%cached\nx = random.random()"
    story.run("import random\nrandom.seed(1)", cell)
    assert "random" in story.run("import random\nrandom.seed(2)", cell).reason


def test_seeded_draws_in_one_kernel_go_on(kernel):
    """Run again in one kernel, a seeded draw gives the next number, not the same again."""
    kernel.run("import random\nrandom.seed(1)")
    drawn = [(kernel.run("%%cached\nx = random.random()"), kernel.ask("x"))[1] for _ in range(3)]
    assert len(set(drawn)) == 3
    kernel.run("random.seed(1)")
    assert kernel.run("%%cached\nx = random.random()").kind == "hit"
    assert kernel.ask("x") == drawn[0]


UNSEEDED = {
    "random": ("import random", "x = random.random()", "random.seed(1)"),
    "random imported in the cell": (
        "",
        "import random\nx = random.random()",
        "import random\nrandom.seed(1)",
    ),
    "numpy imported in the cell": (
        "",
        "import numpy as np\nx = np.random.rand()",
        "import numpy\nnumpy.random.seed(1)",
    ),
    "numpy": ("import numpy as np", "x = np.random.rand()", "np.random.seed(1)"),
    "torch": ("import torch", "x = torch.rand(2)", "torch.manual_seed(1)"),
    "a shuffle in a function": (
        "import random\ndef f(): return random.sample(range(99), 9)",
        "x = f()",
        "random.seed(1)",
    ),
}


@pytest.mark.parametrize(("before", "draw", "seed"), UNSEEDED.values(), ids=UNSEEDED)
def test_entry_of_an_unseeded_draw_is_none_once_seeded(story, before, draw, seed):
    """What was drawn while nobody had seeded answers only while nobody has; a seed asks for its own draw."""
    cell = f"%%cached\n{draw}"
    assert story.run(before or "1", cell).kind == "miss"
    assert story.run(before or "1", cell).kind == "hit"
    start = before or "1"
    story.replays(start, seed, cell, f"{draw}\ny = x", kinds=["hit"])
    again = story.run(before or "1", cell, seed, cell, seed, cell)
    assert again.kinds[0] == "hit"
    assert again.kinds[2] == "hit"


def test_notebook_saved_in_between_hits(story):
    """A dot among the data is no folder that the cell reads, so the notebook beside it may be saved."""
    before = "import tokenizers, numpy as np\nwords = ['.', 'a', '..', '/']\nnp.zeros(1)"
    cell = "%%cached\nx = [tokenizers.NormalizedString(word).original for word in words]"
    story.run(before, cell, files={"nb.ipynb": "{}"})
    assert story.run(before, cell, files={"nb.ipynb": "{'cells': []}", "new.txt": "a"}).kind == "hit"
