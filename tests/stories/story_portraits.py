"""Describe all that a user's namespace holds, as JSON: run inside a kernel, and knowing nothing of lean_magic.

Two kernels whose portraits are equal cannot be told apart by code that looks at values, types,
order, identity or shared memory.
"""

import functools
import hashlib
import inspect
import itertools
import logging
import os
import re
import sys
import types
import typing

_HIDDEN = re.compile(r"_i{1,3}|_[iod]h|_i?\d+|In|exit|quit|get_ipython|open|__\w+__")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{6,}")
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), range, slice)
# Written by Python or by pickling, not by the user.
_DUNDERS = {"__dict__", "__weakref__", "__module__", "__firstlineno__", "__static_attributes__", "__annotations__",
            "__abstractmethods__", "_abc_impl", "__slotnames__", "__annotate_func__", "__annotations_cache__", "__classcell__"}  # fmt: skip


def portraits(namespace):
    """Give name → description for every name that is the user's, and for Out and its short names."""
    painter = _Painter(namespace)
    names = sorted(name for name in namespace if not _HIDDEN.fullmatch(name))
    found = {name: painter.paint(namespace[name]) for name in names}
    return found | {"shared memory": painter.shared()}


class _Painter:
    def __init__(self, namespace):
        self.namespace = namespace
        self.seen = {}
        self.kept = []
        self.blocks = []

    def paint(self, value):
        kind = type(value).__qualname__
        if isinstance(value, _PLAIN) and type(value) in _PLAIN:
            return f"{kind} {value!r}"
        if id(value) in self.seen:
            return f"same as object {self.seen[id(value)]}"
        if not isinstance(value, (tuple, frozenset)):
            self.seen[id(value)] = len(self.seen)
        self.kept.append(value)
        method = next((way for test, way in self._ways() if test(value)), self.instance)
        return [kind, *method(value)]

    def _ways(self):
        def of(*kinds):
            return lambda value: isinstance(value, kinds)

        numpy, torch, pandas = (sys.modules.get(name) for name in ("numpy", "torch", "pandas"))
        if numpy is not None:
            yield of(numpy.ndarray), self.array
            yield of(numpy.generic, numpy.dtype), self.text
        if torch is not None and hasattr(torch, "Tensor"):
            yield of(torch.Tensor), self.tensor
            yield of(torch.nn.Module), self.torch_module
            yield of(torch.dtype, torch.device, torch.Size), self.text
        if pandas is not None and hasattr(pandas, "DataFrame"):
            yield of(pandas.DataFrame, pandas.Series, pandas.Index), self.frame
        yield of(dict), lambda value: [[self.paint(key), self.paint(item)] for key, item in value.items()]
        yield of(list, tuple), lambda value: [self.paint(item) for item in value]
        yield of(set, frozenset), lambda value: sorted(str(self.paint(item)) for item in value)
        yield of(types.FunctionType), self.function
        yield of(types.MethodType), lambda value: [self.paint(value.__func__), self.paint(value.__self__)]
        yield (
            of(functools.partial),
            lambda value: [self.paint(part) for part in (value.func, value.args, value.keywords)],
        )
        yield of(types.ModuleType), lambda value: [value.__name__]
        yield of(types.GeneratorType), lambda value: ["finished" if value.gi_frame is None else "alive"]
        yield of(type), self.type
        yield of(property), lambda value: [self.paint(part) for part in (value.fget, value.fset, value.fdel)]
        yield of(staticmethod, classmethod), lambda value: [self.paint(value.__func__)]
        yield of(typing.TypeVar), lambda value: [value.__name__, value.__module__, str(value.__bound__)]
        yield of(os._Environ), lambda value: []
        yield of(BaseException), lambda value: [self.paint(value.args)]
        yield (
            (lambda value: type(value).__module__ != "__main__" and not hasattr(value, "__dict__")),
            self.text,
        )

    def text(self, value):
        return [_ADDRESS.sub("0x…", repr(value))]

    def array(self, value):
        import numpy as np

        self.blocks.append((len(self.seen), value))
        content = (
            [self.paint(item) for item in value.ravel().tolist()] if value.dtype.hasobject else _bytes(value)
        )
        order = ["C" * value.flags.c_contiguous, "F" * value.flags.f_contiguous]
        return [str(np.dtype(value.dtype)), value.shape, order, value.flags.writeable, content]

    def tensor(self, value):
        self.blocks.append((len(self.seen), value))
        plain = value.detach().resolve_conj().cpu().contiguous()
        content = plain.reshape(-1).view(sys.modules["torch"].uint8).numpy().tobytes()
        grad = self.paint(value.grad) if value.is_leaf else "inner"
        return [
            str(value.dtype),
            str(value.device),
            list(value.shape),
            value.stride(),
            value.requires_grad,
            _brief(content),
            grad,
        ]

    def torch_module(self, value):
        named = [
            [name, self.paint(item)] for name, item in vars(value).items() if name != "_compiled_call_impl"
        ]
        return [self.paint(type(value)), *named]

    def frame(self, value):
        return [_ADDRESS.sub("0x…", str(value.to_dict("split") if hasattr(value, "columns") else value.tolist())),
                str(getattr(value, "dtypes", "")), str(getattr(value, "index", "")), str(getattr(value, "attrs", ""))]  # fmt: skip

    def function(self, value):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        live = value.__globals__ is self.namespace if value.__module__ == "__main__" else value.__module__
        own = [
            self.paint(value.__dict__),
            self.paint(cells),
            self.paint(value.__defaults__),
            self.paint(value.__kwdefaults__),
        ]
        return [value.__qualname__, live, str(inspect.signature(value)), _source(value), value.__doc__, *own]

    def type(self, value):
        if value.__module__ != "__main__":
            return [value.__module__, value.__qualname__]
        names = {name: item for name, item in vars(value).items() if name not in _DUNDERS}
        members = [
            [name, self.paint(names[name])]
            for name in sorted(names, key=lambda name: _pythons_own(name, names[name]))
        ]
        bases = [self.paint(base) for base in value.__bases__]
        return [value.__qualname__, bases, self.paint(type(value)), _source(value), members]

    def instance(self, value):
        cls = type(value)
        if str(cls.__module__).partition(".")[0] in {"matplotlib", "PIL"}:
            return [cls.__module__, *self.text(value)]
        bound = self.namespace.get(cls.__name__)
        own = ["of the class that is bound" if bound is cls else f"of another {cls.__name__}"]
        if cls.__module__ != "__main__":
            own = [cls.__module__]
        slots = [name for base in cls.__mro__ for name in _slots(base) if hasattr(value, name)]
        content = {**{name: getattr(value, name) for name in slots}, **getattr(value, "__dict__", {})}
        if isinstance(value, logging.Logger):
            content.pop("manager", None)  # knows all loggers of the process, of which ours has more
        return [*own, *([name, self.paint(item)] for name, item in content.items())]

    def shared(self):
        """List which arrays and tensors lie on the same memory."""
        return [
            [a, b] for (a, one), (b, other) in itertools.combinations(self.blocks, 2) if _overlap(one, other)
        ]


def _pythons_own(name, value):
    """Order by which only the user's members keep theirs: where Python puts a `__doc__` or a slot is its own affair."""
    own = name.startswith("__") or isinstance(value, types.MemberDescriptorType)
    return (own, name if own else "")


def _bytes(value):
    import numpy as np

    return _brief(np.ascontiguousarray(value).tobytes())


def _brief(content):
    return content.hex() if len(content) < 200 else hashlib.sha256(content).hexdigest()


def _slots(cls):
    slots = cls.__dict__.get("__slots__", ())
    return [slots] if isinstance(slots, str) else slots


def _source(value):
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        return "no source"


def _overlap(one, other):
    (start, end), (begin, stop) = _bounds(one), _bounds(other)
    return max(start, begin) < min(end, stop)


def _bounds(block):
    if isinstance(block, sys.modules["numpy"].ndarray):
        return sys.modules["numpy"].lib.array_utils.byte_bounds(block)
    last = (
        sum((size - 1) * stride for size, stride in zip(block.shape, block.stride(), strict=True))
        if block.numel()
        else -1
    )
    return block.data_ptr(), block.data_ptr() + (last + 1) * block.itemsize
