"""Fingerprints of torch's objects."""

import itertools
import warnings

import pytest
import torch
from notebook_code import made

from lean_magic.errors import Unfingerprintable
from lean_magic.values import Walk, fingerprint
from lean_magic.values import tree as tree_module
from lean_magic.values.adapters import torch_modules

DTYPES = [
    torch.bool, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
    torch.float32, torch.float64, torch.complex32, torch.complex64, torch.complex128, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
]  # fmt: skip
BASE = torch.arange(24.0).reshape(4, 6)


def tensor(dtype, *values):
    """Return a tensor of a dtype."""
    return torch.tensor(values, dtype=torch.float64).to(dtype)


def with_hook(factor):
    """Return a tensor whose gradient a hook changes."""
    leaf = torch.zeros(2, requires_grad=True)
    leaf.register_hook(made(f"def C(gradient): return gradient * {factor}"))
    return leaf


def with_gradient(value):
    """Return a leaf with a gradient."""
    leaf = torch.zeros(2, requires_grad=True)
    leaf.grad = torch.full((2,), value)
    return leaf


def with_attribute(**attributes):
    """Return a tensor that somebody has set attributes on."""
    plain = torch.zeros(2)
    for name, value in attributes.items():
        setattr(plain, name, value)
    return plain


def test_every_dtype():
    """The same numbers in two dtypes have two fingerprints, and a copy has that of its original."""
    tensors = [tensor(dtype, 0, 1) for dtype in DTYPES]
    digests = [fingerprint(one) for one in tensors]
    assert len(set(digests)) == len(digests)
    assert digests == [fingerprint(one.clone()) for one in tensors]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_element_counts(dtype):
    """Changing one element changes the fingerprint, whatever the dtype."""
    digests = {
        fingerprint(tensor(dtype, *values)) for values in ((0, 1), (1, 0), (1, 1), (0, 0), (0,), (0, 0, 0))
    }
    assert len(digests) == 6


def test_layout_is_no_content():
    """Strides, memory format, being a view and lazy conjugation play no part."""
    wide = torch.zeros(8, 12)
    wide[::2, ::2] = BASE
    same = [
        BASE.clone(),
        wide[::2, ::2],
        BASE.t().contiguous().t(),
        BASE[:],
        BASE.flip(0).flip(0),
        BASE.detach(),
    ]
    assert {fingerprint(one) for one in same} == {fingerprint(BASE)}
    number = torch.tensor([1 + 2j])
    assert fingerprint(number.conj()) == fingerprint(number.conj().resolve_conj()) != fingerprint(number)
    assert fingerprint(number.conj().imag) == fingerprint(-number.imag)
    image = torch.arange(16.0).reshape(1, 2, 2, 4)
    assert fingerprint(image.to(memory_format=torch.channels_last)) == fingerprint(image)


