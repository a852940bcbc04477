"""What a cell did: recorded when it runs, replayed when it is found."""

from collections.abc import Collection, Mapping

from lean_magic.effects.asks import Asks
from lean_magic.effects.attributes import Attributes
from lean_magic.effects.environment import Environment
from lean_magic.effects.files import Files
from lean_magic.effects.live import Live, others_run
from lean_magic.effects.loading import Loading
from lean_magic.effects.mortal import Mortal
from lean_magic.effects.mutation import Mutation
from lean_magic.effects.names import Names
from lean_magic.effects.output import Output
from lean_magic.effects.process import Process
from lean_magic.effects.recorder import Record, Recorder, Recorders, Run, include_in_open
from lean_magic.effects.remembered import Remembering
from lean_magic.effects.rng import Generators

__all__ = [
    "Record",
    "Recorder",
    "Recorders",
    "Run",
    "did",
    "did_more",
    "include_in_open",
    "others_run",
    "recorders",
]


def recorders() -> Recorders:
    """Make the recorders of one cell, in the order in which they replay.

    Files come before a change of the working folder, and what is hardest to take back comes last.
    """
    members = [Live(), Loading(), Asks(), Files(), Names(), Attributes(), Process(), Generators(), Mutation()]
    return Recorders([*members, Remembering(), Environment(), Output(), Mortal()])


def did(records: Mapping[str, Record]) -> set[str]:
    """Name the kinds of effects of a run that a function which answers from memory would not have again."""
    silent = {"names", "remembering", "loading", "output"}
    kinds = {name for name, record in records.items() if name not in silent and record.effects}
    shown = any(kind != "result" for kind, *_ in records["output"].values or ())
    return kinds | ({"output"} if shown else set())


def did_more(records: Mapping[str, Record], names: Collection[str]) -> bool:
    """Whether a run did anything but bind some of these names."""
    bound = records["names"].effects
    others = (record.effects for name, record in records.items() if name != "names")
    more = [*others, bound["deleted"], bound["imports"], records["output"].values]
    return any(more) or not set(bound["bound"]) <= set(names)
