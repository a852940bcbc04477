"""Local modules, installed packages, and the settings of a process count as inputs."""

import pytest
from story_oracle import cells

USES = {
    "imported in the cell": "%%cached\nimport tools\nx = tools.f(1)",
    "imported in the cell, from": "%%cached\nfrom tools import f\nx = f(1)",
    "imported in the cell, star": "%%cached\nfrom tools import *\nx = f(1)",
    "imported in the cell, as": "%%cached\nimport tools as t\nx = t.f(1)",
    "imported before": "import tools\n# %%\n%%cached\nx = tools.f(1)",
    "imported before, from": "from tools import f\n# %%\n%%cached\nx = f(1)",
    "imported before, star": "from tools import *\n# %%\n%%cached\nx = f(1)",
    "imported in a function": "def g(a):\n    import tools\n    return tools.f(a)\n# %%\n%%cached\nx = g(1)",
    "imported in a function, from": "def g(a):\n    from tools import f\n    return f(a)\n# %%\n%%cached\nx = g(1)",
    "imported by name": "import importlib\n# %%\n%%cached\nx = importlib.import_module('tools').f(1)",
    "reached through a module": "import outer\n# %%\n%%cached\nx = outer.g(1)",
    "reached through a module, in the cell": "%%cached\nimport outer\nx = outer.g(1)",
    "reached through a package": "import box.inner\n# %%\n%%cached\nx = box.inner.h(1)",
    "reached through a package, in the cell": "%%cached\nfrom box.inner import h\nx = h(1)",
    "reached through a relative import": "%%cached\nfrom box import deep\nx = deep.h(1)",
    "a class of a module": "import tools\nc = tools.C()\n# %%\n%%cached\nx = c.f(1)",
    "a function stored before": "import tools\nfs = [tools.f]\n# %%\n%%cached\nx = fs[0](1)",
}
FILES = {
    "tools.py": "K = OLD\ndef f(a): return a + K\nclass C:\n    def f(self, a): return f(a)\n",
    "outer.py": "import tools\ndef g(a): return tools.f(a)\n",
    "box/__init__.py": "",
    "box/inner.py": "from tools import f\ndef h(a): return f(a)\n",
    "box/deep.py": "from .inner import h\n",
}


def with_value(value):
    """Write the local modules with one constant."""
    return {name: text.replace("OLD", value) for name, text in FILES.items()}


@pytest.mark.parametrize("notebook", USES.values(), ids=USES)
def test_edited_module_runs_in_a_new_kernel(story, notebook):
    """A local module that was edited between two kernels makes its cells run; as it was, they hit."""
    notebook = cells(notebook)
    story.changes(
        notebook, notebook, "miss", files=with_value("10"), files_after=with_value("20"), back=False
    )


@pytest.mark.parametrize(
    "name", ["imported in the cell", "imported before", "reached through a package, in the cell"]
)
def test_unedited_module_hits(story, name):
    """A local module that is as it was, or only formatted, is no reason to run."""
    notebook = cells(USES[name])
    formatted = {
        **with_value("10"),
        "tools.py": "# K\nK   =  10\n\n\ndef f(a):\n    return a+K\n\nclass C:\n    def f(self, a): return f(a)\n",
    }
    story.changes(notebook, notebook, "hit", files=with_value("10"), files_after=formatted)


def test_unreached_part_of_a_module_hits(story):
    """A function of a loaded module that nothing reached calls may change."""
    notebook = ["import tools", "%%cached\nx = tools.f()"]
    files, after = ({"tools.py": f"def f(): return 1\ndef g(): return {n}\n"} for n in (1, 2))
    story.changes(notebook, notebook, "hit", files=files, files_after=after)


