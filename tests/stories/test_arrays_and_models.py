"""Arrays, tables, tensors and models count by content, however they were made, laid out or used."""

import pytest

SAME = {
    "strided": ("a = np.arange(6)", "a = np.arange(12)[::2] // 2", "x = a.sum()"),
    "column order": ("a = np.ones((2, 3))", "a = np.ones((2, 3), order='F')", "x = a.sum()"),
    "view or copy": ("a = np.arange(5)", "a = np.arange(9)[:5]", "x = a.sum()"),
    "transposed twice": ("a = np.arange(6).reshape(2, 3)", "a = np.arange(6).reshape(2, 3).T.copy().T", "x = a.sum()"),
    "NaN": ("a = np.array([np.nan])", "a = np.array([float('nan')])", "x = len(a)"),
    "padding of a structure": (
        "a = np.zeros(2, dtype=np.dtype([('a', 'i1'), ('b', 'i8')], align=True))",
        "a = np.ones(32, 'i1')[:32].view(np.dtype([('a', 'i1'), ('b', 'i8')], align=True))\na['a'] = 0\na['b'] = 0",
        "x = int(a['b'].sum())",
    ),
    "objects": ("a = np.array(['a', None], dtype=object)", "a = np.array(['b', None], dtype=object)\na[0] = ''.join('a')", "x = len(a)"),
    "blocks of a table": ("d = pd.DataFrame({'a': [1, 2], 'b': [3, 4]})", "d = pd.DataFrame({'a': [1, 2]})\nd['b'] = [3, 4]", "x = d.sum().sum()"),
    "part of a table": ("d = pd.DataFrame({'a': [1, 2]})", "d = pd.DataFrame({'a': [1, 2, 3]})[:2]", "x = d['a'].sum()"),
    "table used": ("d = pd.DataFrame({'a': [1, 2]})", "d = pd.DataFrame({'a': [1, 2]})\nd['a'].sum(); d.index.is_unique; d.loc[1]; repr(d);", "x = d['a'].sum()"),
    "index looked up": ("i = pd.Index(['b', 'a'])", "i = pd.Index(['b', 'a'])\ni.get_loc('a'); i.is_monotonic_increasing;", "x = len(i)"),
    "tensor strides": ("t = torch.arange(6).reshape(2, 3)", "t = torch.arange(6).reshape(2, 3).T.contiguous().T", "x = t.sum()"),
    "tensor storage": ("t = torch.ones(3)", "t = torch.ones(9)[2:5]", "x = t.sum()"),
    "tensor version": ("t = torch.zeros(3)", "t = torch.ones(3)\nt -= 1", "x = t.sum()"),
    "tensor from numpy": ("t = torch.arange(3)", "t = torch.from_numpy(np.arange(3))", "x = t.sum()"),
    "state dict": ("s = torch.nn.Linear(2, 2).state_dict()\ns = {k: torch.zeros_like(v) for k, v in s.items()}",
                   "s = {'weight': torch.zeros(2, 2), 'bias': torch.zeros(2)}", "x = len(s)"),
}  # fmt: skip
OTHER = {
    "content": ("a = np.arange(3)", "a = np.arange(3) + 1", "x = a.sum()"),
    "dtype": ("a = np.arange(3)", "a = np.arange(3.0)", "x = a.sum()"),
    "byte order": ("a = np.arange(3, dtype='<i4')", "a = np.arange(3, dtype='<i4').astype('>i4')", "x = str(a.dtype)"),
    "shape": ("a = np.arange(6)", "a = np.arange(6).reshape(2, 3)", "x = a.shape"),
    "shape of nothing": ("a = np.zeros((0, 3))", "a = np.zeros((3, 0))", "x = a.shape"),
    "sign of zero": ("a = np.array([0.0])", "a = np.array([-0.0])", "x = np.signbit(a)"),
    "scalar and array": ("a = np.float64(1)", "a = np.array(1.0)", "x = type(a).__name__"),
    "numpy scalar and float": ("a = np.float64(1)", "a = 1.0", "x = type(a).__name__"),
    "mask": ("a = np.ma.array([1, 2], mask=[0, 0])", "a = np.ma.array([1, 2], mask=[0, 1])", "x = a.sum()"),
    "one element in the middle of many": ("a = np.zeros(300000)", "a = np.zeros(300000)\na[150001] = 1", "x = a.sum()"),
    "writability": ("a = np.zeros(3)", "a = np.zeros(3)\na.flags.writeable = False", "x = a.flags.writeable"),
    "subclass": ("a = np.zeros((2, 2))", "a = np.asmatrix(np.zeros((2, 2)))", "x = type(a).__name__"),
    "unicode width": ("a = np.array(['a'], 'U1')", "a = np.array(['a'], 'U2')", "x = str(a.dtype)"),
    "cell of a table": ("d = pd.DataFrame({'a': [1, 2]})", "d = pd.DataFrame({'a': [1, 3]})", "x = d['a'].sum()"),
    "name of a column": ("d = pd.DataFrame({'a': [1]})", "d = pd.DataFrame({'b': [1]})", "x = list(d)"),
    "order of columns": ("d = pd.DataFrame({'a': [1], 'b': [1]})", "d = pd.DataFrame({'b': [1], 'a': [1]})", "x = list(d)"),
    "index of a table": ("d = pd.DataFrame({'a': [1]})", "d = pd.DataFrame({'a': [1]}, index=[1])", "x = list(d.index)"),
    "name of an index": ("d = pd.Series([1])", "d = pd.Series([1])\nd.index.name = 'n'", "x = d.index.name"),
    "name of a series": ("d = pd.Series([1])", "d = pd.Series([1], name='n')", "x = d.name"),
    "dtype of a column": ("d = pd.DataFrame({'a': [1]})", "d = pd.DataFrame({'a': pd.array([1])})", "x = str(d.dtypes['a'])"),
    "categories": ("d = pd.Categorical(['a'], ['a'])", "d = pd.Categorical(['a'], ['a', 'b'])", "x = list(d.categories)"),
    "missing value": ("d = pd.Series([None, 'a'], dtype=object)", "d = pd.Series([float('nan'), 'a'], dtype=object)", "x = d[0] is None"),
    "attributes of a table": ("d = pd.DataFrame({'a': [1]})", "d = pd.DataFrame({'a': [1]})\nd.attrs['k'] = 1", "x = d.attrs"),
    "time zone of a column": ("d = pd.Series(pd.to_datetime(['2020-01-01']))", "d = pd.Series(pd.to_datetime(['2020-01-01'])).dt.tz_localize('UTC')", "x = str(d.dtype)"),
    "frequency": ("d = pd.date_range('2020-01-01', periods=1, freq='D')", "d = pd.date_range('2020-01-01', periods=1, freq='W-WED')", "x = d.freqstr"),
    "content of a tensor": ("t = torch.zeros(3)", "t = torch.ones(3)", "x = t.sum()"),
    "dtype of a tensor": ("t = torch.zeros(3)", "t = torch.zeros(3).half()", "x = str(t.dtype)"),
    "requires_grad": ("t = torch.zeros(3)", "t = torch.zeros(3, requires_grad=True)", "x = t.requires_grad"),
    "gradient": ("t = torch.zeros(1, requires_grad=True)", "t = torch.zeros(1, requires_grad=True)\n(t * 2).backward()", "x = t.grad is None"),
    "tensor and parameter": ("t = torch.zeros(3, requires_grad=True)", "t = torch.nn.Parameter(torch.zeros(3))", "x = type(t).__name__"),
    "conjugate": ("t = torch.tensor([1 + 1j])", "t = torch.tensor([1 + 1j]).conj()", "x = t.imag.item()"),
    "one memory or two": ("a = torch.zeros(3)\nb = a", "a = torch.zeros(3)\nb = torch.zeros(3)", "c = a.clone()\nx = a is b"),
    "view of one array or a copy": ("a = np.zeros(3)\nb = a[:2]", "a = np.zeros(3)\nb = a[:2].copy()", "x = np.shares_memory(a, b)"),
}  # fmt: skip
MODEL = "torch.manual_seed(0)\nm = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(3)).eval()\ninput = torch.ones(2, 4)\n"
USED = {
    "called": ("", "m(input); m(input * 2);"),
    "called under no_grad": ("", "with torch.no_grad():\n    m(input)"),
    "made again": ("", MODEL),
    "loaded from a file": ("", "torch.save(m.state_dict(), 'w.pt')\nm.load_state_dict(torch.load('w.pt'));"),
    "loaded whole from a file": ("", "torch.save(m, 'm.pt')\nm = torch.load('m.pt', weights_only=False)"),
    "copied": ("", "import copy\nm = copy.deepcopy(m)"),
    "trained and back": ("", "m.train(); m.eval();"),
    "asked for its parameters": ("", "list(m.parameters()); m.state_dict(); repr(m);"),
    "zeroed gradients": ("", "m.zero_grad();"),
    "hook set and removed": ("", "handle = m.register_forward_hook(lambda *a: None)\nhandle.remove()"),
}
OTHER_MODEL = {
    "a weight": "with torch.no_grad():\n    m[0].weight[0, 0] += 1",
    "a bias": "with torch.no_grad():\n    m[0].bias += 1",
    "a buffer": "m[2].running_mean += 1",
    "train mode": "m.train();",
    "train mode of one layer": "m[1].train();",
    "dtype": "m.double(); input = input.double()",
    "a layer's option": "m[2].eps = 0.1",
    "a hook": "m.register_forward_hook(lambda module, args, out: out + 1);",
    "another hook": "m[0].register_forward_pre_hook(lambda module, args: (args[0] * 2,));",
    "a layer replaced": "m[1] = torch.nn.Identity()",
    "forward replaced": "m[1].forward = lambda a: a + 1",
    "frozen": "m[0].weight.requires_grad_(False);",
    "one step of training": "torch.optim.SGD(m.parameters(), 0.1).zero_grad()\nm(input).sum().backward()\nwith torch.no_grad():\n    m[0].weight -= m[0].weight.grad",
}
START = "import numpy as np, pandas as pd, torch"


