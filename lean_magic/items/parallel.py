"""Batches computed by joblib's workers, wherever `joblib.parallel_config` puts them.

A worker loads the function once, and writes the segments of its batches itself if it sees the cache folder;
otherwise it sends them back. One that dies costs its batch: the others' segments are there, and what is
missing is handed out again.
"""

from __future__ import annotations

import os
import pickle
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lean_magic.effects import files
from lean_magic.errors import Damaged
from lean_magic.items import batches
from lean_magic.items.batches import Caught, Computing, Task
from lean_magic.items.collection import collect
from lean_magic.items.columns import Batch
from lean_magic.items.identity import Identity
from lean_magic.items.watch import Watch
from lean_magic.items.writer import Writer
from lean_magic.store.folder import new_file
from lean_magic.store.payload import open_own
from lean_magic.store.segments import Segments, in_words

__all__ = ["Lent", "compute", "workers"]

_LOCAL = {"LokyBackend", "MultiprocessingBackend"}  # their workers share this machine's GPUs with us
_ALONE = {*_LOCAL, "SequentialBackend", "ThreadingBackend"}  # one worker, unless told otherwise


def workers() -> int:
    """Say how many workers joblib has been told to use; 1 is this process alone."""
    joblib = sys.modules.get("joblib")
    if joblib is None:  # then nobody can have told it anything
        return 1
    backend, jobs = joblib.parallel.get_active_backend()
    if jobs is None:
        jobs = 1 if type(backend).__name__ in _ALONE else -1
    return int(backend.effective_n_jobs(jobs))


@dataclass(slots=True)
class Lent:
    """What a worker needs, and loads only once."""

    function: Callable[..., Any]
    options: dict[str, Any]
    identity: Identity
    root: Path
    meta: dict[str, Any]
    device: str
    keep: bool


@dataclass(slots=True)
class Ticket:
    """Tells a worker what to load: from its own process, from a file, or from the bytes it was sent."""

    token: str
    path: str
    gpus: int = 0  # to be shared out among the workers
    sent: bytes = b""


@dataclass(slots=True)
class Receipt:
    """What a worker did with one batch."""

    places: Any = None
    names: list[str] = field(default_factory=list)  # the segments it wrote
    fresh: Batch | None = None  # results, where it could not store them
    canaries: Batch | None = None
    seconds: float = 0.0
    failed: dict[int, BaseException] = field(default_factory=dict)
    error: BaseException | None = None  # what the function raised
    refused: str = ""  # why its results are not to be stored
    lost: bool = False  # it does not see the cache folder


def compute(
    work: Computing, tasks: list[Task], show: Callable[[int, int | None], None], lent: Lent
) -> list[Task]:
    """Hand out all batches and take in what comes back; gives the tasks that a worker died over.

    Raises Doubt, what the function raises, and what joblib raises if nothing got done.
    """
    total = work.computed + sum(len(task.places) for task in tasks)
    left = dict(enumerate(tasks))
    with _lending(lent, work.writer.home) as ticket:
        for number, receipt in _handed_out(work, left, ticket):
            if receipt.lost:
                ticket.sent = ticket.sent or _packed(lent)
            else:
                _take(work, left.pop(number), receipt)
                show(work.computed + len(work.failed), total)
        for number, receipt in _handed_out(work, left, ticket) if ticket.sent else ():
            _take(work, left.pop(number), receipt)
            show(work.computed + len(work.failed), total)
    return list(left.values())


def _handed_out(work: Computing, left: dict[int, Task], ticket: Ticket) -> Iterator[tuple[int, Receipt]]:
    import joblib

    backend, jobs = joblib.parallel.get_active_backend()
    kind = "generator_unordered" if getattr(backend, "supports_return_generator", False) else "list"
    calls = (
        joblib.delayed(_worked)(ticket, number, *_batch(work, task)) for number, task in left.copy().items()
    )
    parallel = joblib.Parallel(n_jobs=jobs, return_as=kind, batch_size=1)
    before = work.computed
    with Caught(keep=True) as died:
        results = iter(parallel(calls))
    while died.error is None:
        with Caught(keep=True) as died:
            found = next(results, None)
        if died.error is None:
            if found is None:
                return
            yield found
    if work.computed == before:
        raise died.error


def _batch(work: Computing, task: Task) -> tuple[Any, Any, Any, int]:
    places = np.concatenate([task.places, task.canaries]).astype(np.int64)
    return places, work.items.take(places), work.keys[task.places], len(task.places)


def _take(work: Computing, task: Task, receipt: Receipt) -> None:
    work.writer.written += receipt.names
    work.failed |= receipt.failed
    work.batches += 1
    if receipt.error is not None:
        raise receipt.error
    if receipt.refused and not work.writer.failed:
        work.writer.failed = receipt.refused
    if receipt.canaries is not None:
        work.canaries += receipt.canaries.count
        batches.compare(work, task.canaries, receipt.canaries.values())
    if receipt.fresh is not None:
        batches.keep(work, receipt.places, receipt.fresh, receipt.seconds)
    elif receipt.names:
        work.computed += len(receipt.places)
        work.seconds += receipt.seconds
        work.writer.stored += len(receipt.places)