@pytest.mark.parametrize(
    "tensors",
    [
        [BASE, BASE.t(), BASE.reshape(6, 4), BASE.ravel(), BASE[None], BASE.flip(0), BASE.numpy(), BASE.tolist()],
        [torch.tensor(1.0), torch.tensor([1.0]), torch.tensor(1), torch.tensor(True), torch.tensor(1.0).item()],
        [torch.zeros(0), torch.zeros(0, 2), torch.zeros(2, 0), torch.zeros(0, dtype=torch.int64)],
        [torch.tensor([0.0]), torch.tensor([-0.0]), torch.tensor([float("nan")]), torch.tensor([-float("nan")]), torch.tensor([float("inf")])],
        [torch.zeros(2), torch.zeros(2, requires_grad=True), torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2), requires_grad=False),
         torch.nn.Buffer(torch.zeros(2)), with_gradient(1.0), with_gradient(2.0)],
        [with_attribute(), with_attribute(unit="m"), with_attribute(unit="cm")],
        [torch.zeros(2, requires_grad=True), with_hook(2), with_hook(3)],
        [torch.zeros(2, device="meta"), torch.zeros(3, device="meta"), torch.zeros(2)],
        [torch.Size([1, 2]), torch.Size([2, 1]), (1, 2), [1, 2]],
        [torch.float32, torch.float64, torch.device("cpu"), torch.device("meta"), torch.strided, torch.contiguous_format, torch.channels_last, "torch.float32"],
        [torch.zeros(4, dtype=torch.uint8).untyped_storage(), torch.ones(4, dtype=torch.uint8).untyped_storage(), torch.zeros(3, dtype=torch.uint8).untyped_storage()],
        [torch.Generator().manual_seed(1), torch.Generator().manual_seed(2), torch.Generator()],
        [torch.nn.functional.relu, torch.relu, torch.nn.ReLU, torch.nn.ReLU(), torch.nn.ReLU(inplace=True), torch.nn.functional.gelu],
    ],
    ids=lambda tensors: str(tensors[0])[:20].replace("\n", " "),
)  # fmt: skip
def test_different_values_differ(tensors):
    """Shape, dtype, gradient, hooks, attributes and every bit of a float are content."""
    told = [(one, fingerprint(one)) for one in tensors]
    assert not [
        (one, other) for (one, first), (other, second) in itertools.combinations(told, 2) if first == second
    ]


@pytest.mark.parametrize(
    "layout", ["to_sparse", "to_sparse_csr", "to_sparse_csc", "to_sparse_bsr", "to_sparse_bsc", "to_mkldnn"]
)
def test_sparse(layout):
    """Sparse tensors count by layout, shape and elements."""
    size = ((2, 2),) if layout.endswith(("bsr", "bsc")) else ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, same, other = (
            getattr(base, layout)(*size) for base in (torch.eye(4), torch.eye(4), torch.eye(4) * 2)
        )
    assert fingerprint(one) == fingerprint(same)
    assert len({fingerprint(one), fingerprint(other), fingerprint(torch.eye(4))}) == 3


def test_sparse_parameters():
    """A sparse leaf that wants a gradient is compared like any other."""
    assert fingerprint(torch.eye(3).to_sparse().requires_grad_()) != fingerprint(torch.eye(3).to_sparse())


