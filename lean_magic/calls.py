"""`lean_magic.cached`: the machine of `%%cached` for the calls of a function, in a notebook or without one.

    @lean_magic.cached
    def embed(texts, size=512):
        ...

    with lean_magic.cached(model.encode) as encode:
        vectors = encode(texts)

A call is treated as a cell `result = function(argument, …)`: it depends on all that the
function and its arguments reach, and a hit puts back all that it did.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from lean_magic.by_name import beside, reduced
from lean_magic.options import Options
from lean_magic.runner import Cell, Runner
from lean_magic.settings import LeanMagic, parse_duration
from lean_magic.turn import alone, is_deep
from lean_magic.without_shell import WithoutShell

__all__ = ["CachedFunction", "cached", "runner"]


def cached(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Cache the calls of a function: a decorator, with or without options, and a context.

    Options: `label`, a name for listings (default: the function's); `depends`, a value that counts as if the
    function read it, or a function without arguments that gives it; `ignore`, names of arguments and globals that
    do not count; `ttl`, after which an entry is stale, in seconds or as "12h".
    A call that cannot be cached just runs; `lean_magic.last_outcome()` says why. So does one that another thread or
    task makes while one is being recorded: what two do at once cannot be told apart.
    Raises TypeError for what is not callable or an option that is not there, UsageError for a wrong `ttl`.
    """
    unknown = options.keys() - {"label", "depends", "ignore", "ttl"}
    if unknown:
        raise TypeError(f"cached() has no option {min(unknown)!r}; there are label, depends, ignore and ttl")
    if function is None:
        return functools.partial(CachedFunction, **options)
    return CachedFunction(function, **options)


class CachedFunction:
    """A function whose calls are cached; `__wrapped__` is the function itself."""

    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        label: str = "",
        depends: Any = None,
        ignore: tuple[str, ...] | list[str] = (),
        ttl: str | float | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"cached() takes a function, not {function!r}")
        functools.update_wrapper(self, function, updated=())
        self._label = label or getattr(function, "__qualname__", type(function).__qualname__)
        self._depends = depends
        self._ignore = tuple(ignore)
        self._ttl = parse_duration(ttl) if isinstance(ttl, str) else ttl
        self._beside = beside(self, function)

    def __getattr__(self, name: str) -> Any:
        """Give what was set on the function, or on what it is a method of."""
        wrapped = vars(self).get("__wrapped__")
        if name.startswith("__") and name not in getattr(wrapped, "__dict__", ()):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(wrapped, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set attributes on the function itself, of which they are: there they count."""
        object.__setattr__(self if name in _OWN else self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        """Delete an attribute of the function."""
        delattr(self.__wrapped__, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, or put back what the same call did. Raises what the function raises."""
        if is_deep():
            return self.__wrapped__(*args, **kwargs)
        call = _Call(self.__wrapped__, _named(self.__wrapped__, args, kwargs), args, kwargs)
        if inspect.iscoroutinefunction(self.__wrapped__):
            return self._awaited(call)
        with alone(of_call=True) as by_itself:
            if not by_itself:
                return self.__wrapped__(*args, **kwargs)
            with call.bound(more := self._read(call)):
                _drive(runner().run(self._cell(call, more), call.run))
                return call.outcome()

    async def _awaited(self, call: _Call) -> Any:
        with alone(of_call=True) as by_itself:
            if not by_itself:
                return await self.__wrapped__(*call.args, **call.kwargs)
            with call.bound(more := self._read(call)):
                await runner().run(self._cell(call, more), call.run_awaited)
                return call.outcome()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind as a method does: `self` is the first argument."""
        is_free = instance is None or isinstance(self.__wrapped__, staticmethod)
        return self if is_free else types.MethodType(self, instance)

    def __enter__(self) -> Self:
        """Give the cached function for the time of a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the block; entries stay."""

    def __reduce__(self) -> Any:
        """Be pickled by name, as functions are; see `by_name`."""
        return reduced(self, *self._parts())

    def taken_apart(self) -> Any:
        """Be compared and stored as the function and the options it was made with."""
        make, function, options = self._parts()
        return make, (function, options)

    def _parts(self) -> tuple[Callable[..., Any], Callable[..., Any], dict[str, Any]]:
        options = {"label": self._label, "depends": self._depends, "ignore": self._ignore, "ttl": self._ttl}
        return _made, self.__wrapped__, options

    def _read(self, call: _Call) -> dict[str, Any]:
        if self._depends is None:
            return {}
        return {f"depends of {call.name}": self._depends() if callable(self._depends) else self._depends}

    def _cell(self, call: _Call, more: Mapping[str, Any]) -> Cell:
        ignore = tuple(f"argument {name}" for name in self._ignore) + self._ignore
        options = Options(label=self._label, ignore=ignore, ttl=self._ttl, quiet=True)
        return Cell(call.nodes(more), f"{self._label}({', '.join(call.arguments)})", options, is_call=True)


# What belongs to the wrapper; all else that is set on it is set on the function.
_OWN = frozenset(
    {*functools.WRAPPER_ASSIGNMENTS, "__wrapped__", "_label", "_depends", "_ignore", "_ttl", "_beside"}
)


def _made(function: Callable[..., Any], options: dict[str, Any]) -> CachedFunction:
    return CachedFunction(function, **options)


def _named(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Give arguments by the names of their parameters, or by position where the function tells no names."""
    try:
        return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):  # a wrong call, which the function itself will tell; or one written in C
        return {**{str(position): value for position, value in enumerate(args, 1)}, **kwargs}


