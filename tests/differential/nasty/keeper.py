# ruff: noqa: D101, D102, D103
"""A library that keeps things and gives them back, in every way there is."""

import contextvars
import functools
import threading


class Options:
    def __init__(self, value=1):
        self.value = value

    def choose(self, value):
        self.value = value


_options = Options()
_lazy = None
_table = {"a": 1}
_many = {}
_local = threading.local()
_var = contextvars.ContextVar("var", default=Options())


def get_options():
    return _options


def get_lazy():
    global _lazy
    if _lazy is None:
        _lazy = Options()
    return _lazy


def get_table():
    return _table


def get_one(name):
    if name not in _many:
        _many[name] = Options()
    return _many[name]


def get_local():
    if not hasattr(_local, "options"):
        _local.options = Options()
    return _local.options


def get_var():
    return _var.get()


def inner():
    return get_options()


@functools.cache
def get_kept():
    return Options()


class Single:
    _it = None
    value = 1

    def __new__(cls):
        if cls._it is None:
            cls._it = super().__new__(cls)
        return cls._it

    @classmethod
    def instance(cls):
        if cls._it is None:
            cls._it = cls()
        return cls._it

    def set(self, value):
        self.value = value


class Borg:
    _shared = {"value": 1}

    def __init__(self):
        self.__dict__ = self._shared


class Meta(type):
    _all = {}

    def __call__(cls):
        if cls not in cls._all:
            cls._all[cls] = super().__call__()
        return cls._all[cls]


class Made(metaclass=Meta):
    value = 1


def singleton(cls):
    found = {}

    def get():
        if cls not in found:
            found[cls] = cls()
        return found[cls]

    return get


@singleton
class Wrapped:
    value = 1


class Manager:
    def __init__(self):
        self._of = {"a": Options()}
        self.options = Options()

    def of(self, name):
        return self._of[name]

    @property
    def current(self):
        return self.options


manager = Manager()


def told():
    own = getattr(_local, "options", None)
    return [
        _options.value,
        getattr(_lazy, "value", 0),
        str(_table),
        {k: v.value for k, v in _many.items()},
        own and own.value,
        _var.get().value,
        Single._it and Single._it.value,
        Borg._shared["value"],
        [v.value for v in Made._all.values()],
        Wrapped().value,
        manager._of["a"].value,
        manager.options.value,
        get_kept().value,
    ]