def test_quantized():
    """A quantised tensor counts by scale and zero point, too."""
    base = torch.tensor([1.0, 2.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = [
            torch.quantize_per_tensor(base, 1.0, 0, torch.qint8),
            torch.quantize_per_tensor(base * 2, 2.0, 0, torch.qint8),
            torch.quantize_per_tensor(base - 1, 1.0, 1, torch.qint8),
            torch.quantize_per_channel(base, torch.ones(2), torch.zeros(2), 0, torch.qint8),
            torch.quantize_per_channel(base * 2, torch.ones(2) * 2, torch.zeros(2), 0, torch.qint8),
        ]
    assert len({fingerprint(one) for one in tensors}) == len(tensors)


def test_nested():
    """A nested tensor is compared by its pieces, or refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, other = (
            torch.nested.nested_tensor([torch.zeros(2), torch.full((3,), value)]) for value in (1.0, 2.0)
        )
    try:
        assert fingerprint(one) != fingerprint(other)
    except Unfingerprintable:
        pass


def test_a_tensor_with_a_history():
    """A tensor that carries a working autograd graph is refused, with a remedy; a spent one is what it holds."""
    with pytest.raises(Unfingerprintable, match="detach"):
        fingerprint(torch.zeros(2, requires_grad=True) * 2)
    one, two, other = ((torch.ones(2, requires_grad=True) * factor).pow(2).sum() for factor in (1, 1, 2))
    for loss in (one, two, other):
        loss.backward()
    assert fingerprint(one) == fingerprint(two) != fingerprint(other)
    assert fingerprint(one) != fingerprint(one.detach())
    with pytest.raises(Unfingerprintable, match="detach"):
        fingerprint(one + torch.ones(2, requires_grad=True).sum())


def test_a_gradient_that_only_some_ways_lack():
    """A loss is spent if every gradient lacks a buffer on some way, and not if one can still be asked for."""
    one, two = (torch.ones(2, requires_grad=True) for _ in range(2))
    squared = one.pow(2).sum()
    squared.backward()
    assert fingerprint(squared - one.sum()) != fingerprint(squared - 2 * one.sum())
    with pytest.raises(Unfingerprintable, match="detach"):
        fingerprint(squared - one.sum() - two.sum())
    with pytest.raises(Unfingerprintable, match="detach"):
        fingerprint(one + two)
    assert fingerprint(squared + one + two) != fingerprint(squared + one - two)


def test_subclasses_of_the_user():
    """A tensor of a class of the user's counts by that class."""
    source = "class C(torch.Tensor):\n    def f(self): return {}"
    one, other = (torch.zeros(2).as_subclass(made(source.format(value), torch=torch)) for value in (1, 2))
    assert fingerprint(one) != fingerprint(other)


NET = """
class C(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        self.register_buffer("kept", torch.zeros(2))
        self.register_buffer("fleeting", torch.zeros(2), persistent=False)
        self.size = 5
    def forward(self, x, flag=False): return self.two(self.one(x))
"""


def net(source=NET):
    """Return a small network."""
    return made(source, torch=torch)()


def hook(*_, **__):
    """Do nothing."""


def other_hook(*_, **__):
    """Do nothing, differently."""
    return


CHANGES = {
    "weight": lambda net: net.one.weight.data.add_(1e-6),
    "bias": lambda net: net.two.bias.data.zero_(),
    "buffer": lambda net: net.kept.add_(1),
    "fleeting buffer": lambda net: net.fleeting.add_(1),
    "eval": lambda net: net.eval(),
    "eval inside": lambda net: net.one.eval(),
    "dtype": lambda net: net.double(),
    "attribute": lambda net: setattr(net, "size", 6),
    "new attribute": lambda net: setattr(net, "other", 6),
    "frozen": lambda net: net.one.requires_grad_(False),
    "gradient": lambda net: net(torch.ones(2)).sum().backward(),
    "shared": lambda net: setattr(net, "two", net.one),
    "shared weight": lambda net: setattr(net.two, "weight", net.one.weight),
    "more": lambda net: net.add_module("three", torch.nn.ReLU()),
    "no bias": lambda net: setattr(net.one, "bias", None),
    "forward hook": lambda net: net.register_forward_hook(hook),
    "other forward hook": lambda net: net.register_forward_hook(other_hook),
    "pre-hook": lambda net: net.register_forward_pre_hook(hook),
    "hook inside": lambda net: net.one.register_forward_hook(hook),
    "backward hook": lambda net: net.register_full_backward_hook(hook),
    "hook with options": lambda net: net.register_forward_hook(hook, with_kwargs=True),
    "hook always": lambda net: net.register_forward_hook(hook, always_call=True),
    "two hooks": lambda net: (net.register_forward_hook(hook), net.register_forward_hook(other_hook)),
    "two hooks the other way": lambda net: (
        net.register_forward_hook(other_hook),
        net.register_forward_hook(hook),
    ),
    "first with options": lambda net: (
        net.register_forward_hook(hook, with_kwargs=True),
        net.register_forward_hook(hook),
    ),
    "second with options": lambda net: (
        net.register_forward_hook(hook),
        net.register_forward_hook(hook, with_kwargs=True),
    ),
    "own forward": lambda net: setattr(net, "forward", hook),
    "swapped": lambda net: net._modules.update(one=net.two, two=net.one),
    "spectral": lambda net: torch.nn.utils.parametrizations.spectral_norm(net.one),
    "weight norm": lambda net: torch.nn.utils.parametrizations.weight_norm(net.one),
    "pruned": lambda net: torch.nn.utils.parametrize.register_parametrization(
        net.one, "weight", torch.nn.Identity()
    ),
    "tensor hook": lambda net: net.one.weight.register_hook(hook),
    "gradient hook": lambda net: net.one.weight.register_post_accumulate_grad_hook(hook),
}


def test_every_change_of_a_module():
    """Weights, buffers, mode, dtype, configuration, sharing and hooks of a module are content."""
    digests = {"": fingerprint(net())}
    for name, change in CHANGES.items():
        changed = net()
        change(changed)
        digests[name] = fingerprint(changed)
    pairs = itertools.combinations(digests.items(), 2)
    assert not [(one, other) for (one, first), (other, second) in pairs if first == second]


def test_modules_count_by_their_code():
    """A module of an edited class is another module."""
    assert fingerprint(net()) == fingerprint(net())
    assert fingerprint(net()) != fingerprint(
        net(NET.replace("self.two(self.one(x))", "self.one(self.two(x))"))
    )


def test_using_a_module_is_no_change():
    """A module that has been called is what it was."""
    used = net()
    before = fingerprint(used)
    with torch.no_grad():
        used(torch.ones(2))
    used.state_dict(), repr(used), list(used.parameters())
    assert fingerprint(used) == before


def test_hooks_come_and_go():
    """A hook that is removed leaves no trace, and the number it had plays no part."""
    plain, hooked = net(), net()
    hooked.register_forward_hook(hook).remove()
    assert fingerprint(plain) == fingerprint(hooked)
    for one in (plain, hooked, net()):
        one.register_forward_hook(hook)
    assert fingerprint(plain) == fingerprint(hooked)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nn.BatchNorm1d(2), lambda: torch.nn.LSTM(2, 2), lambda: torch.nn.Embedding(3, 2), lambda: torch.nn.Dropout(0.1),
        lambda: torch.nn.TransformerEncoderLayer(4, 2), lambda: torch.nn.ModuleDict({"a": torch.nn.ReLU()}), lambda: torch.nn.ModuleList([torch.nn.ReLU()]),
        lambda: torch.nn.ParameterList([torch.zeros(1)]), lambda: torch.nn.MultiheadAttention(4, 2), lambda: torch.nn.LazyLinear(2), lambda: torch.nn.CrossEntropyLoss(),
        lambda: torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()), lambda: torch.nn.Bilinear(2, 2, 2), lambda: torch.distributions.Normal(0.0, 1.0),
        lambda: torch.utils.data.TensorDataset(torch.arange(3)), lambda: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(3)), 2),
    ],
)  # fmt: skip
def test_made_alike(make):
    """The same layer made twice from the same seed is the same."""

    def seeded():
        torch.manual_seed(0)
        return make()

    assert fingerprint(seeded()) == fingerprint(seeded())


