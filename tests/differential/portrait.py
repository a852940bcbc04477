"""Describe all that a notebook leaves behind: names, identity, generators, settings, modules, files.

Builds on the portraits of the stories, and like them knows nothing of lean_magic.
"""

import collections
import decimal
import functools
import hashlib
import io
import itertools
import locale
import logging
import os
import random
import sys
import types
import warnings
import weakref
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "stories"))
from story_portraits import _HIDDEN, _Painter
from story_portraits import _PLAIN as PLAIN  # noqa: E402

del sys.path[-1]

# The hash seed, and what a library sets for itself that only the extension loads early.
UNEQUAL = ("PYTHONHASHSEED", "KMP_")


def name_of(file):
    """Give the name of a file; since Python 3.13 some that are closed do not tell it."""
    try:
        return getattr(file, "name", "")
    except ValueError as error:
        return str(error)


class Painter(_Painter):
    """Paints a few kinds of objects in more detail than the stories do."""

    def __init__(self, namespace):
        super().__init__(namespace)
        self.known = {}

    def _ways(self):
        def of(*kinds):
            return lambda value: isinstance(value, kinds)

        numpy, torch = sys.modules["numpy"], sys.modules.get("torch")
        yield of(numpy.random.Generator), lambda value: [self.paint(value.bit_generator)]
        yield of(numpy.random.RandomState), lambda value: [brief(value.get_state())]
        yield of(numpy.random.BitGenerator), lambda value: [brief(value.state)]
        if torch is not None:
            yield of(torch.Generator), lambda value: [brief(value.get_state().tolist())]
            yield of(torch.utils.hooks.RemovableHandle), lambda value: []
        yield of(random.Random), lambda value: [brief(value.getstate())]
        yield of(type(functools.lru_cache(id))), self.cached_function
        yield of(collections.defaultdict), self.default_dict
        yield of(collections.deque), lambda value: [value.maxlen, *map(self.paint, value)]
        yield of(io.IOBase), lambda value: [value.closed, name_of(value)]
        yield of(logging.Logger), lambda value: [value.name, value.level, value.disabled, len(value.handlers)]
        yield of(weakref.ref), lambda value: [self.paint(value())]
        yield of(itertools.count, itertools.cycle), self.text
        yield from super()._ways()

    def paint(self, value):
        """Describe a value; which way is found once for every type."""
        kind = type(value)
        if kind in PLAIN:
            return f"{kind.__qualname__} {value!r}"
        if id(value) in self.seen:
            return f"same as object {self.seen[id(value)]}"
        if not isinstance(value, (tuple, frozenset, sys.modules["numpy"].generic)):
            self.seen[id(value)] = len(self.seen)
        self.kept.append(value)
        way = self.known.get(kind)
        if way is None:
            way = self.known[kind] = next((way for test, way in self._ways() if test(value)), self.instance)
        return [kind.__qualname__, *way(value)]

    def cached_function(self, value):
        """Describe a function with a cache: what is in it shows in its figures."""
        own = {name: item for name, item in vars(value).items() if not name.startswith(("__", "cache_"))}
        return [value.__name__, str(value.cache_info()), self.paint(value.__wrapped__), self.paint(own)]

    def tensor(self, value):
        """Describe a tensor; a sparse one by what it stands for."""
        if value.layout is sys.modules["torch"].strided:
            return super().tensor(value)
        return [str(value.layout), self.paint(value.to_dense())]

    def default_dict(self, value):
        """Describe a dict with a factory."""
        items = [[self.paint(key), self.paint(item)] for key, item in value.items()]
        return [self.paint(value.default_factory), *items]

    def frame(self, value):
        """Describe a table, with what objects its cells hold."""
        own = [type(value).__name__, super().frame(value), str(getattr(value, "name", ""))]
        columns = getattr(value, "columns", None)
        return own if columns is None else [*own, str(columns), [str(name) for name in columns.names]]


def brief(value):
    """Give a short digest of a value whose `repr` tells all of it."""
    import numpy as np

    with np.printoptions(threshold=sys.maxsize):
        return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


class Portraits:
    """What is left of one run."""

    def __init__(self, shell, order):
        self.namespace = shell.user_ns
        self.shell = shell
        self.order = order

    def all(self):
        """Describe everything."""
        folder = os.getcwd()
        os.chdir(self.order["folder"])
        left = {
            "names": self.names(),
            "order": [name for name in self.namespace if not _HIDDEN.fullmatch(name)],
            "generators": self.generators(),
            "settings": self.settings(folder),
            "modules": self.modules(),
            "files": files(),
        }
        return {kind: content for kind, content in left.items() if content not in ({}, [])}

    def names(self):
        """Describe every name of the user's."""
        painter = Painter(self.namespace)
        wanted = sorted(name for name in self.namespace if not _HIDDEN.fullmatch(name))
        found = {name: painter.paint(self.namespace[name]) for name in wanted}
        return found | {"shared memory": painter.shared()}

    def generators(self):
        """Give the state of every generator that the notebook seeds; any other state is chance."""
        text = "\n".join(self.order["cells"])
        found = {}
        if "random.seed(" in text.replace("np.random.seed(", "") or "random.setstate(" in text:
            found["random"] = brief(random.getstate())
        if "np.random.seed(" in text:
            found["numpy"] = brief(sys.modules["numpy"].random.get_state(legacy=False))
        if "manual_seed(" in text:
            found["torch"] = brief(sys.modules["torch"].get_rng_state().tolist())
        return found

    def settings(self, folder):
        """Give the settings of the process."""
        context = decimal.getcontext()
        found = {
            "folder": folder,
            "environ": {name: value for name, value in os.environ.items() if not name.startswith(UNEQUAL)},
            "path": list(sys.path),
            "filters": [str(item) for item in warnings.filters],
            "decimal": str(context).replace("flags=", "")[:120],
            "locale": locale.setlocale(locale.LC_ALL),
            "recursion": sys.getrecursionlimit(),
        }
        return found | libraries()

    def modules(self):
        """Describe the globals of the modules that lie in the notebook's folder, and are not installed there."""
        here = self.order["folder"]
        found = {}
        for name in sorted(sys.modules.keys() - self.order.get("loaded", {"__main__"})):
            module = sys.modules[name]
            path = str(getattr(module, "__file__", "") or "")
            if path.startswith(here) and "site-packages" not in path:
                found[name] = self.module(module)
        return found

    def module(self, module):
        """Describe the globals of one module."""
        painter = Painter(vars(module))
        names = sorted(name for name in vars(module) if not name.startswith("__"))
        return {
            name: "module"
            if isinstance(vars(module)[name], types.ModuleType)
            else painter.paint(vars(module)[name])
            for name in names
        }


def libraries():
    """Give the settings of libraries."""
    import numpy as np
    import pandas as pd

    names = ("display.max_rows", "display.precision", "display.width", "mode.chained_assignment")
    found = {"numpy": str([np.get_printoptions(), np.geterr()])}
    found |= {name: str(pd.get_option(name)) for name in names if not name.startswith("mode")}
    torch = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = str([torch.get_default_dtype(), torch.is_grad_enabled()])
    return found


def files():
    """Give the content of all files below the folder."""
    paths = sorted(path for path in Path().rglob("*") if "__pycache__" not in path.parts)
    return {str(path): [file(path), oct(path.lstat().st_mode)] for path in paths}


def file(path):
    """Give what one file holds."""
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return path.read_bytes().hex()[:400] if path.is_file() else "folder"
