"""Files that a cell reads and writes."""

import importlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lean_magic.values import origin

WRITE = "from pathlib import Path\nPath('a.txt').write_text('1')"
AGAIN = "Path('a.txt').write_text('2')"
TABLE = "import polars as pl\nfrom pathlib import Path\nPath('a.csv').write_text('x\\n1\\n')"
OTHER_TABLE = "Path('a.csv').write_text('x\\n2\\n')"


@pytest.mark.parametrize(
    "cell",
    [
        "print(open('a.txt').read())",
        "with open('a.txt') as file: print(file.read())",
        "from pathlib import Path\nprint(Path('a.txt').read_text())",
        "import os\nprint(os.read(os.open('a.txt', os.O_RDONLY), 9))",
        "import io\nprint(io.FileIO('a.txt').read())",
        "import numpy as np\nprint(np.loadtxt('a.txt'))",
        "import numpy as np\nprint(np.fromfile('a.txt', 'u1'))",
        "import numpy as np\nprint(np.memmap('a.txt', 'u1', 'r'))",
        "import shutil\nshutil.copy('a.txt', 'b.txt')\nprint(open('b.txt').read())",
        "import linecache\nlinecache.checkcache()\nprint(linecache.getlines('a.txt'))",
        "import fileinput\nprint(*fileinput.input(['a.txt']))",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n    print(*pool.map(lambda n: open(n).read(), ['a.txt']))",
        "print(read('a.txt'))",
        "print(paths[0].read_text())",
        "import os\nprint(os.listdir('.'), os.path.getsize('a.txt'), open('a.txt').read())",
        "import subprocess\nprint(subprocess.run(['cat', 'a.txt'], capture_output=True).stdout)",
        "import subprocess\nprint(subprocess.check_output('cat a.txt', shell=True))",
        "import os\nprint(os.popen('cat a.txt').read())",
        "import os\nprint(os.path.exists('a.txt') and open('a.txt').read())",
    ],
)
def test_content_that_is_read(both, cell):
    """A file that the cell reads, through any reader, is an input by its content."""
    setup = (
        f"{WRITE}\npaths = [Path('a.txt')]\ndef read(name):\n    with open(name) as file: return file.read()"
    )
    plain, cached = both(cell, setup=setup, change=AGAIN)
    assert cached == plain


@pytest.mark.parametrize(
    ("cell", "setup"),
    [
        ("print(pl.read_csv('a.csv')['x'][0])", ""),
        ("print(pl.read_csv(name)['x'][0])", "name = 'a.csv'"),
        ("print(pl.read_csv(names[0])['x'][0])", "names = ['a.csv']"),
        ("print(pl.read_csv(names['x'])['x'][0])", "names = {'x': Path('a.csv')}"),
        ("print(pl.read_csv(config.name)['x'][0])", "class config: name = 'a.csv'"),
        (
            "print(pl.read_csv(config.name)['x'][0])",
            "from types import SimpleNamespace\nconfig = SimpleNamespace(name='a.csv')",
        ),
        ("print(pl.read_csv(folder / 'a.csv')['x'][0])", "folder = Path('.').resolve()"),
        ("print(pl.read_csv(f'{folder}/a.csv')['x'][0])", "folder = str(Path('.').resolve())"),
        ("print(pl.read_csv(f'{word}.csv')['x'][0])", "word = 'a'"),
        ("print(pl.read_csv(word + '.csv')['x'][0])", "word = 'a'"),
        ("print(pl.read_csv('*.csv')['x'][0])", ""),
        ("print(lazy.collect()['x'][0])", "lazy = pl.scan_csv('a.csv')"),
        ("print(read()['x'][0])", "def read(name='a.csv'): return pl.read_csv(name)"),
        ("print(read()['x'][0])", "def read(): return pl.read_csv('a.csv')"),
        ("print(pl.read_csv('plain')['x'][0])", "Path('plain').symlink_to('a.csv')"),
        ("print(pl.read_csv(word)['x'][0])", "Path('plain').symlink_to('a.csv')\nword = 'plain'"),
    ],
)
def test_content_that_is_read_out_of_sight(both, cell, setup):
    """A file that a library reads without Python's knowing is an input by its content."""
    plain, cached = both(cell, setup=f"{TABLE}\n{setup}", change=OTHER_TABLE)
    assert cached == plain


