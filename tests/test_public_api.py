"""What is public, and what importing it costs."""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lean_magic

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lean_magic"
HEAVY = ["numpy", "pandas", "polars", "torch", "ipywidgets", "pynvml", "jupyter_server", "IPython"]
# Files in adapters/ are imported only where their library is there.
ADAPTERS = {
    "numpy_": "numpy", "numpy_dtypes": "numpy", "numpy_elements": "numpy", "numpy_views": "numpy",
    "pandas_": "pandas", "pandas_blocks": "pandas", "polars_": "polars", "scipy_": "scipy",
    "sklearn_": "sklearn", "tokenizers_": "tokenizers", "torch_": "torch", "torch_content": "torch",
    "torch_device": "torch", "torch_graph": "torch", "torch_optim": "torch", "torch_storage": "torch", "transformers_": "transformers",
    "sentence_transformers_": "sentence_transformers", "toolz_": "toolz", "dateutil_": "dateutil",
    "torch_modules": "torch", "pil_files": "PIL", "pil_memory": "PIL", "tqdm_": "tqdm", "pydantic_": "pydantic", "numba_": "numba",
    "pyarrow_": "pyarrow", "h5py_": "h5py", "lightgbm_": "lightgbm", "sqlalchemy_": "sqlalchemy", "xgboost_": "xgboost", "pandas_readers": "pandas",
    "torch_loaders": "torch", "torch_compiled": "torch",
}  # fmt: skip


def modules():
    """Yield the dotted name of every module of the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("name", list(modules()))
def test_every_public_name_exists(name):
    """What a module lists in `__all__` is there, and listed once."""
    library = ADAPTERS.get(name.rpartition(".")[2])
    if library is not None and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", [])
    assert [one for one in listed if not hasattr(module, one)] == []
    assert len(set(listed)) == len(listed)


def test_the_public_names():
    """The package offers what is documented, no more and no less."""
    assert sorted(lean_magic.__all__) == [
        "Bypass",
        "Hit",
        "Miss",
        "__version__",
        "cached",
        "cached_map",
        "last_outcome",
        "load_ipython_extension",
        "on_shutdown",
        "unload_ipython_extension",
    ]


def test_the_public_names_are_the_real_ones():
    """Outcomes are the classes that the runner makes, and an unknown name is an AttributeError."""
    from lean_magic.outcome import Bypass, Hit, Miss

    assert (lean_magic.Hit, lean_magic.Miss, lean_magic.Bypass) == (Hit, Miss, Bypass)
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = lean_magic.nothing_like_it


@pytest.mark.parametrize(
    "statement", ["import lean_magic", "from lean_magic import Bypass, Hit, Miss, __version__"]
)
def test_importing_is_light(statement):
    """Importing the package loads none of the heavy libraries (law 10)."""
    source = f"import sys\n{statement}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", source], env=variables, capture_output=True, text=True, check=True, cwd=PACKAGE
    )
    assert told.stdout.split() == []


@pytest.mark.parametrize(
    "name", ["lean_magic.values", "lean_magic.effects", "lean_magic.key", "lean_magic.store"]
)
def test_no_room_brings_a_large_library(name):
    """Also the rooms inside leave numpy, pandas, polars and torch to the user's own code."""
    large = [one for one in HEAVY if one not in {"IPython", "ipywidgets"}]
    source = f"import sys, joblib\nbefore = set(sys.modules)\nimport {name}\n"
    source += f"print(*[one for one in {large} if one in sys.modules and one not in before])"
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", source], env=variables, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == []


# Of Python's own, those that take longest to import, and that a shell without a kernel does without.
SLOW = [
    "asyncio",
    "ssl",
    "multiprocessing",
    "concurrent.futures",
    "email",
    "importlib.metadata",
    "difflib",
    "ctypes",
    "uuid",
    "platform",
    "secrets",
    "getpass",
    "zoneinfo",
]


def test_loading_the_extension_is_light():
    """`%load_ext lean_magic` imports nothing heavy, not even of Python's own, that the shell had not imported."""
    source = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "lean_magic")
print(*[name for name in {[*HEAVY, *SLOW, "joblib"]} if name in sys.modules and name not in before])
"""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", source], env=variables, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == []


def test_what_a_library_leaves_for_later_is_left_for_later():
    """Storing `import transformers` does not load torch, nor the tokenizers: the library has not, either."""
    pytest.importorskip("transformers")
    source = """
import sys
import transformers
from lean_magic.values import codec, fingerprint
from lean_magic.values.adapters import load_adapters
before = set(sys.modules)
load_adapters()
fingerprint(transformers)
codec.encode({"transformers": transformers})
print(*[name for name in ("torch", "tokenizers") if name in sys.modules and name not in before])
"""
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", source], env=variables, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == []
