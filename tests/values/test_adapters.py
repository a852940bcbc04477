"""Every adapter keeps the contract."""

import contextlib
import functools
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import traitlets
from adapter_contract import AdapterContract, Sample, through_a_file
from notebook_code import in_processes, made

from lean_magic.errors import Unfingerprintable, Unstorable
from lean_magic.values import Walk, codec, fingerprint
from lean_magic.values.adapters import KNOWN
from lean_magic.values.in_place import content_of, put
from lean_magic.values.memory import LayoutChanged


class TestNumpy(AdapterContract):
    """Arrays of every layout, scalars, dtypes and generators."""

    library = "numpy"

    def samples(self):
        """Return name → Sample."""
        import numpy as np

        def array(make):
            return Sample(lambda: make(np.arange(12.0)), lambda: make(np.arange(12.0) + 1))

        def drawn(make):
            generator = make()
            generator.random(3)
            return generator

        return {
            "plain": array(lambda a: a),
            "large": Sample(lambda: np.zeros(50_000), lambda: np.ones(50_000)),
            "fortran": array(lambda a: np.asfortranarray(a.reshape(3, 4))),
            "transposed": array(lambda a: a.reshape(3, 4).T),
            "view with gaps": array(lambda a: a[::2]),
            "backwards": array(lambda a: a[::-1]),
            "objects": Sample(
                lambda: np.array([1, [2]], dtype=object), lambda: np.array([1, [3]], dtype=object)
            ),
            "texts": Sample(lambda: np.array(["a", "b"]), lambda: np.array(["a", "c"])),
            "fields": Sample(
                lambda: np.zeros(3, dtype=[("a", "i4"), ("b", "f8")]),
                lambda: np.ones(3, dtype=[("a", "i4"), ("b", "f8")]),
            ),
            "masked": Sample(
                lambda: np.ma.array([1, 2], mask=[0, 1]), lambda: np.ma.array([1, 2], mask=[1, 0])
            ),
            "times": Sample(
                lambda: np.array(["2024-01-01"], "M8[D]"), lambda: np.array(["2024-01-02"], "M8[D]")
            ),
            "generator": Sample(
                lambda: np.random.default_rng(3), lambda: drawn(lambda: np.random.default_rng(3))
            ),
            "old generator": Sample(lambda: np.random.RandomState(3), lambda: np.random.RandomState(4)),
        }


class TestPandas(AdapterContract):
    """Frames and series."""

    library = "pandas"

    def samples(self):
        """Return name → Sample."""
        import pandas as pd

        def told(frame, **attrs):
            frame.attrs.update(attrs)
            return frame

        def frame(**more):
            return pd.DataFrame({"a": [1, 2], "b": ["x", None], **more})

        return {
            "frame": Sample(frame, lambda: frame(b=["x", "y"])),
            "frame with another column": Sample(frame, lambda: frame(c=[1.5, 2.5])),
            "frame with attrs": Sample(lambda: told(frame(), a=1), lambda: told(frame(), a=2)),
            "large": Sample(
                lambda: pd.DataFrame({"a": range(50_000)}), lambda: pd.DataFrame({"a": range(1, 50_001)})
            ),
            "series": Sample(lambda: pd.Series([1, 2], name="s"), lambda: pd.Series([1, 3], name="s")),
            "categories": Sample(
                lambda: pd.Series(["a", "b"], dtype="category"),
                lambda: pd.Series(["b", "a"], dtype="category"),
            ),
            "nullable": Sample(
                lambda: pd.Series([1, None], dtype="Int64"), lambda: pd.Series([1, 2], dtype="Int64")
            ),
            "times": Sample(
                lambda: pd.DataFrame({"t": pd.date_range("2024-01-01", periods=3, tz="UTC")}),
                lambda: pd.DataFrame({"t": pd.date_range("2024-01-02", periods=3, tz="UTC")}),
            ),
        }


class TestPolars(AdapterContract):
    """Frames and series."""

    library = "polars"

    def samples(self):
        """Return name → Sample."""
        import polars as pl

        return {
            "frame": Sample(lambda: pl.DataFrame({"a": [1, 2]}), lambda: pl.DataFrame({"a": [1, 3]})),
            "texts": Sample(
                lambda: pl.DataFrame({"a": ["x", None]}), lambda: pl.DataFrame({"a": ["x", "y"]})
            ),
            "series": Sample(lambda: pl.Series("s", [1, 2]), lambda: pl.Series("t", [1, 2])),
            "lists": Sample(lambda: pl.Series("s", [[1], []]), lambda: pl.Series("s", [[], [1]])),
        }


class TestScipy(AdapterContract):
    """Sparse matrices, and k-d trees."""

    library = "scipy"

    def samples(self):
        """Return name → Sample."""
        import numpy as np
        from scipy import sparse, spatial

        points = np.arange(400.0).reshape(200, 2) % 7

        def tree(kind, **options):
            one, other = (lambda more=more: kind(points + more, **options) for more in (0, 1))
            return Sample(one, other, in_place=False)

        def kind(make):
            return Sample(lambda: make(np.eye(3)), lambda: make(np.eye(3) * 2))

        return {
            make.__name__: kind(make)
            for make in (
                sparse.csr_matrix,
                sparse.csc_array,
                sparse.coo_array,
                sparse.lil_matrix,
                sparse.dia_array,
            )
        } | {
            "k-d tree": tree(spatial.KDTree),
            "tree of C": tree(spatial.cKDTree, leafsize=2, balanced_tree=False),
            "ways to part": Sample(
                lambda: spatial.cKDTree(points, leafsize=3),
                lambda: spatial.cKDTree(points, leafsize=3, compact_nodes=False, balanced_tree=False),
                in_place=False,
            ),
        }


