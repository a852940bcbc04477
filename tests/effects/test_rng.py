"""Random generators."""

import pytest

from lean_magic.magic import _only_prepares

# name → cells: earlier ones, the cached one, one that changes something in between, one that looks.
CASES = {
    "py seeded": {
        "setup": "import random\nrandom.seed(0)",
        "cell": "print(random.random())",
        "change": "random.seed(1)",
        "probe": "print(random.random())",
    },
    "from-import seed": {
        "setup": "from random import seed, random as r\nseed(0)",
        "cell": "print(r())",
        "change": "seed(1)",
        "probe": "print(r())",
    },
    "np late import": {
        "setup": "import numpy as np\nnp.random.seed(0)",
        "cell": "print(np.random.rand())",
        "change": "np.random.seed(1)",
        "probe": "print(np.random.rand())",
    },
    "np seed alias": {
        "setup": "from numpy.random import seed, rand\nseed(0)",
        "cell": "print(rand())",
        "change": "seed(1)",
        "probe": "print(rand())",
    },
    "np Generator": {
        "setup": "import numpy as np\nr=np.random.default_rng(0)",
        "cell": "print(r.random())",
        "change": "r=np.random.default_rng(1)",
        "probe": "print(r.random())",
    },
    "Random": {
        "setup": "import random\nr=random.Random(0)",
        "cell": "print(r.random())",
        "probe": "print(r.random())",
    },
    "torch": {
        "setup": "import torch\ntorch.manual_seed(0)",
        "cell": "print(torch.rand(1))",
        "change": "torch.manual_seed(1)",
        "probe": "print(torch.rand(1))",
    },
    "torch seed()": {
        "setup": "import torch\ntorch.seed()\ntorch.set_rng_state(torch.Generator().manual_seed(3).get_state())",
        "cell": "print(torch.rand(1))",
        "change": "torch.set_rng_state(torch.Generator().manual_seed(4).get_state())",
        "probe": "print(torch.rand(1))",
    },
    "torch default_generator": {
        "setup": "import torch\ntorch.default_generator.manual_seed(0)",
        "cell": "print(torch.rand(1))",
        "change": "torch.default_generator.manual_seed(1)",
        "probe": "print(torch.rand(1))",
    },
    "seed in cell": {
        "setup": "import random",
        "cell": "random.seed(5)\nx=random.random()",
        "change": "random.seed(1)",
        "probe": "print(x, random.random())",
    },
    "seed in cell after draw": {
        "setup": "import random\nrandom.seed(0)",
        "cell": "a=random.random()\nrandom.seed(5)\nx=random.random()",
        "change": "random.seed(1)",
        "probe": "print(a,x, random.random())",
    },
    "getstate read": {
        "setup": "import random\nrandom.seed(0)",
        "cell": "print(hash(random.getstate()))",
        "change": "random.seed(1)",
    },
    "draw restored": {
        "setup": "import random\nrandom.seed(0)",
        "cell": "s=random.getstate()\nprint(random.random())\nrandom.setstate(s)",
        "change": "random.seed(1)",
        "probe": "print(random.random())",
    },
    "np seed in cell": {
        "setup": "import numpy as np",
        "cell": "np.random.seed(5)\nprint(np.random.randn())",
        "change": "np.random.seed(1)",
        "probe": "print(np.random.randn())",
    },
    "np randn odd": {
        "setup": "import numpy as np\nnp.random.seed(0)\nnp.random.randn()",
        "cell": "print(np.random.randn())",
        "change": "np.random.seed(0)\nnp.random.randn()\nnp.random.randn()",
    },
    "RandomState obj": {
        "setup": "import numpy as np\nr=np.random.RandomState(0); r.randn()",
        "cell": "print(r.randn())",
        "change": "r=np.random.RandomState(0); r.randn(); r.randn()",
        "probe": "print(r.randn())",
    },
    "spawn": {
        "setup": "import numpy as np\nr=np.random.default_rng(0)",
        "cell": "print(r.spawn(1)[0].random())",
        "probe": "print(r.spawn(1)[0].random())",
    },
    "uuid/secrets-free hash order": {"setup": "s={'a','b'}", "cell": "print(sorted(s))"},
}


@pytest.mark.parametrize("name", CASES)
def test_cached_as_uncached(both, name):
    """A draw after a hit is the draw after a run, and another seed is another input."""
    plain, cached = both(**CASES[name])
    assert cached == plain


@pytest.mark.parametrize(
    ("cell", "only"),
    [
        ("get_ipython().run_line_magic('matplotlib', 'inline')\nimport numpy as np", True),
        ("get_ipython().system('pip install numpy')\nfrom os import path", True),
        ("", True),
        ("x = 1", False),
        ("import helper_of_mine", False),
        ("from . import other", False),
        ("get_ipython().run_line_magic('run', 'prepare.py')", False),
        ("import os\nos.urandom(1)", False),
        ("this is no Python", False),
    ],
)
def test_cells_after_which_nothing_is_seeded(cell, only, tmp_path, monkeypatch):
    """Before the extension is loaded, imports of installed modules and harmless magics seed nothing; all else may."""
    pytest.importorskip("numpy")  # as it is once the cell has run
    (tmp_path / "helper_of_mine.py").write_text("import random\nrandom.seed(1)")
    monkeypatch.syspath_prepend(tmp_path)
    assert _only_prepares(cell) is only
