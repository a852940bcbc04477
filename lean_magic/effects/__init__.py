"""What a cell did: recorded when it runs, replayed when it is found."""

from lean_magic.effects.recorder import Record, Recorder, Run, recorders

__all__ = ["Record", "Recorder", "Run", "recorders"]