@pytest.mark.parametrize(
    "cell",
    [
        "from safetensors.numpy import load_file\nprint(load_file(os.path.join(folder, 'w.safetensors')))",
        "from safetensors.numpy import load_file\nprint(load_file('w.safetensors'))",
        "model = Model.from_pretrained(folder)\nprint(model)",
    ],
)
def test_weights_in_a_folder(both, cell):
    """Weights that are saved again into the same folder are other weights."""
    save = "save_file({{'w': np.full(3, {}.0)}}, os.path.join(folder, 'w.safetensors'))"
    setup = f"""
import os, numpy as np
from safetensors.numpy import load_file, save_file
folder = os.getcwd()
class Model:
    @staticmethod
    def from_pretrained(folder): return load_file(folder + '/w.safetensors')
{save.format(1)}"""
    plain, cached = both(cell, setup=setup, change=save.format(2))
    assert cached == plain


@pytest.mark.parametrize(
    "cell",
    [
        "import os\nprint(os.path.exists('new.txt'))",
        "import os\nprint(os.path.isfile('new'))",
        "from pathlib import Path\nprint(Path('new.txt').exists())",
        "try:\n    open('new.txt')\nexcept OSError:\n    print('absent')",
        "import os\nprint(sorted(os.listdir('.')))",
        "import os\nprint([entry.name for entry in os.scandir('.') if entry.name == 'new.txt'])",
        "from pathlib import Path\nprint([*Path('.').glob('new*')])",
        "import glob\nprint(glob.glob('new*'))",
        "import glob\nprint(glob.glob('n?w.txt'))",
        "import os\nprint([names for _, _, names in os.walk('.')])",
        "import os\nprint(any('new.txt' in names for _, _, names in os.walk('.')))",
        "import os\nprint(os.access(name, os.R_OK))",
    ],
)
def test_files_that_come_and_go(both, cell):
    """Whether a file is there counts where the cell asks for it or lists its folder."""
    change = "from pathlib import Path\nPath('new.txt').write_text('1')\nPath('new').write_text('1')"
    plain, cached = both(cell, setup="name = 'new.txt'", change=change)
    assert cached == plain


@pytest.mark.parametrize(
    "cell",
    [
        "count = int(Path('a.txt').read_text()) + 1\nPath('a.txt').write_text(str(count))\nprint(count)",
        "with open('a.txt', 'a') as file: file.write('x')",
        "with open('a.txt', 'r+') as file:\n    text = file.read()\n    file.write(text)",
        "with open('a.txt', 'r+') as file: file.write('')",
        "with open('a.txt', 'a+') as file:\n    file.seek(0)\n    print(file.read())",
        "import os\nos.rename('a.txt', 'b.txt')\nPath('a.txt').write_text('0')",
        "import os\nos.replace('a.txt', 'b.txt')\nPath('a.txt').write_text('0')",
        "import shutil\nshutil.move('a.txt', 'b.txt')\nPath('a.txt').write_text('0')",
        "import shutil\nshutil.copyfile('a.txt', 'b.txt')",
        "import os\nos.truncate('a.txt', 1)",
        "import os\nos.link('a.txt', 'c.txt')\nprint(open('c.txt').read())\nos.remove('c.txt')",
        "import subprocess\nsubprocess.run('echo x >> a.txt', shell=True)",
        "import os\nos.system('echo x >> a.txt')",
        "import numpy as np\nm = np.memmap('a.txt', 'u1', 'r+')\nm[0] += 1\nm.flush()\ndel m",
        "import os\nprint(os.path.exists('a.txt'))\nos.remove('a.txt')",
    ],
)
@pytest.mark.parametrize("change", ["", "Path('a.txt').write_text('77')"])
def test_files_changed_in_place(both, cell, change):
    """A file that the cell reads and then changes is an input as it was before."""
    probe = "import os\nfor name in 'a.txt', 'b.txt': print(name, os.path.exists(name) and open(name).read())"
    plain, cached = both(cell, setup=WRITE, change=change, probe=probe)
    assert cached == plain


