"""Files that are opened while a cell runs without Python's knowing."""

import ctypes
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from lean_magic.effects import opened, unseen
from lean_magic.effects.opened import Opened
from lean_magic.effects.recorder import Run

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's own")


def open_in_c(path, flags=os.O_RDONLY, content=b""):
    """Open a file as a library in C does, and write to it."""
    libc = ctypes.CDLL(None)
    number = libc.open(os.fsencode(path), flags | os.O_CREAT * bool(content), 0o600)
    assert number >= 0
    assert libc.write(number, content, len(content)) == len(content) or not content
    libc.close(number)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Yield a working folder with a few files, none of which is new."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "a.bin",
        ".hidden",
        "b.ipynb",
        "c.py",
        "in/d.bin",
        "in/deep/e.bin",
        ".git/f.bin",
        "env/g.bin",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("1")
        os.utime(name, (1, 1))
    Path("env/pyvenv.cfg").write_text("")
    return tmp_path


@linux
def test_what_is_opened_is_told(folder):
    """Each data file that is opened is told by its path, also below; hidden ones, notebooks and sources are not."""
    watch = Opened([(".", True)])
    for path in folder.rglob("*"):
        if path.is_file():
            open_in_c(path)
    watch.stop()
    open_in_c("in/deep/e.bin")
    assert watch.files == {"a.bin", "in/d.bin", "in/deep/e.bin"}
    assert not any(watch.is_changed(name, 10**9) for name in watch.files)


@linux
def test_what_has_other_names_is_seen(folder):
    """A file that Python opened through a link, or by its absolute path, is no other one."""
    Path("link").symlink_to("in/d.bin")
    watch = Opened([(".", True)])
    for name in ("link", "a.bin", "in/deep/e.bin"):
        open_in_c(name)
    watch.stop()
    assert watch.but({"link", str(folder / "a.bin")}, "") == {"in/deep/e.bin"}


@linux
def test_what_is_changed_is_told(folder):
    """A file that was written, made or moved in is another than it was; one opened to be written may not be."""
    os.utime("a.bin", (1, 1))
    watch = Opened([(".", True)])
    open_in_c("a.bin", os.O_RDWR)
    open_in_c("in/d.bin", os.O_RDWR, b"2")
    open_in_c("in/new.bin", os.O_WRONLY, b"2")
    Path("c.py").rename("moved.bin")
    open_in_c("moved.bin")
    watch.stop()
    changed = {name for name in watch.files if watch.is_changed(name, os.stat(name).st_mtime_ns)}
    assert watch.files - changed == {"a.bin"}


@linux
def test_a_change_of_the_working_folder(folder, monkeypatch):
    """After a chdir the paths are absolute."""
    watch = Opened([(".", True)])
    open_in_c("in/d.bin")
    monkeypatch.chdir("in")
    watch.stop()
    assert watch.files == {str(folder / "in/d.bin")}


@linux
def test_watching_inside_of_watching(folder):
    """What one watcher lists to begin with is no listing of the cell's around it; both see what is opened."""
    outer = Opened([(".", True)])
    inner = Opened([(".", True)])
    open_in_c("in/d.bin")
    inner.stop()
    open_in_c("in", os.O_DIRECTORY)
    outer.stop()
    assert (inner.files, outer.files) == ({"in/d.bin"}, {"in/d.bin"})
    assert (inner.listed, outer.listed) == (set(), {"in"})


@linux
def test_no_more_folders_than_some(folder, monkeypatch):
    """The nearest folders are watched, up to a number."""
    monkeypatch.setattr(opened, "_MOST", 2)
    watch = Opened([(".", True)])
    watch.stop()
    assert watch.folders() == {str(folder), str(folder / "in")}


@linux
def test_more_than_the_system_keeps(folder):
    """Where more happens than the system keeps, that is told."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 100_000:
        pytest.skip("the system keeps very many")
    watch = Opened([(".", True)])
    for _ in range(most // 2 + 1):
        for name in ("a.bin", "in/d.bin"):
            os.close(os.open(name, os.O_RDONLY))
    watch.stop()
    assert watch.lost


@pytest.mark.parametrize("way", ["platform", "limit"])
def test_without_the_system_nothing_is_told(folder, monkeypatch, way):
    """On other systems, and where a limit is reached, nothing is told and nothing fails."""
    monkeypatch.setattr(opened, "_idle", [])
    if way == "platform":
        opened._libc.cache_clear()
        monkeypatch.setattr(sys, "platform", "darwin")
    else:
        monkeypatch.setattr(opened, "_libc", lambda: type("libc", (), {"inotify_init1": lambda flags: -1}))
    watch = Opened([(".", True)])
    os.close(os.open("a.bin", os.O_RDONLY))
    watch.stop()
    assert (watch.files, watch.folders()) == (set(), set())


SETUP = """
import polars as pl, numpy as np, os
from pathlib import Path
from safetensors.numpy import save_file, load_file
os.makedirs('sub/deep', exist_ok=True)
def put(number):
    for at in ('', 'sub/', 'sub/deep/'):
        Path(at + 'one.csv').write_text('x\\n5\\n')
        Path(at + 'two.csv').write_text(f'x\\n{number}\\n')
        save_file({'w': np.full(2, number)}, at + 'two.safetensors')