@pytest.mark.parametrize(("before", "after", "cell"), SAME.values(), ids=SAME)
def test_layout_in_memory_makes_no_difference(loaded_story, before, after, cell):
    """Equal content is a hit: strides, order, views, storage and earlier use are no content."""
    loaded_story.changes([START, before, f"%%cached\n{cell}"], [START, after, f"%%cached\n{cell}"], "hit")


@pytest.mark.parametrize(("before", "after", "cell"), OTHER.values(), ids=OTHER)
def test_other_content_runs(loaded_story, before, after, cell):
    """What code can tell apart is other content."""
    loaded_story.changes(
        [START, before, f"%%cached\n{cell}"], [START, after, f"%%cached\n{cell}"], "miss", back=False
    )


CALL = "%%cached\nwith torch.inference_mode():\n    x = m(input).clone()"


@pytest.mark.parametrize(("before", "after"), USED.values(), ids=USED)
def test_used_or_loaded_again_model_hits(loaded_story, before, after):
    """A model with the same weights hits, made again, loaded again, or used in between."""
    loaded_story.changes([START, MODEL, before, CALL], [START, MODEL, after, CALL], "hit")


@pytest.mark.parametrize("change", OTHER_MODEL.values(), ids=OTHER_MODEL)
def test_changed_model_runs(loaded_story, change):
    """A model with another weight, buffer, mode, dtype, option or hook runs."""
    setup = [START, MODEL]
    cell = (
        CALL
        if "train" not in change
        else "%%cached\nx = [layer.training for layer in m], m[0].weight.detach().clone()"
    )
    first = loaded_story.run(*setup, cell)
    assert first.kind == "miss", first
    wanted = loaded_story.uncached(*setup, change, cell)
    found = loaded_story.run(*setup, change, cell)
    assert found.kind == "miss", found
    assert found.portrait["x"] == wanted.portrait["x"]