@pytest.mark.parametrize(
    "cell",
    [
        "from pathlib import Path\nPath('out.txt').write_text('5')",
        "with open('out.txt', 'w') as file: file.write('5')",
        "with open('out.txt', 'x') as file: file.write('5')",
        "import os\nwith open('t.tmp', 'w') as file: file.write('5')\nos.replace('t.tmp', 'out.txt')",
        "import numpy as np\nnp.array([5]).tofile('out.txt')",
        "import polars as pl\npl.DataFrame({'a': [5]}).write_csv('out.txt')",
        "import polars as pl\nname = 'out'\npl.DataFrame({'a': [5]}).write_csv(name + '.txt')",
        "import os\nos.mkdir('d')\nopen('d/e.txt', 'w').write('1')\nopen('out.txt', 'w').write('5')",
        "import subprocess\nsubprocess.run('echo 5 > out.txt', shell=True)",
        "import os\nos.system('echo 5 > out.txt')",
    ],
)
def test_files_that_are_written(both, cell):
    """A file that the cell wrote is there again, also if somebody removed it in between."""
    change = "import os, shutil\nos.remove('out.txt')\nshutil.rmtree('d', ignore_errors=True)"
    probe = "import os\nprint(open('out.txt').read(), os.path.exists('d/e.txt'), os.path.exists('t.tmp'))"
    plain, cached = both(cell, change=change, probe=probe)
    assert cached == plain


@pytest.mark.parametrize("folder", [".cache", "sub/.cache/models", "sub/__pycache__", "sub"])
def test_no_folder_is_out_of_sight(both, folder):
    """A file that is read counts wherever it lies."""
    setup = f"import os\nos.makedirs({folder!r})\nname = {folder!r} + '/a.txt'\nopen(name, 'w').write('1')"
    plain, cached = both("print(open(name).read())", setup=setup, change="open(name, 'w').write('2')")
    assert cached == plain


def test_shared_memory_is_a_folder_like_any_other(both):
    """A file in the folder for shared memory counts like any other."""
    name = f"/dev/shm/lean-magic-test-{os.getpid()}.txt"
    try:
        setup = f"name = {name!r}\nopen(name, 'w').write('1')"
        plain, cached = both("print(open(name).read())", setup=setup, change="open(name, 'w').write('2')")
        assert cached == plain
    finally:
        os.unlink(name)


MODULE = "from pathlib import Path\nPath('mine.py').write_text('def f(): return 1\\nclass K:\\n    def f(self): return 1')"
FORGET = """
import sys, importlib
sys.modules.pop('mine', None)
Path('mine.py').write_text('def f(): return 22\\nclass K:\\n    def f(self): return 22')
importlib.invalidate_caches()
"""