class TestSklearn(AdapterContract):
    """Estimators, and the trees behind nearest neighbours."""

    library = "sklearn"

    def samples(self):
        """Return name → Sample."""
        import numpy as np
        from sklearn.linear_model import LogisticRegression
        from sklearn.neighbors import KDTree, NearestNeighbors

        points = np.arange(20.0).reshape(10, 2)
        return {
            "tree": Sample(lambda: KDTree(points), lambda: KDTree(points + 1)),
            "neighbours": Sample(
                lambda: NearestNeighbors(algorithm="kd_tree").fit(points),
                lambda: NearestNeighbors(algorithm="kd_tree").fit(points * 2),
            ),
            "regression": Sample(
                lambda: LogisticRegression().fit(points, points[:, 0] > 8),
                lambda: LogisticRegression().fit(points, points[:, 0] > 4),
            ),
        }


class TestTokenizers(AdapterContract):
    """Tokenizers by what they are saved as."""

    library = "tokenizers"

    def samples(self):
        """Return name → Sample."""
        from tokenizers import AddedToken

        return {
            "words": Sample(lambda: words("a"), lambda: words("b")),
            "token": Sample(lambda: AddedToken("[A]"), lambda: AddedToken("[B]"), in_place=False),
        }


def words(*texts):
    """Return a tokenizer that knows a few words."""
    from tokenizers import Tokenizer, models

    return Tokenizer(
        models.WordLevel({"[UNK]": 0, **{text: place + 1 for place, text in enumerate(texts)}}, "[UNK]")
    )


class TestTorch(AdapterContract):
    """Tensors, parameters, modules, optimizers and generators."""

    library = "torch"

    def samples(self):
        """Return name → Sample."""
        import torch

        def tensor(make):
            return Sample(lambda: make(torch.arange(12.0)), lambda: make(torch.arange(12.0) + 1))

        def linear(weight, *, trained=False):
            layer = torch.nn.Linear(2, 1)
            with torch.no_grad():
                layer.weight.fill_(weight)
                layer.bias.fill_(0.5)
            layer.requires_grad_(not trained)
            return layer

        def optimizer(rate):
            return torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=rate, momentum=0.9)

        return {
            "plain": tensor(lambda t: t),
            "large": Sample(lambda: torch.zeros(50_000), lambda: torch.ones(50_000)),
            "half": tensor(lambda t: t.to(torch.bfloat16)),
            "transposed": tensor(lambda t: t.reshape(3, 4).t()),
            "view with gaps": tensor(lambda t: t[::2]),
            "conjugated": Sample(
                lambda: torch.tensor([1 + 2j]).conj(), lambda: torch.tensor([1 + 3j]).conj()
            ),
            "parameter": tensor(torch.nn.Parameter),
            "module": Sample(lambda: linear(0.25), lambda: linear(0.75)),
            "frozen module": Sample(lambda: linear(0.25, trained=True), lambda: linear(0.75, trained=True)),
            "optimizer": Sample(lambda: optimizer(0.1), lambda: optimizer(0.2)),
            "generator": Sample(
                lambda: torch.Generator().manual_seed(3), lambda: torch.Generator().manual_seed(4)
            ),
        }


class TestTransformers(AdapterContract):
    """Configurations, models and fast tokenizers."""

    library = "transformers"

    def samples(self):
        """Return name → Sample."""
        import torch
        import transformers

        def config(**more):
            sizes = {
                "hidden_size": 8,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 8,
                "vocab_size": 11,
            }
            return transformers.BertConfig(**sizes, **more)

        def model(seed):
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                return transformers.BertModel(config())

        def tokenizer(text):
            return transformers.PreTrainedTokenizerFast(tokenizer_object=words(text))

        return {
            "config": Sample(config, lambda: config(layer_norm_eps=0.5)),
            "model": Sample(lambda: model(1), lambda: model(2)),
            "tokenizer": Sample(lambda: tokenizer("a"), lambda: tokenizer("b")),
        }


class TestSentenceTransformers(AdapterContract):
    """The shells around a model."""

    library = "sentence_transformers"

    def samples(self):
        """Return name → Sample."""
        import torch
        from sentence_transformers import models

        def dense(seed):
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                return models.Dense(2, 3)

        return {
            "pooling": Sample(lambda: models.Pooling(4), lambda: models.Pooling(5)),
            "dense": Sample(lambda: dense(1), lambda: dense(2)),
        }


class TestPictures(AdapterContract):
    """Pictures, what draws into them, and fonts."""

    library = "PIL"

    def samples(self):
        """Return name → Sample."""
        from PIL import Image, ImageDraw, ImageFont

        def palette(first):
            picture = Image.new("P", (4, 4), 1)
            picture.putpalette([first] * 768)
            return picture

        def told(**info):
            picture = Image.new("L", (2, 2))
            picture.info.update(info)
            return picture

        return {
            "picture": Sample(lambda: Image.new("RGB", (4, 4)), lambda: Image.new("RGB", (4, 4), "red")),
            "another size": Sample(lambda: Image.new("RGB", (4, 4)), lambda: Image.new("L", (2, 4))),
            "palette": Sample(lambda: palette(3), lambda: palette(4)),
            "info": Sample(lambda: told(a=1), lambda: told(a=2)),
            "drawing": Sample(
                lambda: ImageDraw.Draw(Image.new("RGB", (4, 4))),
                lambda: ImageDraw.Draw(Image.new("RGB", (4, 4), "red")),
                in_place=None,
            ),
            "font": Sample(
                lambda: ImageFont.load_default(size=10),
                lambda: ImageFont.load_default(size=12),
                in_place=None,
            ),
        }


class Knob(traitlets.HasTraits):
    """An object with a trait."""

    turns = traitlets.Int(1)