def test_model_used_in_between_hits_in_one_kernel(loaded_story):
    """A cell that uses a model hits when it is run again, though the model has been used meanwhile."""
    kernel = loaded_story.run(START, MODEL, CALL).kernel
    kernel.run("y = m(input)")
    assert kernel.run(CALL).kind == "hit"


def test_training_loop_is_right(loaded_story):
    """A cell that trains leaves model and optimizer as a run does, hit or not, in the cells after it too."""
    train = """%%cached
for _ in range(3):
    optimizer.zero_grad()
    loss = ((m(input) - 1) ** 2).mean()
    loss.backward()
    optimizer.step()
print(loss.item())"""
    optimizer = "m.train(); optimizer = torch.optim.Adam(m.parameters(), 0.1)"
    loaded_story.stays_right(
        START, MODEL, optimizer, train, "print(m.eval()(input), optimizer.state_dict()['state'][0]['step'])"
    )


def test_training_twice_trains_on(loaded_story):
    """Run twice in one kernel, a training cell trains twice."""
    step = "optimizer.zero_grad()\nm(input).sum().backward()\noptimizer.step()"
    setup = [START, MODEL, "optimizer = torch.optim.SGD(m.parameters(), 0.1)"]
    wanted = loaded_story.uncached(*setup, step, step, "print(m(input))")
    found = loaded_story.run(*setup, f"%%cached\n{step}", f"%%cached\n{step}", "print(m(input))")
    assert found[-1].stdout == wanted[-1].stdout