@pytest.mark.parametrize(
    "cell",
    [
        "import mine\nprint(mine.f())",
        "from mine import f\nprint(f())",
        "from mine import *\nprint(f())",
        "def g():\n    import mine\n    return mine.f()\nprint(g())",
        "class C:\n    import mine\n    x = mine.f()\nprint(C.x)",
        "if True:\n    import mine\nprint(mine.f())",
        "m = __import__('mine')\nprint(m.f())",
        "import importlib\nprint(importlib.import_module('mine').f())",
        "import importlib\nname = 'mi' + 'ne'\nprint(importlib.import_module(name).f())",
        "import runpy\nprint(runpy.run_path('mine.py')['f']())",
        "import runpy\nprint(runpy.run_module('mine')['f']())",
        "import pickle\nprint(pickle.load(open('k.pkl', 'rb')).f())",
        "import joblib\nprint(joblib.load('k.pkl').f())",
        "from importlib import util\nspec = util.spec_from_file_location('other', 'mine.py')\nm = util.module_from_spec(spec)\nspec.loader.exec_module(m)\nprint(m.f())",
        "print(loaded())",
    ],
)
def test_local_modules_loaded_by_the_cell(both, cell):
    """A local module that the cell loads, however it asks for it, is an input by its source."""
    setup = f"""{MODULE}
import importlib, pickle, sys
importlib.invalidate_caches()
import mine
with open('k.pkl', 'wb') as file: pickle.dump(mine.K(), file)
del mine, sys.modules['mine']
def loaded():
    import mine
    return mine.f()"""
    plain, cached = both(cell, setup=setup, change=FORGET)
    assert cached == plain


def test_classes_of_the_notebook_in_a_pickle(both):
    """A pickle that is read may name classes of the notebook, which are inputs then."""
    make = "class K:\n    def f(self): return {}"
    setup = f"import pickle\n{make.format(1)}\nwith open('k.pkl', 'wb') as file: pickle.dump(K(), file)"
    cell = "with open('k.pkl', 'rb') as file: k = pickle.load(file)\nprint(k.f())"
    plain, cached = both(cell, setup=setup, change=make.format(2))
    assert cached == plain