class TestTraits(AdapterContract):
    """Objects with traits that nobody observes; the others are refused."""

    library = "traitlets"

    def samples(self):
        """Return name → Sample."""
        return {"object": Sample(Knob, lambda: Knob(turns=2), in_place=None)}

    def test_an_observed_object_is_refused(self):
        """What somebody observes would come back unobserved, and is neither stored nor written back."""
        knob = Knob()
        knob.observe(print, "turns")
        with pytest.raises(Unstorable, match="observed"):
            codec.encode({"knob": knob})
        with pytest.raises(Unstorable, match="observed"):
            content_of(knob)

    def test_a_widget(self):
        """A widget counts by what it holds, not by its number; it is neither stored nor changed by a hit."""
        ipywidgets = pytest.importorskip("ipywidgets")
        one, two = (ipywidgets.HBox([ipywidgets.IntSlider(value=3)]) for _ in range(2))
        assert fingerprint(one) == fingerprint(two)
        two.children[0].value = 4
        assert fingerprint(one) != fingerprint(two)
        with pytest.raises(Unstorable, match="an IntSlider of ipywidgets"):
            codec.encode({"names": {"slider": one.children[0]}})
        with pytest.raises(Unstorable, match="changed in place"):
            content_of(one)


class TestSoup(AdapterContract):
    """Parsed pages, and tags of them."""

    library = "bs4"

    def samples(self):
        """Return name → Sample."""
        from bs4 import BeautifulSoup

        def page(text):
            return BeautifulSoup(f"<div><p>one</p><a href='x'>{text}</a></div>", "html.parser")

        return {
            "page": Sample(lambda: page("t"), lambda: page("u"), in_place=False),
            "tag": Sample(lambda: page("t").a, lambda: page("u").a, in_place=False),
        }


class TestMatplotlib(AdapterContract):
    """Figures, axes and transforms."""

    library = "matplotlib"
    many = 3  # figures are digested one by one, and take long

    def samples(self):
        """Return name → Sample."""
        from matplotlib.figure import Figure
        from matplotlib.transforms import Affine2D, Bbox

        def drawn(height, title=""):
            figure = Figure()
            figure.subplots(2, sharex=True)[0].plot([1, 2], [0, height], label="one")
            figure.axes[0].set_title(title)
            return figure

        def saved(height):
            figure = drawn(height)
            figure.savefig(io.BytesIO(), format="png")
            return figure

        return {
            # The parts of a figure know it: they are changed with it, in the stories.
            "empty figure": Sample(Figure, lambda: Figure(figsize=(1, 2)), in_place=None),
            "figure": Sample(lambda: drawn(1), lambda: drawn(2), in_place=None),
            "title": Sample(lambda: drawn(1), lambda: drawn(1, "a"), in_place=None),
            "drawn figure": Sample(lambda: saved(1), lambda: saved(2), in_place=None),
            "transform": Sample(lambda: Affine2D().scale(2), lambda: Affine2D().scale(3)),
            "composed": Sample(
                lambda: Affine2D().scale(2) + Affine2D(), lambda: Affine2D().scale(2) + Affine2D().scale(3)
            ),
            "box": Sample(lambda: Bbox([[0, 0], [1, 1]]), lambda: Bbox([[0, 0], [1, 2]])),
        }


def curried(times):
    """Return a function of the notebook, curried."""
    from toolz import curry

    def scale(a, b):
        return a * b * times

    scale.__module__ = "__main__"
    return curry(scale)(1)


class TestToolz(AdapterContract):
    """Curried functions count by the code below them."""

    library = "toolz"

    def samples(self):
        """Return name → Sample."""
        return {"curried": Sample(lambda: curried(2), lambda: curried(3), in_place=None)}


def graph(*more, looked=False):
    """Return a small graph, whose views somebody may have looked at."""
    networkx = pytest.importorskip("networkx")
    made = networkx.path_graph(3)
    made.add_edges_from(more)
    if looked:
        len(made.nodes), len(made.edges), len(made.adj), len(made.degree)
    return made


class TestNetworkx(AdapterContract):
    """A graph counts by its nodes, edges and attributes, whether somebody has looked at it or not."""

    library = "networkx"

    def samples(self):
        """Return name → Sample."""
        return {
            "graph": Sample(graph, lambda: graph((0, 3)), in_place=None),
            "looked at": Sample(
                lambda: graph(looked=True), lambda: graph((0, 2), looked=True), in_place=None
            ),
        }

    def test_views(self):
        """Views that a graph keeps of itself are no content."""
        assert fingerprint(graph()) == fingerprint(graph(looked=True))


class TestSympy(AdapterContract):
    """An undefined function counts by its name and what was said of it."""

    library = "sympy"

    def samples(self):
        """Return name → Sample."""

        def function(*args, **said):
            return pytest.importorskip("sympy").Function(*args, **said)

        return {
            "function": Sample(lambda: function("f"), lambda: function("g"), in_place=None),
            "real": Sample(
                lambda: function("f", real=True), lambda: function("f", positive=True), in_place=None
            ),
        }

    @pytest.mark.parametrize(
        "source",
        [
            "x + x",
            "x - x",
            "sin(pi)",
            "sqrt(8)",
            "Eq(x, x)",
            "[x * (x + x), x]",
            "Matrix([[x + x, 1]])",
            "Piecewise((x, x > 0), (x, True))",
        ],
    )
    def test_what_was_not_evaluated(self, source, tmp_path):
        """An expression comes back as it was made, though SymPy would write it in a simpler way."""
        sympy = pytest.importorskip("sympy")
        names = {"x": sympy.Symbol("x"), **vars(sympy)}
        with sympy.evaluate(False):
            plain = eval(source, dict(names))
        simpler = eval(source, dict(names))
        back = through_a_file(plain, tmp_path)
        assert sympy.srepr(back) == sympy.srepr(plain) != sympy.srepr(simpler)

    @pytest.mark.parametrize("over", [{"domain": "QQ"}, {"modulus": 5}, {"extension": True}, {}])
    def test_what_a_polynomial_is_over(self, over, tmp_path):
        """A polynomial counts, and comes back, with the domain of its coefficients."""
        sympy = pytest.importorskip("sympy")
        x, y = sympy.symbols("x y")
        made = sympy.Poly(x**2 + x * y * (sympy.sqrt(2) if "extension" in over else 1), x, y, **over)
        assert through_a_file(made, tmp_path) == made
        assert fingerprint(made) != fingerprint(sympy.Poly(made.as_expr(), x, y, domain="CC"))

    def test_two_objects_stay_two(self):
        """SymPy remembers the functions that it has made."""
        sample = self.samples()["function"]
        assert sample.make() is sample.make()

    def test_classes_of_the_notebook(self, tmp_path):
        """A function that the user defines counts by what its body says, in any process, also when it comes back."""
        source = "import sympy\nclass C(sympy.Function):\n    is_positive = {}\n    def _eval_is_integer(self): return {}"
        define = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom notebook_code import made\n"
        (told,) = in_processes(f"{define}one = made({source.format(True, True)!r})", "one", (1, 2, 3))
        one, *others = (made(source.format(*said)) for said in ((True, True), (True, False), (False, True)))
        assert told.strip() == fingerprint(one)
        assert fingerprint(one) not in map(fingerprint, others)
        assert through_a_file(one, tmp_path)(1).is_integer

    def test_hash_seed(self):
        """In what order things are deduced of a function is no content."""
        source = "import sympy\nfrom lean_magic.values import fingerprint\n"
        source += "f = sympy.Function('f', real=True)\nprint(fingerprint(f(sympy.Symbol('x')).diff()))"
        told = {
            subprocess.run(
                [sys.executable, "-c", source],
                env={**os.environ, "PYTHONHASHSEED": str(seed)}, capture_output=True, text=True, check=True,
            ).stdout
            for seed in (1, 2, 3)
        }  # fmt: skip
        assert len(told) == 1