OPTIMIZERS = {
    "sgd": lambda ps: torch.optim.SGD(ps, 0.1),
    "sgd slower": lambda ps: torch.optim.SGD(ps, 0.01),
    "momentum": lambda ps: torch.optim.SGD(ps, 0.1, momentum=0.9),
    "adam": lambda ps: torch.optim.Adam(ps, 0.1),
    "adamw": lambda ps: torch.optim.AdamW(ps, 0.1),
    "groups": lambda ps: torch.optim.SGD([{"params": ps[:1], "lr": 0.5}, {"params": ps[1:]}], 0.1),
    "hooked": lambda ps: _hooked(torch.optim.SGD(ps, 0.1), "register_step_pre_hook"),
    "hooked after": lambda ps: _hooked(torch.optim.SGD(ps, 0.1), "register_step_post_hook"),
}


def _hooked(optimizer, method):
    getattr(optimizer, method)(hook)
    return optimizer


def trained(make, steps):
    """Return an optimiser and its parameters after some steps."""
    parameters = [torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))]
    optimizer = make(parameters)
    for _ in range(steps):
        sum((one**2).sum() for one in parameters).backward()
        optimizer.step()
    return optimizer


def test_optimizers():
    """An optimiser counts by its kind, its settings, its hooks and its state."""
    digests = [fingerprint(trained(make, steps)) for make in OPTIMIZERS.values() for steps in (0, 1, 2)]
    assert len(set(digests)) == len(digests)
    assert digests == [
        fingerprint(trained(make, steps)) for make in OPTIMIZERS.values() for steps in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda o: torch.optim.lr_scheduler.StepLR(o, 2), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 5), lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, 9),
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    ],
)  # fmt: skip
def test_schedulers(make):
    """A scheduler counts by its kind and by how far it is."""

    def after(steps):
        optimizer = trained(OPTIMIZERS["momentum"], 1)
        scheduler = make(optimizer)
        for _ in range(steps):
            optimizer.step()
            scheduler.step()
        return fingerprint(scheduler)

    assert after(1) == after(1)
    assert len({after(0), after(1), after(2)}) == 3