@pytest.mark.parametrize(
    "cell", ["x = tools.f(1)", "import tools\nx = tools.f(1)", "from tools import f as g\nx = g(1)"]
)
def test_reloaded_module_runs(story, cell):
    """A module edited and reloaded in one kernel makes its cells run; edited without a reload it is as it was."""
    kernel = story.run("import importlib, tools", files={"tools.py": with_value("10")["tools.py"]}).kernel
    cell = f"%%cached\n{cell}"
    assert (kernel.run(cell).kind, kernel.ask("x")) == ("miss", 11)
    (story.work / "tools.py").write_text(with_value("2000")["tools.py"])
    assert (kernel.run(cell).kind, kernel.ask("x")) == ("hit", 11)
    kernel.run("importlib.reload(tools)")
    assert (kernel.run(cell).kind, kernel.ask("x")) == ("miss", 2001)
    assert (kernel.run(cell).kind, kernel.ask("x")) == ("hit", 2001)


def test_autoreload_runs(story):
    """A module edited under %autoreload 2 makes its cells run."""
    kernel = story.run(
        "%load_ext autoreload\n%autoreload 2\nimport tools", files={"tools.py": with_value("10")["tools.py"]}
    ).kernel
    cell = "%%cached\nx = tools.f(1)"
    assert (kernel.run(cell).kind, kernel.ask("x")) == ("miss", 11)
    (story.work / "tools.py").write_text(with_value("2000")["tools.py"])
    assert (kernel.run(cell).kind, kernel.ask("x")) == ("miss", 2001)


def test_module_with_side_effects_on_import(story):
    """What importing a module prints and sets comes back with the cell that imported it."""
    story.replays("%%cached\nimport loud\nx = loud.K", files={"loud.py": "print('hello')\nK = 1\n"})


def test_module_imported_in_a_cell_is_usable_after_a_hit(story):
    """A module that a replayed cell imported can be used by the next cell."""
    story.replays("%%cached\nimport tools\nfrom tools import f, C\nc = C()", "x = tools.f(1)\ny = f(2)\nz = c.f(3)\nz",
                  "same = tools.f is f, tools.C is C, type(c) is C\nsame", files=with_value("10"))  # fmt: skip