def validated(times, mode="after"):
    """Return a model of pydantic's with a validator and a computed field."""
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        x: int = 1

        @pydantic.field_validator("x", mode=mode)
        @classmethod
        def scaled(cls, x):
            return x * times

        @pydantic.computed_field
        @property
        def more(self) -> int:
            return self.x + times

    return Model


def test_models_with_validators():
    """A model of pydantic's is the same wherever its class lies in memory; its validators count, and when they run."""
    first = fingerprint(validated(1))
    kept = [validated(1), validated(1)]
    assert [fingerprint(model) for model in kept] == [first, first]
    assert len({first, fingerprint(validated(2)), fingerprint(validated(1, "before"))}) == 3


class TestPydantic(AdapterContract):
    """What decorators say of a model counts by content."""

    library = "pydantic"

    def samples(self):
        """Return name → Sample."""

        def decorator(name):
            from pydantic._internal._decorators import Decorator, FieldValidatorDecoratorInfo

            info = FieldValidatorDecoratorInfo((name,), "after", None, None)
            return Decorator(
                cls_ref=f"Model:{id(object())}", cls_var_name=name, func=len, shim=None, info=info
            )

        return {"validator": Sample(lambda: decorator("a"), lambda: decorator("b"), in_place=None)}

    def again(self, value, folder):
        """Return what the notebook defined as a later kernel gets it."""
        with (folder / "payload.joblib").open("wb") as file:
            layout = codec.dump(codec.encode({"value": value}), file)
        return codec.load(folder / "payload.joblib", layout, {}, {"__main__": {}})["value"]

    def test_a_model_comes_back_as_it_was(self, tmp_path):
        """A model with a validator is the same after, so that what uses it need not run."""
        lines = (
            "import pydantic\nclass C(pydantic.BaseModel):\n    x: str\n    @pydantic.field_validator('x')\n"
        )
        model = made(lines + "    @classmethod\n    def strip(cls, v): return v.strip()")
        back = self.again(model, tmp_path)
        assert fingerprint(back) == fingerprint(model)
        assert back(x=" a ").x == "a"

    def test_a_function_whose_calls_are_checked(self, tmp_path):
        """A function under `validate_call` checks after as before, and counts by its code and its options."""
        lines = "import pydantic\n@pydantic.validate_call{}\ndef C(x: int, y: float = 1.5): return x {} y"
        double = made(lines.format("", "*"))
        back = self.again(double, tmp_path)
        assert back("2") == double("2") == 3.0
        with pytest.raises(ValueError, match="1 validation error"):
            back("no")
        told = fingerprint(double)
        assert fingerprint(back) == told != fingerprint(made(lines.format("", "+")))
        assert told != fingerprint(made(lines.format("(validate_return=True)", "*")))


class TestDateutil(AdapterContract):
    """Named zones are one object each."""

    library = "dateutil"

    def samples(self):
        """Return name → Sample."""
        from dateutil import tz

        return {
            "zone": Sample(
                lambda: tz.gettz("Europe/Berlin"), lambda: tz.gettz("Europe/London"), in_place=None
            )
        }

    def test_two_objects_stay_two(self):
        """There are no two of one zone."""
        sample = self.samples()["zone"]
        assert sample.make() is sample.make()

    def test_a_zone_is_the_one_that_the_library_keeps(self, tmp_path):
        """Python subtracts dates of one zone otherwise than of two with the same name."""
        from dateutil import tz

        zone = tz.gettz("Europe/Berlin")
        assert through_a_file(zone, tmp_path) is zone


class TestAsyncio(AdapterContract):
    """Locks, semaphores and queues, without the loop that they have met."""

    library = "asyncio"

    def samples(self):
        """Return name → Sample."""
        import asyncio

        def queue(*items):
            made = asyncio.Queue()
            for item in items:
                made.put_nowait(item)
            return made

        return {
            "semaphore": Sample(lambda: asyncio.Semaphore(2), lambda: asyncio.Semaphore(3)),
            "queue": Sample(lambda: queue(1), lambda: queue(1, 2)),
        }

    def test_one_that_was_waited_for(self, tmp_path):
        """A semaphore that has met a loop is what it is, and can be used in another one."""
        import asyncio

        async def use(semaphore):
            async def one():
                async with semaphore:
                    await asyncio.sleep(0)

            await asyncio.gather(*(one() for _ in range(3)))

        semaphore = asyncio.Semaphore(1)
        fresh = fingerprint(semaphore)
        with ThreadPoolExecutor(1) as elsewhere:  # here a loop may run already
            elsewhere.submit(asyncio.run, use(semaphore)).result()
            assert fingerprint(semaphore) == fresh
            elsewhere.submit(asyncio.run, use(through_a_file(semaphore, tmp_path))).result()


