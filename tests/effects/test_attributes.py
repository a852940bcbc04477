"""What a cell sets on modules and classes."""

import pytest

MODULE = "from pathlib import Path\nPath('mine.py').write_text('COUNT = 0\\nbatch = 1\\ncache = []\\nclass K: a = 1\\ndef bump():\\n    global COUNT\\n    COUNT += 1\\n')\nimport importlib\nimportlib.invalidate_caches()\nimport mine"
# name → cells: earlier ones, the cached one, one that changes something in between, one that looks.
CASES = {
    "module global": {
        "setup": MODULE,
        "cell": "mine.bump()",
        "change": "mine.COUNT = 0",
        "probe": "print(mine.COUNT)",
    },
    "module attr": {
        "setup": MODULE,
        "cell": "mine.batch = 64",
        "change": "mine.batch = 1",
        "probe": "print(mine.batch)",
    },
    "module attr setattr": {
        "setup": MODULE,
        "cell": "setattr(mine, 'batch', 64)",
        "change": "mine.batch = 1",
        "probe": "print(mine.batch)",
    },
    "module list": {
        "setup": MODULE,
        "cell": "mine.cache.append(1)",
        "change": "mine.cache.clear()",
        "probe": "print(mine.cache)",
    },
    "module class attr": {
        "setup": MODULE,
        "cell": "mine.K.a = 64",
        "change": "mine.K.a = 1",
        "probe": "print(mine.K.a)",
    },
    "installed attr": {
        "setup": "import json",
        "cell": "json.zz = 64",
        "change": "del json.zz",
        "probe": "print(json.zz)",
    },
    "installed class attr": {
        "setup": "import fractions",
        "cell": "fractions.Fraction.zz = 64",
        "change": "del fractions.Fraction.zz",
        "probe": "print(fractions.Fraction.zz)",
    },
    "pd class attr": {
        "setup": "import pandas as pd",
        "cell": "pd.DataFrame.zz = 64",
        "change": "del pd.DataFrame.zz",
        "probe": "print(pd.DataFrame.zz)",
    },
    "pd accessor": {
        "setup": "import pandas as pd\ndf=pd.DataFrame({'a':[1]})\n@pd.api.extensions.register_dataframe_accessor('zzz')\nclass A:\n    def __init__(s,d): pass\n    def f(s): return 1",
        "cell": "print(df.zzz.f())",
        "change": "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n    @pd.api.extensions.register_dataframe_accessor('zzz')\n    class A:\n        def __init__(s,d): pass\n        def f(s): return 2",
    },
    "pd patched method": {
        "setup": "import pandas as pd\ndf=pd.DataFrame({'a':[1]})\npd.DataFrame.zq=lambda s: 1",
        "cell": "print(df.zq())",
        "change": "pd.DataFrame.zq=lambda s: 2",
    },
    "patch inner json": {
        "setup": "import json, json.encoder as e\nold=e.JSONEncoder.encode",
        "cell": "print(json.dumps([1]))",
        "change": "e.JSONEncoder.encode=lambda s,o: 'patched'",
        "probe": "e.JSONEncoder.encode=old",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_cached_as_uncached(both, name):
    """What the cell, or the notebook before it, sets on modules and classes counts and is put back, or the cell runs."""
    plain, cached = both(**CASES[name])
    assert cached == plain
