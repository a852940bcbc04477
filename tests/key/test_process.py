"""Settings of the process that a cell's libraries read."""

import decimal
import locale
import os
import time
import warnings

import pytest
from cells import compared, hits, is_noticed, key_of

from lean_magic.key.interpreter import _PYTHONS

ARRAY = "import numpy as np\nlibrary = np\na = np.ones(3)\ndel np, library"
FRAME = "import pandas as pd\na = pd.DataFrame({'a': [1]})\ndel pd"
TENSOR = "import torch\na = torch.ones(3)\ndel torch"


@pytest.fixture(autouse=True)
def _settings_put_back(monkeypatch):
    """Leave the process as the test found it."""
    monkeypatch.setenv("LEAN_WORD", "")
    folder, context, language = os.getcwd(), decimal.getcontext().copy(), locale.setlocale(locale.LC_ALL)
    with warnings.catch_warnings():
        yield
    os.chdir(folder)
    decimal.setcontext(context)
    locale.setlocale(locale.LC_ALL, language)
    os.environ.pop("TZ", None)
    time.tzset()


def changes(cell, setup, change):
    """Whether running `change` after `setup` makes a difference to the cell."""
    return is_noticed(cell, setup, f"{setup}\n{change}")


@pytest.mark.parametrize("cell", ["print(a)", "import numpy as np\nprint(a)", "f(a)"])
@pytest.mark.parametrize("option", ["precision", "threshold", "linewidth", "edgeitems"])
def test_numpy_printing(cell, option):
    """How arrays are printed counts wherever an array is at hand, with or without the module's name."""
    import numpy as np

    with np.printoptions():
        assert changes(
            cell, f"{ARRAY}\ndef f(a): print(a)", f"import numpy\nnumpy.set_printoptions({option}=2)"
        )


def test_numpy_errors():
    """What numpy does about divisions by zero counts."""
    import numpy as np

    with np.errstate():
        assert changes("1 / (a - a)", ARRAY, "import numpy\nnumpy.seterr(divide='raise')")


@pytest.mark.parametrize("option", ["display.max_rows", "display.width", "display.precision"])
def test_pandas_options(option):
    """Pandas' options count wherever a frame is at hand."""
    import pandas as pd

    with pd.option_context(option, pd.get_option(option)):
        assert changes("print(a)", FRAME, f"import pandas\npandas.set_option({option!r}, 3)")


@pytest.mark.parametrize(
    "change",
    [
        "torch.set_default_dtype(torch.float64)",
        "torch.set_grad_enabled(False)",
        "torch.use_deterministic_algorithms(True)",
        "torch.set_default_device('meta')",
        "torch.set_float32_matmul_precision('medium')",
        "torch.set_printoptions(precision=2)",
    ],
)
def test_torch_settings(change):
    """Default dtype, device, grad mode, determinism, precision and printing count wherever a tensor is at hand."""
    import torch

    try:
        assert changes("print(a)", TENSOR, f"import torch\n{change}")
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(False)
        torch.set_default_device(None)
        torch.set_float32_matmul_precision("highest")
        torch.set_printoptions(profile="default")


def test_polars_settings():
    """How polars prints counts wherever a frame is at hand."""
    import polars as pl

    with pl.Config():
        setup = "import polars\na = polars.DataFrame({'a': [1]})\nConfig = polars.Config\ndel polars"
        assert changes("print(a)", setup, "Config.set_tbl_rows(3)")


def test_matplotlib_settings():
    """A figure depends on rcParams, also where only a frame's `plot` is called."""
    import matplotlib as mpl

    with mpl.rc_context():
        assert changes("a.plot()", FRAME, "import matplotlib\nmatplotlib.rcParams['lines.linewidth'] = 9.0")
        setup = "import matplotlib.pyplot as plt"
        assert changes("plt.plot([1])", setup, "plt.rcParams['font.size'] = 3.0")
        assert changes("fig, ax = plt.subplots()", setup, "plt.style.use('ggplot')")


def test_sklearn_settings():
    """What scikit-learn's transformers give out depends on its configuration."""
    import sklearn

    with sklearn.config_context():
        setup = "from sklearn.preprocessing import StandardScaler\na = StandardScaler()"
        assert changes(
            "a.fit_transform([[1.0]])", setup, "import sklearn\nsklearn.set_config(transform_output='pandas')"
        )


@pytest.mark.parametrize(
    ("cell", "setup", "change"),
    [
        ("import warnings\nwarnings.warn('a')", "import warnings", "warnings.simplefilter('error')"),
        (
            "import warnings\nwarnings.warn('a')",
            "import warnings\nwarnings.filterwarnings('error', module='a')",
            "del warnings.filters[0]\nwarnings.filterwarnings('error', module='b')",
        ),
        ("1 / (a - a)", f"import warnings\n{ARRAY}", "warnings.simplefilter('error')"),
        ("f()", "import warnings\ndef f(): warnings.warn('a')", "warnings.simplefilter('ignore')"),
        ("d / 3", "import decimal\nd = decimal.Decimal(1)", "decimal.getcontext().prec = 5"),
        ("f()", "import decimal\ndef f(): return decimal.Decimal(1) / 3", "decimal.getcontext().prec = 5"),
        ("f'{1234567:n}'", "import locale", "locale.setlocale(locale.LC_ALL, 'C.UTF-8')"),
        ("format(1234567, 'n')", "import locale", "locale.setlocale(locale.LC_ALL, 'C.UTF-8')"),
        ("import os\nos.getcwd()", "import os", "os.chdir('/')"),
        ("from pathlib import Path\nPath.cwd()", "import os", "os.chdir('/')"),
        ("from pathlib import Path\nPath('a').absolute()", "import os", "os.chdir('/')"),
        ("import os\nos.path.realpath('a')", "import os", "os.chdir('/')"),
        ("import os\nos.path.relpath('/a')", "import os", "os.chdir('/')"),
        ("import time\ntime.localtime(0)", "import os, time\nos.environ['TZ'] = 'UTC'\ntime.tzset()", "os.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()"),
        ("import time\ntime.ctime(0)", "import os, time\nos.environ['TZ'] = 'UTC'\ntime.tzset()", "os.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()"),
        ("from datetime import datetime as D\nD.fromtimestamp(0)", "import os, time\nos.environ['TZ'] = 'UTC'\ntime.tzset()", "os.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()"),
        ("t.timestamp()", "import os, time, datetime\nt = datetime.datetime(2020, 1, 1)\nos.environ['TZ'] = 'UTC'\ntime.tzset()", "os.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()"),
    ],
)  # fmt: skip
def test_settings_of_python(cell, setup, change):
    """Warning filters, decimal context, locale, time zone and working folder count where they are asked for."""
    assert changes(cell, setup, change)


def test_settings_of_libraries_not_used():
    """Settings of a library that the cell does not use play no part."""
    import numpy as np

    with np.printoptions():
        assert hits("print(1)", "x = 1", "import numpy\nx = 1\nnumpy.set_printoptions(precision=2)")


def test_defaults_are_no_parts(monkeypatch):
    """A library that is loaded with its defaults gives the parts of one that is not loaded."""
    monkeypatch.setattr(warnings, "filters", list(_PYTHONS))  # the test run has set some of its own
    assert not [name for name in key_of("print(a)", ARRAY).parts if name.startswith("setting")]


def test_the_same_settings_again():
    """A setting changed back gives the first key again."""
    import numpy as np

    first = compared(key_of("print(a)", ARRAY))
    with np.printoptions(precision=2):
        pass
    assert compared(key_of("print(a)", ARRAY)) == first