class TestThreading(AdapterContract):
    """What a thread holds for itself."""

    library = "_thread"

    def samples(self):
        """Return name → Sample."""
        import threading

        def local(*items):
            made = threading.local()
            made.items = [*items]
            return made

        return {"local": Sample(lambda: local(1), lambda: local(1, 2))}

    def test_one_that_does_not_tell_what_it_was_made_with(self, tmp_path):
        """It is refused, as other threads would find it otherwise."""
        import threading

        class Local(threading.local):
            def __init__(self, start):
                self.start = start

        with pytest.raises(Unstorable, match="arguments"):
            through_a_file(Local(1), tmp_path)


@contextlib.contextmanager
def marked(log, text):
    """Note that something begins."""
    log.append(text)
    yield


class TestContextlib(AdapterContract):
    """Context managers made of generators that have not begun."""

    library = "contextlib"

    def samples(self):
        """Return name → Sample."""
        return {"manager": Sample(lambda: marked([], "a"), lambda: marked([], "b"), in_place=None)}


class TestTqdm(AdapterContract):
    """Progress bars that are done."""

    library = "tqdm"

    def samples(self):
        """Return name → Sample."""
        from tqdm import tqdm

        def done(count):
            bar = tqdm(range(count), file=io.StringIO())
            for _ in bar:
                pass
            return bar

        return {"bar": Sample(lambda: done(2), lambda: done(3), in_place=None)}

    def test_one_that_runs_is_refused(self):
        """A bar that is still shown belongs to the loop that runs."""
        from tqdm import tqdm

        bar = tqdm(range(2), file=io.StringIO())
        with pytest.raises(Unstorable, match="not done"):
            codec.encode({"bar": bar})
        bar.close()


class TestNumba(AdapterContract):
    """Functions that numba compiles."""

    library = "numba"

    def samples(self):
        """Return name → Sample."""
        from numba import njit

        def typed(kind):
            return njit(kind)(lambda a: a + 1)

        return {
            "function": Sample(lambda: njit(lambda a: a + 1), lambda: njit(lambda a: a + 2), in_place=None),
            "options": Sample(
                lambda: njit(fastmath=True)(lambda a: a), lambda: njit(lambda a: a), in_place=None
            ),
            "compiled": Sample(lambda: typed("f8(f8)"), lambda: typed("f4(f4)"), in_place=None),
        }

    def test_after_a_hit_it_reads_the_globals_there_are(self, shell):
        """A function that comes back from the cache compiles with the globals of the notebook, as any other does."""
        define = "%%cached\n@njit\ndef f(a): return a * K"
        shell.run("from numba import njit\nK = 3")
        assert [shell.run(define).kind for _ in range(2)] == ["miss", "hit"]
        shell.run("K = 5\nr = f(2), f.py_func(2)")
        assert shell.ns["r"] == (10, 10)

    def test_after_a_hit_it_keeps_the_globals_that_a_run_has_compiled_it_with(self, shell):
        """A hit on a cell that called a function leaves it as one that was compiled, also for what it calls itself."""
        notebook = [
            "%%cached\n@njit\ndef g(a): return a * K\n@njit\ndef f(a): return g(a)",
            "%%cached\nr = f(2)",
        ]
        shell.run("from numba import njit\nK = 3")
        assert [shell.run(cell).kind for cell in notebook * 2] == ["miss", "miss", "hit", "hit"]
        shell.run("K = 5\nr = f(2), g(2), f(2.0), g.py_func(2)")
        assert shell.ns["r"] == (6, 6, 10.0, 10)

    def test_after_a_hit_on_the_cell_that_made_it_and_called_it(self, shell):
        """A function that is made and called in one cell keeps the globals, too."""
        cell = "%%cached\n@njit\ndef f(a): return a * K\nf(2)"
        shell.run("from numba import njit\nK = 3")
        assert [shell.run(cell).kind for _ in range(2)] == ["miss", "hit"]
        shell.run("K = 5\nr = f(2), f(2.0)")
        assert shell.ns["r"] == (6, 10.0)

    def test_arrays_that_it_keeps(self, shell):
        """An array counts as it was when numba copied it, however and in which cell it was changed since."""
        define = "A = np.arange(3.)\n@njit\ndef g(i): return A[i]\n@njit\ndef f(i): return g(i)"
        call = "%%cached\nr = f(1)"
        shell.run("from numba import njit\nimport numpy as np")
        shell.run(define)
        shell.run("f(1)")
        shell.run("A[:] = 9")
        assert shell.run(call).kind == "bypass"
        assert shell.ns["r"] == 1
        shell.run(define + "\nA[:] = 9")
        assert shell.run(call).kind == "miss"
        assert shell.ns["r"] == 9

    def test_after_a_hit_it_keeps_arrays(self, shell):
        """A hit on a cell that called a function leaves it with the arrays that a run has compiled it with."""
        notebook = [
            (
                "A = np.arange(3.)\ndef make(C):\n    @njit\n    def f(i): return A[i] + C[i]\n    return f\n"
                "C = np.arange(3.); f = make(C)"
            ),
            "%%cached\nr = f(1)",
            "A[:] = 9; C[:] = 9; r = f(1)",
        ]
        shell.run("from numba import njit\nimport numpy as np")
        for kind in "miss", "hit":
            assert [shell.run(cell).kind for cell in notebook][1] == kind
            assert shell.ns["r"] == 2

    def test_large_arrays_are_read_where_they_lie(self, shell):
        """A large array is not copied, and counts as it is now."""
        shell.run("from numba import njit\nimport numpy as np")
        shell.run("A = np.arange(300_000.)\n@njit\ndef f(i): return A[i]\nf(1)")
        shell.run("A[:] = 9")
        assert shell.run("%%cached\nr = f(1)").kind == "miss"
        assert shell.ns["r"] == 9

    def test_globals_that_it_keeps(self, shell):
        """What is computed with a global's value of before is not stored for that of now."""
        define, call = "K = {}\n@njit\ndef f(a): return a * K", "%%cached\nr = f(2)"
        shell.run("from numba import njit")
        shell.run(define.format(3))
        assert shell.run(call).kind == "miss"
        shell.run("K = 5")
        ran = shell.run(call)
        assert ran.kind == "bypass"
        assert "another `K`" in ran.outcome.line
        shell.run(define.format(5))
        assert shell.run(call).kind == "miss"
        assert shell.ns["r"] == 10


