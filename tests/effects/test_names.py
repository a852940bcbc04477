"""Names bound, rebound and deleted."""

import pytest

# name → cells: earlier ones, the cached one, one that changes something in between, one that looks.
CASES = {
    "global via earlier fn same value": {
        "setup": "x=1\ndef setx():\n    global x\n    x=1",
        "cell": "setx()",
        "change": "x=2",
        "probe": "print(x)",
    },
    "globals literal store": {
        "setup": "x=1",
        "cell": "globals()['x']=1",
        "change": "x=2",
        "probe": "print(x)",
    },
    "branch same value": {
        "setup": "x=1\nflag=1",
        "cell": "if flag: x=1",
        "change": "x=2",
        "probe": "print(x)",
    },
    "loop same value": {"setup": "x=1", "cell": "for x in [1]: pass", "change": "x=2", "probe": "print(x)"},
    "walrus same": {"setup": "x=1\nflag=1", "cell": "flag and (x:=1)", "change": "x=2", "probe": "print(x)"},
    "del": {"setup": "x=1", "cell": "del x", "change": "x=2", "probe": "print('x' in dir())"},
    "del earlier fn": {
        "setup": "x=1\ndef d():\n    global x\n    del x",
        "cell": "d()",
        "change": "x=1",
        "probe": "print('x' in globals())",
    },
    "out": {"setup": "x=[1]", "cell": "x", "probe": "print(_)"},
    "class instance identity": {
        "setup": "class C: pass\nc=C()",
        "cell": "d=[c,c]",
        "probe": "print(d[0] is c)",
    },
    "singleton": {"setup": "S=object()", "cell": "x=S", "probe": "print(x is S)"},
    "logger bound": {
        "setup": "import logging",
        "cell": "log=logging.getLogger('q')",
        "probe": "print(log is logging.getLogger('q'))",
    },
    "instance of live class": {
        "setup": "class C: pass",
        "cell": "c=C()",
        "change": "class C: pass",
        "probe": "print(isinstance(c,C))",
    },
    "class and instance": {"cell": "class C: pass\nc=C()", "probe": "print(isinstance(c,C))"},
    "name rebound same object": {
        "setup": "a=[1]\nb=a",
        "cell": "b=a",
        "change": "b=[2]",
        "probe": "print(b is a)",
    },
    "views": {"setup": "import numpy as np", "cell": "a=np.zeros(3)\nb=a[:2]", "probe": "a[0]=5\nprint(b)"},
    "builtins attr": {
        "setup": "import builtins",
        "cell": "builtins.zzz=1",
        "change": "del builtins.zzz",
        "probe": "print(zzz)\ndel builtins.zzz",
    },
    "suppress": {
        "setup": "from contextlib import suppress\nflag=0;r=0",
        "cell": "if flag: y=1\nwith suppress(NameError): r=y\nprint(r)",
        "change": "r=0;y=5",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_cached_as_uncached(both, name):
    """After a hit the notebook's names stand for what a run makes them stand for."""
    plain, cached = both(**CASES[name])
    assert cached == plain