SET = {
    "constant of a local module": ("import tools\ntools.K = OLD", "x = tools.f(1)"),
    "new attribute of a local module": ("import tools\ntools.J = OLD", "x = tools.J"),
    "function of a local module patched": ("import tools\ntools.f = lambda a: OLD", "x = tools.f(1)"),
    "function patched, reached from inside": ("import tools\ntools.f = lambda a: OLD", "x = tools.C().f(1)"),
    "method of a local class patched": (
        "import tools\ntools.C.f = lambda self, a: OLD",
        "x = tools.C().f(1)",
    ),
    "attribute of a class": ("class C:\n    k = 0\nC.k = OLD", "x = C().k"),
    "attribute of an installed class": (
        "import collections\ncollections.Counter.k = OLD",
        "x = collections.Counter().k",
    ),
    "method of an installed class": (
        "import pathlib\npathlib.PurePath.shout = lambda self: OLD",
        "import pathlib\nx = pathlib.PurePath('a').shout()",
    ),
    "function of a standard module": (
        "import math\nmath.cube = lambda a: OLD",
        "import math\nx = math.cube(1)",
    ),
    "constant of a standard module": (
        "import string\nstring.digits = 'OLD'",
        "import string\nx = string.digits",
    ),
    "function patched in a standard module": (
        "import colorsys\ncolorsys.rgb_to_hsv = lambda a: OLD",
        "import colorsys\nx = colorsys.rgb_to_hsv(1)",
    ),
    "patched, and reached through a function": (
        "import colorsys\ncolorsys.rgb_to_hsv = lambda a: OLD\ndef f(): return colorsys.rgb_to_hsv(1)",
        "x = f()",
    ),
    "patched with unittest.mock": (
        "from unittest import mock\nmock.patch('colorsys.rgb_to_hsv', lambda a: OLD).start()",
        "import colorsys\nx = colorsys.rgb_to_hsv(1)",
    ),
    "builtin replaced": ("import builtins\nbuiltins.oct = lambda a: OLD", "x = oct(8)"),
    "builtin added": ("import builtins\nbuiltins.story = OLD", "x = story"),
    "builtin shadowed": ("len = lambda a: OLD", "x = len('a')"),
    "module made by hand": (
        "import sys, types\nm = types.ModuleType('handmade')\nm.k = OLD\nsys.modules['handmade'] = m",
        "import handmade\nx = handmade.k",
    ),
    "object of a module": ("import config\nconfig.settings.batch = OLD", "x = config.settings.batch"),
    "dict of a module": ("import config\nconfig.options['batch'] = OLD", "x = config.options['batch']"),
    "decimal precision": (
        "import decimal\ndecimal.getcontext().prec = OLD",
        "from decimal import Decimal\nx = str(Decimal(1) / 3)",
    ),
    "decimal precision, reached through a value": (
        "import decimal\ndecimal.getcontext().prec = OLD\nd = decimal.Decimal(1)",
        "x = str(d / 3)",
    ),
    "time zone": (
        "import os, time\nos.environ['TZ'] = 'XXX-OLD'\ntime.tzset()",
        "import datetime\nx = datetime.datetime.fromtimestamp(0).hour",
    ),
    "recursion limit": (
        "import sys\nsys.setrecursionlimit(1000 + OLD)",
        "import sys\nx = sys.getrecursionlimit()",
    ),
    "warning filters": (
        "import warnings\nwarnings.simplefilter('error' if OLD == 10 else 'ignore')",
        "import warnings\ntry:\n    warnings.warn('a')\n    x = 1\nexcept UserWarning:\n    x = 2",
    ),
    "integer digits": (
        "import sys\nsys.set_int_max_str_digits(1000 * OLD)",
        "try:\n    x = len(str(10 ** 15000))\nexcept ValueError:\n    x = 0",
    ),
    "sys.argv": ("import sys\nsys.argv = ['OLD']", "import sys\nx = sys.argv"),
    "sys.path": ("import sys\nsys.path.append('OLD')", "import sys\nx = sys.path[-1]"),
    "working folder": (
        "import os\nos.makedirs('OLD')\nos.chdir('OLD')",
        "import os\nx = os.path.basename(os.getcwd())",
    ),
    "working folder through pathlib": (
        "import os\nos.makedirs('OLD')\nos.chdir('OLD')",
        "from pathlib import Path\nx = Path.cwd().name",
    ),
    "working folder through resolve": (
        "import os\nos.makedirs('OLD')\nos.chdir('OLD')",
        "from pathlib import Path\nx = Path('.').resolve().name",
    ),
    "locale": (
        "import locale\nlocale.setlocale(locale.LC_CTYPE, 'C' if OLD == 10 else 'C.UTF-8')",
        "import locale\nx = locale.setlocale(locale.LC_CTYPE)",
    ),
    "logging level": (
        "import logging\nlogging.getLogger('a').setLevel(OLD)",
        "import logging\nx = logging.getLogger('a').level",
    ),
    "copyreg": (
        "import copyreg, sys\nclass C: pass\ncopyreg.pickle(C, lambda c: (int, (OLD,)))\nc = C()",
        "import copy\nx = copy.copy(c)",
    ),
}
CONFIG = "import types\nsettings = types.SimpleNamespace(batch=1)\noptions = {}\n"


@pytest.mark.parametrize(("before", "cell"), SET.values(), ids=SET)
def test_set_from_the_notebook_runs(story, before, cell):
    """An attribute, patch or process setting made in the notebook, and reached by the cell, makes it run."""
    notebooks = [[before.replace("OLD", value), f"%%cached\n{cell}"] for value in ("10", "20")]
    story.changes(*notebooks, "miss", files={**with_value("1"), "config.py": CONFIG}, back=False)