class TestBokeh(AdapterContract):
    """Models of Bokeh, none of which can be stored."""

    library = "bokeh"

    def samples(self):
        """Return name → Sample."""
        return {}

    def test_models_are_refused(self):
        """A model says that its number is its process's own; another process could have given it away."""
        from bokeh.plotting import ColumnDataSource

        model = ColumnDataSource({"x": [1]})
        with pytest.raises(Unstorable, match="number"):
            codec.encode({"model": model})
        with pytest.raises(Unstorable, match="number"):
            content_of(model)


class TestPlotly(AdapterContract):
    """Figures of plotly, and parts of them."""

    library = "plotly"

    def samples(self):
        """Return name → Sample."""
        import numpy
        import plotly.graph_objects as go

        def figure(color="red", **more):
            drawn = go.Figure([go.Scatter(x=numpy.arange(3.0), y=[1, 2, 3], **more), go.Bar(x=["a"], y=[1])])
            return drawn.update_layout(title="t", paper_bgcolor=color)

        return {
            "figure": Sample(figure, lambda: figure("blue"), in_place=None),
            "longer figure": Sample(figure, lambda: figure().add_trace(go.Pie(values=[1, 2])), in_place=None),
            "alone": Sample(lambda: go.Bar(y=[1]), lambda: go.Bar(y=[2])),
            "part": Sample(lambda: figure().data[0], lambda: figure(mode="lines").data[0], in_place=None),
            "axis": Sample(lambda: figure().layout.xaxis, lambda: figure("blue").layout.xaxis, in_place=None),
        }

    def test_hash_seed(self):
        """In what order a figure made its parts is no content, and differs between processes."""
        table = "{'x': [1, 2], 'y': [3, 4], 'c': ['a', 'b']}"
        define = f"import plotly.express as px\nfigure = px.scatter({table}, x='x', y='y', color='c', facet_col='c')"
        assert len(in_processes(define, "figure", (1, 2, 3))) == 1

    def test_parts_stay_parts(self, tmp_path):
        """A part of a figure that has a name of its own is that part after, and arrays are arrays."""
        figure = self.samples()["figure"].make()
        back, part = through_a_file((figure, figure.data[0]), tmp_path)
        part.marker.color = "green"
        assert back.data[0] is part
        assert back.to_dict()["data"][0]["marker"] == {"color": "green"}
        assert part.x.dtype == float


class TestPyarrow(AdapterContract):
    """Arrays, tables and types of pyarrow, to which nobody can write."""

    library = "pyarrow"

    def samples(self):
        """Return name → Sample."""
        import pyarrow as pa

        def table(last=2, **kinds):
            return pa.table({"a": [1, last], "b": ["x", None]}, **kinds)

        makers = {
            "table": table,
            "described": lambda last=2: table(metadata={"unit": str(last)}),
            "batch": lambda last=2: table(last).to_batches()[0],
            "column": lambda last=2: table(last).column(0),
            "array": lambda last=2: pa.array([1, last]),
            "lists": lambda last=2: pa.array([[1], [last, None]]),
            "codes": lambda last=2: pa.array(["x", str(last), "x"]).dictionary_encode(),
            "schema": lambda last=2: table(metadata={"unit": str(last)}).schema,
            "field": lambda last=2: pa.field(f"a{last}", pa.int8()),
            "type": lambda last=2: pa.list_(pa.int8(), last),
        }
        return {
            name: Sample(make, functools.partial(make, 3), in_place=False) for name, make in makers.items()
        }

    def test_a_part_is_what_it_is_alone(self):
        """A slice is what it shows, and content counts the same wherever a table is held."""
        import pyarrow as pa

        assert fingerprint(pa.array([0, 1, 2])[1:]) == fingerprint(pa.array([1, 2]))
        walk, made = Walk(), self.samples()["table"].make()
        walk.fingerprint("held", [made.schema, made.column(0), made])
        assert walk.digest_of(made) == fingerprint(made)


def dataset(*more, looked=False):
    """Return a small table of xarray's, which somebody may have looked at."""
    xarray = pytest.importorskip("xarray")
    made = xarray.Dataset({"a": ("x", [1, 2, *more])}) * 1
    if looked:
        assert (made.attrs, made.encoding, made.a.attrs) == ({}, {}, {})
    return made


class TestXarray(AdapterContract):
    """A table counts by its arrays, coordinates and attributes, whether somebody has looked at it or not."""

    library = "xarray"

    def samples(self):
        """Return name → Sample."""
        return {
            "table": Sample(dataset, lambda: dataset(3)),
            "looked at": Sample(lambda: dataset(looked=True), lambda: dataset(3, looked=True)),
            "attributes": Sample(dataset, lambda: dataset().assign_attrs(unit="m")),
            "array": Sample(lambda: dataset().a, lambda: dataset(3).a),
            "variable": Sample(lambda: dataset().a.variable, lambda: dataset(3).a.variable),
        }

    def test_views(self):
        """What is made when somebody looks is no content, and comparing and storing are no looks."""
        made = dataset()
        assert fingerprint(made) == fingerprint(dataset(looked=True))
        codec.encode({"made": made})
        assert vars(type(made))["_attrs"].__get__(made) is None