def test_words_inside_a_model_name_no_folders(shell, tmp_path):
    """A folder that is called like a part of a model is no input of a cell that uses the model; one the user names is."""
    for folder in ("embeddings", "data"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.bin").write_text("1")
    shell.run(
        "import polars, torch\nmodel = torch.nn.ModuleDict({'embeddings': torch.nn.Linear(1, 1)})\nfolder = 'data'"
    )
    for cell, changed, kind in (
        ("%%cached\nx = polars.DataFrame({'n': [len(model)]})", "embeddings", "hit"),
        ("%%cached\nx = polars.DataFrame({'n': [len(model) + len(folder)]})", "data", "miss"),
    ):
        assert shell.run(cell).kind == "miss"
        (tmp_path / changed / "part.bin").write_text("22")
        assert shell.run(cell).kind == kind


def test_files_that_are_too_many_to_be_read(shell, tmp_path, monkeypatch):
    """Of a folder with very many files every one counts: those that are not read by their sizes and times."""
    monkeypatch.setattr("lean_magic.effects.folders._MOST", 3)
    (tmp_path / "images").mkdir()
    for number in range(9):
        (tmp_path / "images" / f"{number}.bin").write_text("1")
    shell.run("import polars\nfolder = 'images'")
    cell = "%%cached\nx = polars.DataFrame({'n': [len(folder)]})"
    assert [shell.run(cell).kind for _ in range(2)] == ["miss", "hit"]
    for number in (1, 8):
        (tmp_path / "images" / f"{number}.bin").write_text("2")
        assert [shell.run(cell).kind for _ in range(2)] == ["miss", "hit"], number


READ_DATABASE = (
    "c = sqlite3.connect({})\nr = c.execute('select a from t').fetchall()\nc.close()\ndel c\nprint(r)"
)


@pytest.mark.parametrize(
    "name", ["name", "f'{name}'", "Path(name)", "f'file:{name}?mode=ro', uri=True", "'store.db'"]
)
def test_databases_of_sqlite(both, name):
    """A database that SQLite opens is an input by its content, however its name is put together."""
    make = (
        "import sqlite3\nfrom pathlib import Path\nname = 'sto' + 're'\nfor path in (name, 'store.db'):\n"
        "    c = sqlite3.connect(path)\n    c.execute('create table if not exists t(a)')\n"
        "    c.execute('insert into t values ({})')\n    c.commit()\n    c.close()"
    )
    plain, cached = both(READ_DATABASE.format(name), setup=make.format(1), change=make.format(2))
    assert cached == plain


def test_database_that_a_cell_writes_to(shell, tmp_path):
    """A cell that adds a row adds another when it is run again, and a hit brings a lost database back."""
    cell = (
        "%%cached\nimport sqlite3\nc = sqlite3.connect('x.db')\nc.execute('create table if not exists t(a)')\n"
        "c.execute('insert into t values (1)')\nc.commit()\n"
        "n = c.execute('select count(*) from t').fetchone()[0]\nc.close()\ndel c"
    )
    assert [(shell.run(cell).kind, shell.ns["n"]) for _ in range(2)] == [("miss", 1), ("miss", 2)]
    (tmp_path / "x.db").unlink()
    assert (shell.run(cell).kind, shell.ns["n"]) == ("hit", 1)
    assert (tmp_path / "x.db").stat().st_size > 0


@pytest.mark.parametrize(
    "read",
    [
        "print(pl.read_csv('ta' + rest)['x'][0])",
        "print(pl.scan_csv(f'ta{rest}').collect()['x'][0])",
        "print(torch.from_file('ta' + rest, size=3, dtype=torch.uint8).tolist())",
    ],
)
def test_names_that_no_text_holds(shell, tmp_path, read):
    """A library in C that reads a file whose name is put together, with no ending to be seen, does not read it unseen."""
    (tmp_path / "table").write_text("x\n1\n")
    shell.run("import torch, polars as pl\nrest = 'ble'")
    assert [shell.run(f"%%cached\n{read}").kind for _ in range(2)] == ["miss", "hit"]
    (tmp_path / "table").write_text("x\n2\n")
    assert shell.run(f"%%cached\n{read}").kind == "miss"


def test_written_unseen_measured_and_removed(shell, tmp_path):
    """How large a file is that a library in C has written, and that is gone in the end, is no input of the cell."""
    pytest.importorskip("torch")
    shell.run("import os, torch")
    size = "torch.save([1], 'temp.p')\nn = os.path.getsize('temp.p')\nos.remove('temp.p')"
    assert [shell.run(f"%%cached\n{size}").kind for _ in range(2)] == ["miss", "hit"]
    asks = f"%%cached\nthere = os.path.exists('temp.p')\n{size}"
    assert [shell.run(asks).kind for _ in range(2)] == ["miss", "hit"]
    (tmp_path / "temp.p").write_text("here")
    assert shell.run(asks).kind == "miss"
    assert shell.ns["there"]


def test_processes_are_no_files(shell):
    """Which processes there are is no input, as nothing is that lies below `/proc`."""
    cell = "%%cached\nimport os\nr = len(os.listdir('/proc')) > 0"
    shell.run(cell)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE):
        assert shell.run(cell).kind == "hit"