put(1)
stem, dot, kind, up, other = 'two', '.', 'csv', '..', ('safe', 'tensors')
"""


@linux
@pytest.mark.parametrize(
    "cell",
    [
        "r = pl.read_csv(stem + dot + kind)['x'][0]",
        "r = pl.scan_csv(stem + dot + kind).collect()['x'][0]",
        "r = pl.read_csv('sub/' + stem + dot + kind)['x'][0]",
        "r = pl.read_csv(os.path.join('sub', 'deep', dot.join((stem, kind))))['x'][0]",
        "r = load_file(dot.join([stem, ''.join(other)]))['w'][0]",
        "os.chdir('sub')\nr = pl.read_csv(stem + dot + kind)['x'][0]\nos.chdir(os.pardir)",
    ],
)
def test_a_second_file_under_a_name_put_together(shell, tmp_path, cell):
    """A file that a library opens counts, also where no text names it and another one is named."""
    cell = f"%%cached\nfirst = pl.read_csv('one.csv')\n{cell}"
    shell.run(SETUP)
    kinds = []
    for change in ("", "", "put(2)", ""):
        shell.run(change)
        ran = shell.run(cell)
        assert ran.error is None
        kinds.append(ran.kind)
    assert kinds == ["miss", "hit", "miss", "hit"]


SLOW = "%%cached\nimport time\ntime.sleep(0.4)\n"


def run_beside(shell, cell, act):
    """Run a cell while another program acts."""

    def wait():
        time.sleep(0.2)
        act()

    beside = threading.Thread(target=wait)
    beside.start()
    ran = shell.run(cell)
    beside.join()
    return ran


READS = "pl.read_csv, 'a.bin'\nr = pl.DataFrame()"  # names what reads, and a file, so that none is guessed


@linux
def test_what_others_open_beside_code_that_reads_nothing(shell, folder):
    """A file that another program opens is no input of code that names nothing that opens files unseen."""
    shell.run("import polars as pl")
    cell = f"{SLOW}r = pl.DataFrame()"
    assert run_beside(shell, cell, lambda: open_in_c("in/d.bin")).kind == "miss"
    Path("in/d.bin").write_text("333")
    assert shell.run(cell).kind == "hit"


@linux
def test_a_log_that_another_program_writes(shell, folder):
    """A file that changes while a cell runs, and that the cell does not name, is taken for the doing of others."""
    shell.run("import polars as pl")
    cell = SLOW + READS
    assert run_beside(shell, cell, lambda: open_in_c("in/d.bin", os.O_RDWR, b"22")).kind == "miss"
    Path("in/d.bin").write_text("333")
    assert shell.run(cell).kind == "hit"


@linux
def test_a_folder_listed_unseen(shell, folder):
    """A folder that a library lists counts by what lies in it; the working folder, which others list, does not."""
    cell = SLOW + READS
    shell.run("import polars as pl")
    for where, name in (("in", "in/more.bin"), (".", "more.bin")):
        act = lambda where=where: open_in_c(where, os.O_DIRECTORY)
        assert run_beside(shell, cell, act).kind == "miss"
        again = shell.run(cell)
        assert again.kind == "hit", again.outcome.line
        Path(name).write_text("1")
        ran = shell.run(cell)
        assert ran.kind == ("miss" if where == "in" else "hit"), ran.outcome.line
        cell = cell.replace("r =", "r = s =")  # another one


@linux
def test_more_than_the_system_keeps_in_a_cell(shell, folder, monkeypatch):
    """Where more is opened unseen than the system keeps, all that lies in the folders counts by size and time."""
    monkeypatch.setattr(Opened, "look", lambda self, *, ours=False: setattr(self, "lost", True))
    shell.run("import polars as pl")
    cell = f"%%cached\n{READS}"
    assert [shell.run(cell).kind for _ in range(2)] == ["miss", "hit"]
    Path("in/deep/e.bin").write_text("22")
    assert shell.run(cell).kind == "miss"


@linux
@pytest.mark.parametrize(
    "cell",
    [
        "pl.DataFrame({'a': [1]}).write_parquet(os.path.join('sub', 'deep', stem + '2.parquet'))",
        "pl.DataFrame({'a': [1]}).write_csv('/'.join(['sub', 'deep', f'{stem}2.csv']))",
        "pl.DataFrame({'a': [1, 2]}).write_parquet(pl.PartitionBy('sub/new', key='a'), mkdir=True)",
    ],
)
def test_written_below_by_a_library(shell, tmp_path, cell):
    """What a library writes into a folder that no text names by itself, or that it makes, is there after a hit."""
    shell.run(SETUP)
    before = set(Path("sub").rglob("*"))
    assert shell.run(f"%%cached\n{cell}").error is None
    left = {path: path.read_bytes() for path in {*Path("sub").rglob("*")} - before if path.is_file()}
    for path in left:
        path.unlink()
    assert shell.run(f"%%cached\n{cell}").kind == "hit"
    assert left
    assert {path: path.read_bytes() for path in left} == left


@linux
def test_what_others_write_beside_code_that_writes(shell, folder):
    """A file that another program writes below, of a kind that the cell does not name, is not written again by a hit."""
    shell.run("import polars as pl")
    cell = SLOW + "pl.DataFrame({'a': [1]}).write_csv('x.csv')"
    assert run_beside(shell, cell, lambda: open_in_c("in/d.bin", os.O_RDWR, b"22")).kind == "miss"
    Path("in/d.bin").write_text("333")
    assert shell.run(cell).kind == "hit"
    assert Path("in/d.bin").read_text() == "333"


@pytest.mark.parametrize(
    ("words", "package", "reads", "writes"),
    [
        ({"read_parquet"}, "pandas", True, False),
        ({"to_parquet"}, "pandas", False, True),
        ({"open_mfdataset"}, "xarray", True, False),
        ({"to_netcdf"}, "xarray", False, True),
        ({"sql", "fetchall"}, "duckdb", True, True),
        ({"execute"}, "sqlite3", False, False),
        ({"read_csv", "to_csv"}, "pandas", False, False),
    ],
)
def test_libraries_that_code_does_not_name(words, package, reads, writes):
    """A table's method that hands its path to a library in C reads or writes unseen, as does a query of DuckDB's."""
    run = Run(None, {}, None, words=frozenset(words), packages=frozenset({package}))
    assert (unseen.asks_to_read(run), unseen.may_write(run)) == (reads, writes)


def test_tables_read_and_written_by_pyarrow(shell, tmp_path):
    """Parquet files count by content, whatever their names are made of, and are put back where they were written."""
    pytest.importorskip("pyarrow")
    shell.run("import pandas as pd\nfrom pathlib import Path\nhere, n = Path('data'), 1\nhere.mkdir()")
    write = "%%cached\npd.DataFrame({'a': [1]}).to_parquet(here / f'x{n}.parquet')"
    read = "%%cached\nr = pd.concat(pd.read_parquet(path) for path in here.glob('*')).a.sum()"
    assert [shell.run(cell).kind for cell in (write, read, write, read)] == ["miss", "miss", "hit", "hit"]
    shell.run("pd.DataFrame({'a': [2]}).to_parquet(here / f'x{n}.parquet')")
    assert [shell.run(cell).kind for cell in (read, write, read)] == ["miss", "hit", "hit"]
    assert shell.ns["r"] == 1


CALLS = [
    "import ctypes\nr = ctypes.CDLL(None).abs(-3)",
    "import ctypes as c\nr = c.cdll.LoadLibrary(None).abs(-3)",
    "from ctypes import CDLL as C\nr = C(None).abs(-3)",
    "from ctypes import pythonapi\nr = bool(pythonapi)",
    "import ctypes\nr = getattr(ctypes, 'CDLL')(None).abs(-3)",
    "r = f(-3)",
    "import cffi\nr = cffi.FFI().dlopen(None) is not None",
]


@pytest.mark.parametrize("cell", CALLS)
def test_calls_of_c(shell, cell):
    """Code of the user's that calls C by itself is not cached, and is told why."""
    shell.run("import ctypes\ndef f(number): return ctypes.CDLL(None).abs(number)")
    for _ in range(2):
        ran = shell.run(f"%%cached\n{cell}")
        assert "calls code in C, which nothing observes" in ran.outcome.line or "holds a" in ran.outcome.line
        assert ran.kind == "bypass"


@pytest.mark.parametrize(
    "cell",
    [
        "import ctypes\nr = ctypes.sizeof(ctypes.c_int)",
        "import ctypes\nr = ctypes.create_string_buffer(b'abc').value",
        "import ctypes\nclass P(ctypes.Structure): _fields_ = [('x', ctypes.c_int)]\nr = P(3).x\ndel P",
        "import numpy as np\nr = np.arange(3).ctypes.strides[0]",
        "import hashlib\nr = hashlib.md5(b'verify').hexdigest()",
    ],
)
def test_plain_uses_of_ctypes(shell, cell):
    """Types and sizes of C call nothing."""
    cell = f"%%cached\n{cell}"
    assert [shell.run(cell).kind for _ in range(2)] == ["miss", "hit"]