class TestHttp(AdapterContract):
    """Clients of services count by how they are set up, not by having been used; none is stored."""

    library = "http"

    def samples(self):
        """Return name → Sample."""
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        def jar(domain):
            return CookieJar(DefaultCookiePolicy(allowed_domains=[domain]))

        return {"cookies": Sample(lambda: jar("a"), lambda: jar("b"), in_place=None)}

    def test_a_client_of_httpx(self):
        """What is set on a client counts and can be put back; its connections do neither."""
        httpx = pytest.importorskip("httpx")

        def answer(request):
            return httpx.Response(200, json={}, headers={"set-cookie": "a=1; Max-Age=0"})

        def client(**options):
            return httpx.Client(transport=httpx.MockTransport(answer), **options)

        used, live = client(base_url="http://a"), client(base_url="http://a")
        used.get("/")
        assert fingerprint(used) == fingerprint(live) != fingerprint(client(base_url="http://b"))
        used.headers["X"] = "1"
        put(live, content_of(used))
        assert fingerprint(live) == fingerprint(used)
        with pytest.raises(Unstorable, match="a client of a service"):
            codec.encode({"names": {"client": used}})
        used.close()
        assert fingerprint(live) != fingerprint(used)
        with pytest.raises(Unstorable, match="set or closed"):
            content_of(used)

    def test_what_it_connects_by(self):
        """Real clients are compared, too, by the settings of what they connect by."""
        httpx = pytest.importorskip("httpx")
        assert (
            fingerprint(httpx.Client())
            == fingerprint(httpx.Client())
            != fingerprint(httpx.Client(verify=False))
        )

    def test_a_client_of_an_sdk(self):
        """What an SDK makes when it is first asked for is no content."""
        openai = pytest.importorskip("openai")
        one, two = openai.OpenAI(api_key="k"), openai.OpenAI(api_key="k")
        assert one.chat.completions is not None
        assert fingerprint(one) == fingerprint(two) != fingerprint(openai.OpenAI(api_key="other"))


class TestPatsy(AdapterContract):
    """Models that were made by a formula come back with it."""

    library = "patsy"

    def samples(self):
        """Return name → Sample."""
        smf = pytest.importorskip("statsmodels.formula.api")
        pandas = pytest.importorskip("pandas")
        table = pandas.DataFrame({"x": [1.0, 2, 4, 5], "y": [2.0, 3, 5, 7]})

        def fitted(formula):
            return smf.ols(formula, table).fit()

        def matrix(formula):
            return pytest.importorskip("patsy").dmatrix(formula, table)

        return {
            "fit": Sample(lambda: fitted("y ~ x"), lambda: fitted("y ~ x - 1"), in_place=None),
            "matrix": Sample(lambda: matrix("x + y"), lambda: matrix("x + I(y ** 2)")),
        }

    def test_a_matrix_knows_its_columns(self, tmp_path):
        """A matrix that comes back is one of patsy's, and makes others of other data."""
        back = through_a_file(self.samples()["matrix"].make(), tmp_path)
        assert back.design_info.column_names == ["Intercept", "x", "y"]
        other = sys.modules["patsy"].build_design_matrices([back.design_info], {"x": [3.0], "y": [4.0]})
        assert other[0].tolist() == [[1.0, 3.0, 4.0]]

    def test_it_predicts(self, tmp_path):
        """A fit that comes back predicts by its formula, and the one that was stored is as it was."""
        fit = self.samples()["fit"].make()
        back = through_a_file(fit, tmp_path)
        new = {"x": [3.0]}
        assert back.predict(new).tolist() == fit.predict(new).tolist()


class TestLmfit(AdapterContract):
    """Parameters of a fit are the same in whatever order their symbols are listed."""

    library = "lmfit"

    def samples(self):
        """Return name → Sample."""
        lmfit = pytest.importorskip("lmfit")

        def made(value):
            parameters = lmfit.Parameters()
            parameters.add("a", value=value, min=0)
            parameters.add("b", expr="2 * a")
            return parameters

        return {"parameters": Sample(lambda: made(1.0), lambda: made(2.0), in_place=None)}

    def test_the_order_of_symbols(self, monkeypatch):
        """The order in which a process lists what formulas may name is no content."""
        parameters = self.samples()["parameters"].make()
        was, order = fingerprint(parameters), sorted(parameters._asteval.user_defined_symbols())
        for listed in (order, order[::-1]):
            monkeypatch.setattr(parameters._asteval, "user_defined_symbols", lambda listed=listed: listed)
            assert fingerprint(parameters) == was