LIBRARIES = {
    "numpy print options": (
        "import numpy as np\nnp.set_printoptions(precision=OLD)",
        "x = str(np.array([1 / 3]))",
    ),
    "numpy error state": (
        "import numpy as np\nnp.seterr(divide='raise' if OLD == 10 else 'ignore');",
        "try:\n    x = float(np.ones(1)[0] / np.zeros(1)[0])\nexcept FloatingPointError:\n    x = None",
    ),
    "numpy print options in a value": (
        "import numpy as np\nnp.set_printoptions(precision=OLD)\na = np.array([1 / 3])",
        "x = str(a)",
    ),
    "pandas options": (
        "import pandas as pd\npd.set_option('display.width', OLD)",
        "x = pd.get_option('display.width')",
    ),
    "pandas options in a value": (
        "import pandas as pd\npd.set_option('display.max_rows', OLD // 5)\ndf = pd.DataFrame({'a': range(9)})",
        "x = repr(df)",
    ),
    "pandas options by attribute": (
        "import pandas as pd\npd.options.display.width = OLD",
        "x = pd.options.display.width",
    ),
    "matplotlib rcParams": (
        "import matplotlib as mpl\nmpl.rcParams['figure.dpi'] = OLD",
        "import matplotlib.pyplot as plt\nx = plt.figure().dpi\nplt.close()",
    ),
    "matplotlib style": (
        "import matplotlib.pyplot as plt\nplt.style.use('ggplot' if OLD == 10 else 'grayscale')",
        "x = plt.rcParams['axes.facecolor']",
    ),
    "torch default dtype": (
        "import torch\ntorch.set_default_dtype(torch.float64 if OLD == 10 else torch.float32)",
        "x = str(torch.ones(1).dtype)",
    ),
    "torch grad mode": (
        "import torch\ntorch.set_grad_enabled(OLD == 10);",
        "x = torch.ones(1, requires_grad=True).mul(2).requires_grad",
    ),
    "torch threads are no content": (
        "import torch\ntorch.set_num_threads(1 + OLD // 20)",
        "x = torch.ones(1)",
    ),
    "variable in df.query": (
        "import pandas as pd\nk = OLD\ndf = pd.DataFrame({'a': [5, 15, 25]})",
        "x = df.query('a > @k')",
    ),
    "variable in df.eval": (
        "import pandas as pd\nk = OLD\ndf = pd.DataFrame({'a': [5, 15, 25]})",
        "x = df.eval('a + @k')",
    ),
    "variable in df.query of a variable": (
        "import pandas as pd\nk = OLD\ndf = pd.DataFrame({'a': [5, 15, 25]})\nq = 'a > @k'",
        "x = df.query(q)",
    ),
    "variable in df.query in a function": (
        "import pandas as pd\nk = OLD\ndf = pd.DataFrame({'a': [5, 15, 25]})\ndef f(): return df.query('a > @k')",
        "x = f()",
    ),
    "variable in pd.eval": ("import pandas as pd\nk = OLD", "x = pd.eval('k + 1')"),
    "function in df.apply": (
        "import pandas as pd\ndef f(a): return a + OLD\ndf = pd.DataFrame({'a': [1]})",
        "x = df['a'].apply(f)",
    ),
    "attribute of numpy": ("import numpy as np\nnp.story = OLD", "x = np.story"),
    "function of numpy patched": ("import numpy as np\nnp.mean = lambda a: OLD", "x = np.mean([1])"),
    "method of DataFrame patched": (
        "import pandas as pd\npd.DataFrame.head = lambda self: OLD",
        "x = pd.DataFrame().head()",
    ),
}


@pytest.mark.parametrize(("before", "cell"), LIBRARIES.values(), ids=LIBRARIES)
def test_library_settings_run(loaded_story, before, cell):
    """Settings of a library the cell uses, and names it looks up in text, make the cell run."""
    kind = "hit" if "threads" in before else "miss"
    notebooks = [[before.replace("OLD", value), f"%%cached\n{cell}"] for value in ("10", "20")]
    loaded_story.changes(*notebooks, kind, back=False)