CHANGED = {
    "array item": ("a = np.zeros(3)", "a[0] = 1"),
    "array augmented": ("a = np.zeros(3)\nb = a", "a += 1"),
    "array through a view": ("a = np.zeros(3)\nb = a[:2]", "b[0] = 1"),
    "array out argument": ("a = np.zeros(3)", "np.add(a, 1, out=a);"),
    "array sorted": ("a = np.array([2, 1])", "a.sort()"),
    "array shuffled": ("a = np.arange(9)\nrng = np.random.default_rng(1)", "rng.shuffle(a)"),
    "array fill through a function": ("a = np.zeros(3)\ndef f(): a.fill(2)", "f()"),
    "column added": ("d = pd.DataFrame({'a': [1]})\ne = d", "d['b'] = 2"),
    "column in place": ("d = pd.DataFrame({'a': [1, 2]})", "d.loc[0, 'a'] = 5"),
    "rows dropped in place": ("d = pd.DataFrame({'a': [1, None]})", "d.dropna(inplace=True)"),
    "renamed columns": ("d = pd.DataFrame({'a': [1]})", "d.columns = ['b']"),
    "sorted table": ("d = pd.DataFrame({'a': [2, 1]})", "d.sort_values('a', inplace=True)"),
    "tensor in place": ("t = torch.zeros(3)\nu = t", "t.add_(1)"),
    "tensor through a view": ("t = torch.zeros(3)\nu = t[:2]", "u.fill_(1);"),
    "tensor of an array": ("a = np.zeros(3)\nt = torch.from_numpy(a)", "t += 1"),
    "weights": (
        "m = torch.nn.Linear(2, 2)",
        "torch.nn.init.zeros_(m.weight);\ntorch.nn.init.zeros_(m.bias);",
    ),
    "train mode": ("m = torch.nn.Dropout()", "m.eval();"),
    "gradient": ("w = torch.ones(2, requires_grad=True)", "(w * 2).sum().backward()"),
    "load_state_dict": (
        "m = torch.nn.BatchNorm1d(2)",
        "m.load_state_dict({**m.state_dict(), 'weight': torch.zeros(2)});",
    ),
    "batch statistics": ("m = torch.nn.BatchNorm1d(2)", "y = m(torch.ones(3, 2)).detach()"),
}


@pytest.mark.parametrize(("before", "cell"), CHANGED.values(), ids=CHANGED)
def test_change_in_place_is_never_lost(loaded_story, before, cell):
    """After a cell that changes an earlier array, table or model, it is as a run leaves it, for every alias."""
    loaded_story.stays_right(START, f"torch.manual_seed(0)\n{before}", f"%%cached\n{cell}")