@dataclass
class _Call:
    """One call: its arguments under names that no code can use, bound in the notebook's names meanwhile."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    error: BaseException | None = None
    _namespace: dict[str, Any] = field(default_factory=lambda: vars(sys.modules["__main__"]))

    @property
    def name(self) -> str:
        return f"{getattr(self.function, '__qualname__', type(self.function).__qualname__)}()"

    @contextmanager
    def bound(self, more: Mapping[str, Any]) -> Iterator[None]:
        """Bind function and arguments for the time of the call."""
        names = {f"argument {name}": value for name, value in self.arguments.items()}
        names |= {self.name: self.function, **more}
        before = {name: self._namespace[name] for name in [*names, self._result] if name in self._namespace}
        self._namespace.update(names)
        try:
            yield
        finally:
            for name in [*names, self._result]:
                self._namespace.pop(name, None)
            self._namespace.update(before)  # of a call of the same function around this one

    def nodes(self, more: Mapping[str, Any]) -> list[ast.stmt]:
        """Write the call as a cell that reads the names of `more`, too."""
        names = [*(f"argument {name}" for name in self.arguments), *more]
        call = ast.Call(_load(self.name), [*map(_load, names), *self._spelled()], [])
        return [ast.fix_missing_locations(ast.Assign([ast.Name(self._result, ast.Store())], call))]

    async def run(self) -> bool:
        """Call the function; gives whether it raised."""
        with ExitStack() as caught:
            caught.push(self._catch)
            self._namespace[self._result] = self.function(*self.args, **self.kwargs)
        return self.error is not None

    async def run_awaited(self) -> bool:
        """Call and await the function; gives whether it raised."""
        with ExitStack() as caught:
            caught.push(self._catch)
            self._namespace[self._result] = await self.function(*self.args, **self.kwargs)
        return self.error is not None

    def _spelled(self) -> list[ast.expr]:
        """Write how arguments were passed, where a wrapper that borrows a signature may look at that."""
        if not hasattr(self.function, "__wrapped__") and not hasattr(self.function, "__signature__"):
            return []
        return [ast.Constant(len(self.args)), *map(ast.Constant, self.kwargs)]

    def _catch(self, _: Any, error: BaseException | None, __: Any) -> bool:
        """Keep what the function raised: `outcome` gives it on to the caller."""
        self.error = error
        return True

    def outcome(self) -> Any:
        """Give what the call gave. Raises what it raised."""
        if self.error is not None:
            trace = self.error.__traceback__
            raise self.error.with_traceback(trace and trace.tb_next)
        return self._namespace[self._result]

    @property
    def _result(self) -> str:
        return f"result of {self.name}"


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _drive(running: Any) -> None:
    """Run a coroutine that awaits nothing that takes time."""
    try:
        running.send(None)
    except StopIteration:
        return
    raise AssertionError("a call that is not awaited has nothing to wait for")


def runner() -> Runner:
    """Find the runner of the notebook, or one for programs without."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return _alone()
    interception = getattr(shell, "_lean_magic", None)
    found: Runner = interception.runner if interception is not None else _beside(shell)
    return found


@functools.lru_cache(maxsize=1)
def _alone() -> Runner:
    return Runner(WithoutShell(), LeanMagic())


@functools.lru_cache(maxsize=1)
def _beside(shell: Any) -> Runner:
    return Runner(shell, LeanMagic(parent=shell))