def test_reason_says_that_a_setting_is_as_usual(story):
    """A setting that was set and is not any more is told so, and a text of the code without its digests."""
    cell = "%%cached\nimport inspect\nx = f(), len(inspect.getsource(f))"
    story.run("%precision 3", "def f(): return 1", cell)
    assert story.run("def f(): return 1", cell).reason == "setting display.precision: 3 → as usual"
    reason = story.run("def f(): return  1  # one", cell).reason
    assert "the text of the code, or its place, which it tells, changed" in reason


def test_settings_of_an_unused_library_hit(story):
    """A setting of a library that the cell does not use is no reason to run."""
    cell = "%%cached\nx = k + 1"
    story.changes(
        ["import numpy as np\nk = 1", cell],
        ["import numpy as np\nnp.set_printoptions(precision=2)\nk = 1", cell],
        "hit",
    )


def test_default_settings_of_a_library_not_loaded_hit(story):
    """A library that is loaded with its defaults is the same as one that the cell loads."""
    cell = "%%cached\nimport numpy as np\nx = np.arange(3)"
    story.changes([cell], ["import numpy", cell], "hit")


def test_default_settings_of_a_library_loaded_hit(story):
    """And the other way round."""
    cell = "%%cached\nimport numpy as np\nx = np.arange(3)"
    story.changes(["import numpy", cell], [cell], "hit")


def test_other_version_of_a_package_runs(loaded_story):
    """Another version of an installed package that the cell reaches makes it run, and the line says which."""
    site = "import sys, pathlib\nsite = next(p for p in sys.path if p.endswith('site-packages'))"
    change = "import importlib.metadata as m\nold = m.version\nm.version = lambda name: '9.9' if name == 'numpy' else old(name)"
    cell = "%%cached\nx = int(np.arange(3).sum())"
    loaded_story.run(site, "import numpy as np", cell)
    changed = loaded_story.run(site, change, "import numpy as np", cell)
    assert changed.kind == "miss"
    assert "numpy" in changed.reason
    assert "9.9" in changed.reason


def test_another_folder_hits(story, tmp_path):
    """The same notebook in another folder hits, as long as no one asks for the folder."""
    other = tmp_path / "other"
    other.mkdir()
    cell = "%%cached\nx = sum(range(10))\nprint(x)"
    story.run(cell)
    assert story.run(cell, folder=other).kind == "hit"


def test_another_folder_counts_where_code_tells_it(story, tmp_path):
    """A cell that asks in which file a function is runs in a copy of the project, whether its module is loaded or not."""
    folders = tmp_path / "one" / "p", tmp_path / "two" / "p"
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "lib.py").write_text("def f(): return 1")
    cell = "%%cached\nimport inspect, lib\nx = inspect.getfile(lib.f)"
    for before in ("1", "import lib"):
        for folder in (*folders, folders[1]):
            ran = story.run("import sys, os; sys.path.insert(0, os.getcwd())", before, cell, folder=folder)
            assert ran.value("x") == str(folder / "lib.py")
    assert ran.kind == "hit"


def test_process_settings_the_cell_changed_are_put_back(loaded_story):
    """Environment, working folder, search path, warning filters and options come back as the cell left them."""
    loaded_story.replays(
        "import os, sys, warnings\nimport numpy as np\nimport pandas as pd",
        "%%cached\nos.environ['STORY'] = 'a'\nsys.path.append('somewhere')\nwarnings.simplefilter('ignore')\n"
        "np.set_printoptions(precision=2)\npd.set_option('display.width', 44)\nos.chdir('sub')",
        "print(os.environ['STORY'], sys.path[-1], np.array([1 / 3]), pd.get_option('display.width'), os.path.basename(os.getcwd()))\n"
        "warnings.warn('unheard')",
        files={"sub/a.txt": "a"},
    )