# -- in a worker ---------------------------------------------------------------------------


def _worked(
    ticket: Ticket, number: int, places: Any, items: Any, keys: Any, count: int
) -> tuple[int, Receipt]:
    """Compute one batch: `places` are positions in the call, the first `count` of them new."""
    lent = _taken(ticket)
    if lent is None:
        return number, Receipt(lost=True)
    writer = Writer(Segments(lent.root, lent.identity.digest), lent.meta, lent.device)
    work = Computing(
        function=lent.function,
        options=lent.options,
        name=lent.identity.name,
        items=collect(items),
        keys=keys,
        watch=Watch(lent.identity, items),
        writer=writer,
        stored=lambda _: [],
        keep=lent.keep,
    )
    receipt = Receipt()
    with Caught(keep=True, ours=True) as caught:
        _compute_here(work, Task(np.arange(count), np.arange(count, len(places))), receipt, bool(ticket.sent))
    receipt.error = None if caught.error is None else _portable(caught.error)
    receipt.failed = {int(places[row]): _portable(error) for row, error in work.failed.items()}
    receipt.places = places[receipt.places] if receipt.places is not None else None
    return number, receipt


def _compute_here(work: Computing, task: Task, receipt: Receipt, away: bool) -> None:
    """Compute a batch whose positions are its own, and store it unless the cache folder is `away`."""
    batch, receipt.places, seconds = batches.run(work, task)
    if batch is None:
        return
    count = len(receipt.places)
    receipt.seconds = seconds * count / batch.count
    fresh = batch.take(slice(0, count))
    receipt.canaries = batch.take(slice(count, None)) if len(task.canaries) else None
    receipt.refused = work.watch.refused
    if count and not away and not receipt.refused:
        with files.unwatched():
            batches.keep(work, receipt.places, fresh, receipt.seconds)
    receipt.names = work.writer.written
    receipt.fresh = fresh if count and not receipt.names else None


def _portable(error: BaseException) -> BaseException:
    """Give an error that can be sent, with where it was raised as a note."""
    told = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except (pickle.PickleError, TypeError, AttributeError):
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In a worker of joblib:\n{told}")
    return error


# -- lending -----------------------------------------------------------------------------------

_loaded: dict[str, Lent] = {}  # in a worker at most one, and those that this process lends to its threads


@contextmanager
def _lending(lent: Lent, home: Segments) -> Iterator[Ticket]:
    """Put the function where workers find it: in this process for its threads, in a file for others."""
    token = secrets.token_hex(16)
    path = home.folder / f"lent-{token}"
    _loaded[token] = lent
    try:
        with in_words("lend the function to workers through", home.root):
            home.prepare()
            with new_file(path) as file:
                file.write(_packed(lent))
        yield Ticket(token, str(path), _gpus())
    finally:
        del _loaded[token]
        for left in (path, *path.parent.glob(f"{path.name}.gpu*")):
            with suppress(OSError):
                left.unlink()


def _packed(lent: Lent) -> bytes:
    import cloudpickle

    packed: bytes = cloudpickle.dumps(lent)
    return packed


def _taken(ticket: Ticket) -> Lent | None:
    """Load the function, once in a process; None if there is no such file here."""
    known = _loaded.get(ticket.token)
    if known is not None:
        return known
    data = ticket.sent
    if not data:
        try:
            with open_own(Path(ticket.path)) as file:
                data = file.readall()
        except Damaged:
            return None
    if ticket.gpus > 1:
        _choose_gpu(ticket)
    _loaded.clear()  # of an earlier call: one model at a time
    lent: Lent = pickle.loads(data)
    _loaded[ticket.token] = lent
    return lent


# -- several GPUs ---------------------------------------------------------------------------------

_VISIBLE, _CHOSEN = "CUDA_VISIBLE_DEVICES", "LEAN_MAGIC_WORKER_GPU"


def _gpus() -> int:
    """Count the GPUs that the workers have to share out; 0 where a cluster has its own way."""
    import joblib

    torch = sys.modules.get("torch")
    if torch is None or type(joblib.parallel.get_active_backend()[0]).__name__ not in _LOCAL:
        return 0
    return int(torch.cuda.device_count()) if torch.cuda.is_available() else 0


def _choose_gpu(ticket: Ticket) -> None:
    """Let this worker see one GPU, the next in turn, before it loads anything that looks for GPUs."""
    if os.environ.get(_CHOSEN):
        return
    names = list(filter(None, os.environ.get(_VISIBLE, "").split(","))) or [
        str(n) for n in range(ticket.gpus)
    ]
    turn = 0
    while not _claimed(Path(f"{ticket.path}.gpu{turn}")):
        turn += 1
    os.environ[_CHOSEN] = os.environ[_VISIBLE] = names[turn % len(names)]


def _claimed(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