class TestSqlite(AdapterContract):
    """Databases come back as they were; what a connection does not tell refuses it."""

    library = "sqlite3"

    def database(self, *numbers):
        """Return a database in memory."""
        import sqlite3

        made = sqlite3.connect(":memory:", check_same_thread=False)
        made.execute("CREATE TABLE t (number INTEGER)")
        made.executemany("INSERT INTO t VALUES (?)", [(number,) for number in numbers])
        made.commit()
        made.execute("PRAGMA foreign_keys = 1")
        return made

    def samples(self):
        """Return name → Sample."""
        import sqlite3

        def read(name):
            cursor = self.database().cursor()
            cursor.execute(f"SELECT 1 AS {name}")
            cursor.fetchall()
            return cursor

        def row(number):
            database = self.database(number)
            database.row_factory = sqlite3.Row
            return database.execute("SELECT * FROM t").fetchone()

        return {
            "in memory": Sample(lambda: self.database(1, 2), lambda: self.database(1, 3)),
            "cursor": Sample(lambda: read("a"), lambda: read("b")),
            "row": Sample(lambda: row(1), lambda: row(2), in_place=None),
        }

    def test_what_it_counts_comes_back(self, tmp_path):
        """A database in memory has counted as many changes, and is used as before."""
        database = self.database(7, 8)
        back = through_a_file(database, tmp_path)
        for one in (database, back):
            one.execute("INSERT INTO t VALUES (9)")
            told = one.execute("SELECT count(*), total_changes(), last_insert_rowid() FROM t").fetchone()
            assert (told, one.in_transaction) == ((3, 3, 3), True)

    def test_a_file_must_be_as_it_was(self, tmp_path):
        """A database in a file is opened again where the file is as it was, else the cell runs."""
        import sqlite3

        path = tmp_path / "a.db"
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE t (number)")
            told = fingerprint(database)
            assert fingerprint(through_a_file(database, tmp_path)) == told
            graph = codec.encode({"value": database})
            with contextlib.closing(sqlite3.connect(path)) as other, other:
                other.execute("INSERT INTO t VALUES (1)")
            assert fingerprint(database) != told
            with (tmp_path / "late").open("wb") as file:
                layout = codec.dump(graph, file)
            with pytest.raises(LayoutChanged, match="is another now"):
                codec.load(tmp_path / "late", layout, {}, {})

    @pytest.mark.parametrize("do", [
        lambda one: one.create_function("twice", 1, lambda v: v),
        lambda one: one.create_collation("own", lambda a, b: 0),
        lambda one: one.set_trace_callback(print),
        lambda one: one.execute("INSERT INTO t VALUES (1)"),
        lambda one: one.execute("ATTACH ':memory:' AS more"),
        lambda one: one.execute("CREATE TEMPORARY TABLE u (number)"),
    ], ids=["function", "collation", "callback", "transaction", "attached", "temporary"])  # fmt: skip
    def test_what_nobody_tells_is_refused(self, do):
        """A database with a function of the user's, a callback, an open transaction or others beside it is refused."""
        database = self.database()
        do(database)
        with pytest.raises(Unfingerprintable, match="is an open database"):
            fingerprint(database)
        with pytest.raises(Unstorable, match="is an open database"):
            codec.encode({"value": database})


class TestH5py(AdapterContract):
    """Files that are open to be read, and what lies in them, come back as looking into one file."""

    library = "h5py"

    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        h5py = pytest.importorskip("h5py")
        for name in ("a.h5", "b.h5"):
            with h5py.File(name, "w") as file:
                file.create_group("g")["x"] = [1.0, 2.0]

    def samples(self):
        """Return name → Sample."""
        h5py = pytest.importorskip("h5py")
        return {
            "file": Sample(lambda: h5py.File("a.h5"), lambda: h5py.File("b.h5"), in_place=None),
            "dataset": Sample(
                lambda: h5py.File("a.h5")["g/x"], lambda: h5py.File("b.h5")["g/x"], in_place=None
            ),
        }

    def test_closing_the_file_closes_what_is_in_it(self, tmp_path):
        """A file and a dataset of it are of one file after, too; closed ones come back as closed."""
        h5py = pytest.importorskip("h5py")
        file = h5py.File("a.h5")
        back, inner = through_a_file((file, file["g/x"]), tmp_path)
        assert (inner[:].tolist(), inner.name, inner.file == back) == ([1.0, 2.0], "/g/x", True)
        back.close()
        assert not inner
        assert type(through_a_file(inner, tmp_path)) is h5py.Dataset
        with h5py.File("b.h5", "a") as file, pytest.raises(Unstorable, match="is an open file"):
            through_a_file(file, tmp_path)


class TestSqlalchemy(AdapterContract):
    """An engine of a file of SQLite's is what the file holds, however many connections wait."""

    library = "sqlalchemy"

    @pytest.fixture(autouse=True)
    def _in_a_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    def samples(self):
        """Return name → Sample."""

        def used(path):
            engine = pytest.importorskip("sqlalchemy").create_engine(f"sqlite:///{path}")
            engine.connect().close()
            return engine

        return {"engine": Sample(lambda: used("a.db"), lambda: used("b.db"), in_place=False)}

    def test_one_in_memory_is_refused(self):
        """Nobody can tell what a database in memory holds that an engine has connected to."""
        sqlalchemy = pytest.importorskip("sqlalchemy")
        with pytest.raises(Unfingerprintable, match="in memory"):
            fingerprint(sqlalchemy.create_engine("sqlite://"))


class TestLightgbm(AdapterContract):
    """A Dataset that no training has made bins of is what it was given; one with bins is refused."""

    library = "lightgbm"

    def samples(self):
        """Return name → Sample."""
        lightgbm = pytest.importorskip("lightgbm")

        def made(number):
            rows = pytest.importorskip("numpy").full((4, 2), number)
            return lightgbm.Dataset(rows, label=[0, 1, 0, 1])

        return {"dataset": Sample(lambda: made(1.0), lambda: made(2.0))}

    def test_bins_are_refused(self):
        """Nobody can tell what a Dataset with bins was made of."""
        trained = self.samples()["dataset"].make().construct()
        with pytest.raises(Unfingerprintable, match="was trained with"):
            fingerprint(trained)
        with pytest.raises(Unstorable, match="was trained with"):
            codec.encode({"value": trained})


class TestXgboost(AdapterContract):
    """Matrices to train with come back with what is told of their rows; bins alone are refused."""

    library = "xgboost"

    def samples(self):
        """Return name → Sample."""
        xgboost = pytest.importorskip("xgboost")

        def made(*label):
            rows = pytest.importorskip("numpy").array([[0.0, 1.0], [2.0, float("nan")]])
            return xgboost.DMatrix(rows, label=label, weight=[1, 2])

        return {"matrix": Sample(lambda: made(0, 1), lambda: made(1, 0))}

    def test_bins_alone_are_refused(self):
        """Nobody can tell what a matrix of bins was made of."""
        xgboost = pytest.importorskip("xgboost")
        rows = pytest.importorskip("numpy").ones((2, 2))
        with pytest.raises(Unfingerprintable, match="bins alone"):
            fingerprint(xgboost.QuantileDMatrix(rows, label=[0, 1]))


@pytest.mark.parametrize("library", KNOWN)
def test_every_adapter_is_under_contract(library):
    """No adapter is left out of this file."""
    assert KNOWN[library] in {KNOWN[contract.library] for contract in AdapterContract.__subclasses__()}