@pytest.mark.parametrize(
    ("writes", "reads"), [("os.path.abspath('a.txt')", "'a.txt'"), ("'a.txt'", "os.path.abspath('a.txt')")]
)
def test_written_by_one_path_and_read_by_another(shell, tmp_path, monkeypatch, writes, reads):
    """What a cell writes by its absolute path, and then asks for and reads by another, is no input of the cell."""
    monkeypatch.chdir(tmp_path)
    cell = f"%%cached\nimport os\nopen({writes}, 'w').write('1')\nr = os.path.exists({reads}), open({reads}).read()"
    assert shell.run(cell).kind == "miss"
    (tmp_path / "a.txt").unlink()
    assert shell.run(cell).kind == "hit"
    assert (tmp_path / "a.txt").read_text() == "1"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Yield a function that installs a distribution of a version, instead of the one before, as in another kernel."""
    folder = tmp_path / "site-packages"
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name != "__main__" and origin.origin(name).own]:
        monkeypatch.delitem(sys.modules, name)  # modules of tests, which code that imports by name may mean

    def forget():
        for known in (origin._site_folders, origin.path_origin, origin.record_of, origin._installed_version):
            known.cache_clear()
        importlib.invalidate_caches()
        sys.modules.pop("some_thing", None)

    def put(version):
        shutil.rmtree(folder, ignore_errors=True)
        record = folder / f"some_thing-{version}.dist-info"
        record.mkdir(parents=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Some.Thing\nVersion: {version}\n")
        (folder / "some_thing.py").write_text(f"version = {version!r}\n")
        (record / "entry_points.txt").write_text("[some]\nx = some:x\n")
        forget()

    yield put
    forget()


@pytest.mark.parametrize(
    "asks", ["version('Some.Thing')", "distribution('some-thing').version", "entry_points(group='none')"]
)
def test_versions_that_are_asked_for(shell, install, asks):
    """A cell that asks which version of a distribution is installed runs again once another one is."""
    cell = f"%%cached\nimport importlib.metadata as m\nfound = str(m.{asks})"
    install("1.0")
    first = [shell.run(cell).kind for _ in range(2)]
    install("2.0")
    again = shell.run(cell)
    assert (first, again.kind) == (["miss", "hit"], "miss"), again.outcome
    assert "version" not in asks or shell.ns["found"] == "2.0"


@pytest.mark.parametrize(
    "cell",
    [
        "try:\n    import some_thing\n    found = True\nexcept ImportError:\n    found = False",
        "try:\n    importlib.import_module('some_thing')\n    found = True\nexcept ImportError:\n    found = False",
        "found = True\nfor name in wanted:\n    try:\n        importlib.import_module(name)\n    except ImportError:\n        found = False",
        "found = all(importlib.util.find_spec(name) for name in wanted)",
        "def has(name):\n    try:\n        return bool(importlib.import_module(name))\n    except ImportError:\n        return False\nfound = has('some_thing')",
    ],
)  # fmt: skip
def test_packages_that_were_not_there(shell, install, cell):
    """A cell that found a package missing runs again once it is installed, by whatever name it was looked for."""
    shell.run("import importlib.util\nwanted = ['json', 'some_thing']")
    before = [shell.run(f"%%cached\n{cell}").kind for _ in range(2)]
    assert (before, shell.ns["found"]) == (["miss", "hit"], False)
    install("1.0")
    assert (shell.run(f"%%cached\n{cell}").kind, shell.ns["found"]) == ("miss", True)


def test_file_that_is_as_it_was_left_is_not_touched(shells):
    """A hit leaves a file alone that is there with its content, mode and times: it does not look written to."""
    cell = "%%cached\nimport os\nopen('a.txt', 'w').write('1'); os.chmod('a.txt', 0o600); os.utime('a.txt', (5, 5))"
    assert shells().run(cell).kind == "miss"
    before = os.stat("a.txt")
    assert shells().run(cell).kind == "hit"
    assert os.stat("a.txt") == before
    os.chmod("a.txt", 0o644)
    assert shells().run(cell).kind == "hit"
    assert os.stat("a.txt").st_mode == before.st_mode


@pytest.mark.parametrize(("cell", "kind"), [("{}", "hit"), ("{}\nw = load_file(path)", "miss")])
def test_import_of_a_reader_reads_nothing(shell, tmp_path, cell, kind):
    """A cell that only imports what reads files in C depends on no folder; one that reads a file of no known name does."""
    pytest.importorskip("safetensors")
    from safetensors.numpy import save_file

    save_file({"w": np.ones(3)}, tmp_path / "w.safetensors")
    shell.run("path = bytes([119]).decode() + '.safetensors'")
    cached = "%%cached\n" + cell.format("from safetensors.numpy import load_file")
    assert shell.run(cached).kind == "miss"
    save_file({"w": np.zeros(3)}, tmp_path / "w.safetensors")
    assert shell.run(cached).kind == kind
