"""Settings of the process."""

import re
import warnings

import pytest

# name → cells: earlier ones, the cached one, one that changes something in between, one that looks.
CASES = {
    "rc in same cell as import": {
        "cell": "import matplotlib as mpl\nmpl.rcParams['lines.linewidth']=7.0",
        "change": "mpl.rcParams['lines.linewidth']=1.5",
        "probe": "print(mpl.rcParams['lines.linewidth'])",
    },
    "np seterr same cell import": {
        "cell": "import numpy as np\nnp.set_printoptions(precision=2)",
        "change": "np.set_printoptions(precision=8)",
        "probe": "print(np.ones(1)/3)\nnp.set_printoptions(precision=8)",
    },
    "decimal prec": {
        "setup": "import decimal",
        "cell": "decimal.getcontext().prec=5",
        "change": "decimal.getcontext().prec=28",
        "probe": "print(decimal.getcontext().prec)",
    },
    "recursion limit": {
        "setup": "import sys",
        "cell": "sys.setrecursionlimit(5000)",
        "change": "sys.setrecursionlimit(1000)",
        "probe": "print(sys.getrecursionlimit())\nsys.setrecursionlimit(1000)",
    },
    "tz": {
        "setup": "import os,time",
        "cell": "os.environ['TZ']='Asia/Tokyo'; time.tzset()",
        "change": "os.environ['TZ']='UTC'; time.tzset()",
        "probe": "print(time.localtime(0).tm_hour)",
    },
    "torch default device": {
        "setup": "import torch",
        "cell": "torch.set_default_device('meta')",
        "change": "torch.set_default_device(None)",
        "probe": "print(torch.ones(1).device)\ntorch.set_default_device(None)",
    },
    "torch printoptions": {
        "setup": "import torch",
        "cell": "torch.set_printoptions(precision=2)",
        "change": "torch.set_printoptions(precision=4)",
        "probe": "print(torch.ones(1)/3)\ntorch.set_printoptions(precision=4)",
    },
    "pl config": {
        "setup": "import polars as pl",
        "cell": "pl.Config.set_tbl_rows(3)",
        "change": "pl.Config.restore_defaults()",
        "probe": "print(pl.DataFrame({'a':range(10)}))\npl.Config.restore_defaults()",
    },
    "sklearn config": {
        "setup": "import sklearn",
        "cell": "sklearn.set_config(transform_output='pandas')",
        "change": "sklearn.set_config(transform_output='default')",
        "probe": "print(sklearn.get_config()['transform_output'])\nsklearn.set_config(transform_output='default')",
    },
    "cwd": {
        "setup": "import os\nos.makedirs('d', exist_ok=True)",
        "cell": "os.chdir('d')",
        "change": "os.chdir('..')",
        "probe": "print(os.path.basename(os.getcwd()))\nos.chdir('..')",
    },
    "umask": {
        "setup": "import os",
        "cell": "os.umask(0o77)",
        "change": "os.umask(0o22)",
        "probe": "print(os.umask(0o22))",
    },
    "env": {
        "setup": "import os",
        "cell": "os.environ['ZZ']='1'",
        "change": "del os.environ['ZZ']",
        "probe": "print(os.environ.get('ZZ'))",
    },
    "env putenv unset": {
        "setup": "import os\nos.environ['ZZ']='0'",
        "cell": "del os.environ['ZZ']",
        "change": "os.environ['ZZ']='2'",
        "probe": "print(os.environ.get('ZZ'))",
    },
    "syspath": {
        "setup": "import sys",
        "cell": "sys.path.insert(0,'/zz')",
        "change": "sys.path.remove('/zz')",
        "probe": "print('/zz' in sys.path)",
    },
    "syspath other kernel state": {
        "setup": "import sys",
        "cell": "sys.path.append('/zz')",
        "change": "sys.path.remove('/zz')\nsys.path.append('/yy')",
        "probe": "print([p for p in sys.path if p in ('/zz','/yy')])",
    },
    "filters same": {
        "setup": "import warnings",
        "cell": "warnings.filterwarnings('error', 'zz')",
        "change": "warnings.filters.pop(0)",
        "probe": "print(warnings.filters[0][0])",
    },
    "warn once": {"setup": "import warnings\ndef f(): warnings.warn('hey')", "cell": "f()", "probe": "f()"},
}


@pytest.mark.parametrize("name", CASES)
def test_cached_as_uncached(both, name):
    """Settings that the cell changed are as it left them after a hit, or the cell runs."""
    plain, cached = both(**CASES[name])
    assert cached == plain


def test_looking_at_settings_is_quiet(recwarn):
    """Taking the settings down reads no option that its library wants to see no more."""
    import pandas  # noqa: F401, ICN001

    from lean_magic.effects import Process

    Process().begin(None)
    assert not [*recwarn]


def test_threads_of_a_library_leave_filters_to_chance(shell):
    """Filters that a library's threads each entered and left are no effect, and change no key: forests hit."""
    pytest.importorskip("sklearn")
    shell.run("import warnings\nfrom sklearn.ensemble import RandomForestRegressor as Forest")
    cells = (
        "%%cached\nforest = Forest(60, n_jobs=2, random_state=0).fit([[0], [1]], [0, 1])",
        "%%cached\nfound = forest.predict([[0], [1]])",
        "%%cached\nwarnings.filterwarnings('ignore', 'said', module='__main__')",
        "%%cached\nwarnings.warn('said')",
    )
    left = []
    for kind in ("miss", "hit"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            warnings.filters.append(("default", None, DeprecationWarning, "__main__", 0))
            runs = [shell.run(cell) for cell in cells[:3]]
            assert [(run.kind, run.error) for run in runs] == [(kind, None)] * 3, runs
            assert warnings.filters[0][:2] == ("ignore", re.compile("said", re.IGNORECASE))
            left.append(list(warnings.filters))
            # What the threads leave is chance: where it was other filters, the warning may be asked for anew.
            same = left[0] == left[-1]
            assert shell.run(cells[3]).kind in ({kind} if same else {kind, "miss"})