def test_rc_params_and_style_are_put_back(loaded_story):
    """A style chosen in a replayed cell holds in the cells after it."""
    loaded_story.replays("%%cached\nimport matplotlib.pyplot as plt\nplt.style.use('ggplot')\nplt.rcParams['figure.dpi'] = 50",
                  "print(plt.rcParams['axes.facecolor'], plt.rcParams['figure.dpi'])")  # fmt: skip


def test_torch_settings_are_put_back(loaded_story):
    """Default dtype and grad mode set in a replayed cell hold in the cells after it."""
    loaded_story.replays("import torch", "%%cached\ntorch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False);",
                  "print(torch.ones(1).dtype, torch.is_grad_enabled())")  # fmt: skip


LOADED_LATER = {
    "a package imported in the cell": ("1", "import numpy as np\nx = np.pi * np.arange(3)", "import numpy"),
    "a submodule that is loaded when used": ("import scipy", "x = scipy.constants.c", "import scipy.special"),
    "another submodule": (
        "import numpy as np",
        "x = np.arange(3).sum()",
        "import numpy.ma, numpy.polynomial",
    ),
    "a constant of a submodule": ("import scipy", "x = scipy.constants.c", "scipy.constants.g"),
    "a name from a package": ("1", "from scipy.constants import c\nx = c", "import scipy.constants"),
    "an import in a function": (
        "def f():\n    import numpy.ma as m\n    return m.nomask, m.core.__name__",
        "x = f()",
        "import numpy.ma",
    ),
    "the standard library": ("1", "import colorsys, wave\nx = colorsys.ONE_THIRD", "import colorsys"),
}


@pytest.mark.parametrize(("before", "cell", "loads"), LOADED_LATER.values(), ids=LOADED_LATER)
def test_what_is_loaded_already_makes_no_difference(story, before, cell, loads):
    """Installed code counts by its version: an entry answers whether its modules are loaded yet or not."""
    cached = f"%%cached\n{cell}"
    first = story.run(before, cached, loads, cached)
    assert first.kinds == ["miss", "hit"], first
    assert story.run(before, loads, cached).kind == "hit"
    edited = f"{cached}\ny = 1"
    assert story.run(before, loads, edited).kind == "miss"
    story.replays(before, edited)


def test_constant_set_in_a_package_runs(story):
    """A plain value of a package that something has set is told apart, loaded by the cell or before."""
    cell = "%%cached\nimport scipy.constants\nx = scipy.constants.c"
    story.run("1", cell)
    setting = "import scipy.constants as k\nvars(k)['c'] = 5"
    changed = story.run(setting, cell)
    assert changed.kind == "miss"
    assert changed.value("x") == 5
    assert story.run("1", cell).value("x") != 5


def test_same_name_for_another_module_runs(story):
    """A name that stands for another module of the same package is another input."""
    story.changes(
        [
            "import numpy as np, numpy.ma as m\na = np.ma.array([1, 2], mask=[0, 1])",
            "%%cached\nx = str(m.sin(a))",
        ],
        [
            "import numpy as np, numpy as m\na = np.ma.array([1, 2], mask=[0, 1])",
            "%%cached\nx = str(m.sin(a))",
        ],
        "miss",
    )


def test_package_bound_by_the_import_of_its_module_runs(story):
    """`import a.b` binds `a`: what the cell takes from `a` itself counts, too."""
    files = {"pkg/__init__.py": "SIZE = 1\n", "pkg/part.py": "def f():\n    return 1\n"}
    cell = "%%cached\nimport pkg.part\nx = pkg.SIZE + pkg.part.f()"
    story.changes(["import pkg.part", cell], ["import pkg.part\npkg.SIZE = 2", cell], "miss", files=files)
    other = {**files, "pkg/__init__.py": "SIZE = 3\n"}
    story.changes(["1", cell], ["1", cell], "miss", files=files, files_after=other)