def test_schedules_of_the_user():
    """The function that a schedule is made of is content."""

    def scheduled(text):
        optimizer = trained(OPTIMIZERS["sgd"], 1)
        return fingerprint(torch.optim.lr_scheduler.LambdaLR(optimizer, made(f"C = lambda epoch: {text}")))

    assert scheduled("0.9 ** epoch") != scheduled("0.8 ** epoch")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_device_is_no_content():
    """A tensor, a module and an optimiser have one fingerprint wherever they live."""
    assert fingerprint(BASE) == fingerprint(BASE.cuda())
    assert fingerprint(net()) == fingerprint(net().cuda())


def test_a_view_is_as_good_as_a_copy():
    """A view and a copy of the same content have one fingerprint; who shares memory is observed besides."""
    base, other = torch.zeros(3), torch.zeros(3)
    assert fingerprint([base, base[:2]]) == fingerprint([other, other[:2].clone()])


def test_a_compiled_model():
    """A model that `torch.compile` stands before counts by its weights and its options, not by having been used."""

    def compiled(**options):
        torch.manual_seed(0)
        return torch.compile(torch.nn.Linear(2, 1), **{"backend": "eager", **options})

    used, other = compiled(), compiled()
    with torch.no_grad():
        used(torch.ones(2))
    assert fingerprint(used) == fingerprint(other)
    assert fingerprint(used) != fingerprint(compiled(fullgraph=True))
    assert fingerprint(used) != fingerprint(compiled(backend="aot_eager"))
    with torch.no_grad():
        other._orig_mod.weight.add_(1)
    assert fingerprint(used) != fingerprint(other)


def a_network():
    """Layers whose tensors are plain, tied, expanded, complex, transposed, of no elements, and None."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(300, 300), torch.nn.Bilinear(2, 2, 2, bias=False), torch.nn.LSTM(3, 3)
    )
    net.tied = torch.nn.Linear(300, 300)
    net.tied.weight = net[0].weight
    net.again = net[0]
    for name, value in {
        "expanded": torch.ones(3).expand(2, 3),
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "conjugate": torch.ones(3, dtype=torch.complex64).conj(),
        "wide": torch.ones(3, dtype=torch.complex128),
        "none": None,
        "empty": torch.empty(0),
        "short": torch.ones(5, dtype=torch.bfloat16),
    }.items():
        net.register_buffer(name, value)
    return net


def test_tensors_that_are_digested_together(monkeypatch):
    """A module's digest is the same whether its tensors are digested ahead, by threads that share them, or one by one."""
    whole = fingerprint(a_network())
    monkeypatch.setattr(tree_module, "_THREADED", 1)
    monkeypatch.setattr(tree_module, "_cores", lambda: 3)
    assert fingerprint(a_network()) == whole
    monkeypatch.setattr(torch_modules, "digests_of", lambda _: {})
    assert fingerprint(a_network()) == whole


def test_nothing_that_was_digested_ahead_stays():
    """What a module holds and no digest asked for is forgotten, since it may change."""
    walk, net = Walk(), a_network()
    walk.fingerprint("net", net)
    torch_modules.module_content(walk, a_network(), frozenset({"_parameters"}))
    assert not walk.ahead
