"""Batches on joblib's workers: each loads the function once and stores what it computes; a death costs a batch."""

import os
import signal
import uuid
from pathlib import Path

import joblib
import numpy as np
import pytest

import lean_magic
from lean_magic.items import parallel

TEXTS = [f"text {number}" for number in range(200)]


class Model:
    """A model that leaves a note when it is loaded and for each batch, and can kill its process."""

    def __init__(self, notes):
        self.notes = str(notes)
        self.weights = np.arange(256 * 4, dtype="f4").reshape(256, 4)

    def __setstate__(self, state):
        self.__dict__.update(state)
        note(self.notes, "load")

    def encode(self, texts):
        """Give a vector for each text."""
        note(self.notes, f"batch {len(texts)}")
        return plain(self.weights, texts)

    def deadly(self, texts):
        """Kill this process at one text, the first time."""
        if "text 77" in texts and not list(Path(self.notes).glob("killed*")):
            note(self.notes, "killed")
            os.kill(os.getpid(), signal.SIGKILL)
        return self.encode(texts)

    def strict(self, texts):
        """Refuse one text."""
        if "text 77" in texts:
            raise KeyError("text 77")
        return self.encode(texts)


def plain(weights, texts):
    """Compute a vector for each text."""
    return np.stack([weights[list(text.encode())].mean(0) for text in texts])


def note(folder, what):
    """Leave a file whose name says what happened in which process."""
    descriptor = os.open(f"{folder}/{what} {os.getpid()} {uuid.uuid4().hex}", os.O_CREAT | os.O_EXCL)
    os.close(descriptor)


def noted(folder, what):
    """Give the process of each note."""
    return [int(path.name.split()[-2]) for path in folder.glob(f"{what}*")]


@pytest.fixture
def notes(tmp_path):
    """Yield a folder for notes."""
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def two_processes():
    """Compute on two processes of joblib's own."""
    with joblib.parallel_config(backend="loky", n_jobs=2):
        yield
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def check(mapped, model, texts=TEXTS):
    """Map, and compare with what the model gives."""
    assert np.array_equal(mapped(texts), plain(model.weights, texts))


def test_processes_load_once_and_store(notes, two_processes):
    """Each process loads the model once; nothing is computed here but the canaries afterwards."""
    model = Model(notes)
    mapped = lean_magic.cached_map(model.encode, batch_size=10, quiet=True)
    check(mapped, model)
    workers = set(noted(notes, "batch")) - {os.getpid()}
    assert 1 <= len(workers) <= 2
    assert sorted(noted(notes, "load")) == sorted(workers)
    assert len(noted(notes, "batch 10")) == 20
    assert (mapped.last.computed, mapped.last.batches) == (200, 21)
    check(mapped, model)
    assert mapped.last.computed == 0
    assert len(list(notes.parent.rglob("lent-*"))) == 0


def test_segments_of_workers_are_packed(notes, two_processes, own_cache):
    """What workers wrote batch by batch is packed when the call ends."""
    model = Model(notes)
    lean_magic.cached_map(model.encode, batch_size=4, quiet=True)(TEXTS)
    assert len(list(own_cache.rglob("*.seg"))) <= 8


def test_known_items_are_canaries_of_workers(notes, two_processes):
    """A worker computes known items too, and what differs is seen."""
    model = Model(notes)
    mapped = lean_magic.cached_map(model.encode, batch_size=10, version=1, quiet=True)
    check(mapped, model, TEXTS[:50])
    model.weights += 1
    with pytest.warns(UserWarning, match="other results"):
        check(mapped, model)


def test_a_worker_that_dies_costs_its_batch(notes, two_processes):
    """After a process was killed, the others' batches are there and the rest is handed out again."""
    model = Model(notes)
    mapped = lean_magic.cached_map(model.deadly, batch_size=10, quiet=True)
    check(mapped, model)
    assert len(noted(notes, "killed")) == 1
    assert mapped.last.found == 0


def test_an_error_in_a_worker_is_raised(notes, two_processes):
    """The function's error comes with its type, and where it was raised; other batches are kept."""
    mapped = lean_magic.cached_map(Model(notes).strict, batch_size=10, quiet=True)
    with pytest.raises(KeyError, match="text 77") as raised:
        mapped(TEXTS)
    assert "in strict" in raised.value.__notes__[0]


def test_failed_items_of_workers_are_kept(notes, two_processes):
    """With on_error="keep" only the item that fails is missing."""
    model = Model(notes)
    mapped = lean_magic.cached_map(model.strict, batch_size=10, quiet=True)
    found = mapped(TEXTS, on_error="keep")
    assert list(mapped.failed) == [77]
    assert np.isnan(found[77]).all()
    assert np.array_equal(np.delete(found, 77, 0), np.delete(plain(model.weights, TEXTS), 77, 0))


def test_workers_that_do_not_see_the_folder(notes, two_processes, monkeypatch):
    """Workers without the cache folder are sent the function, and send back what they compute."""
    made = parallel.Ticket

    def elsewhere(token, path, gpus):
        return made(token, f"{path}-elsewhere", gpus)

    monkeypatch.setattr(parallel, "Ticket", elsewhere)
    monkeypatch.setattr(parallel.Ticket, "__call__", made, raising=False)
    model = Model(notes)
    mapped = lean_magic.cached_map(model.encode, batch_size=10, quiet=True)
    check(mapped, model)
    assert mapped.last.computed == 200
    check(mapped, model)
    assert mapped.last.computed == 0


def test_threads_use_the_function_itself(notes):
    """On threads nothing is loaded: they call the very function."""
    model = Model(notes)
    mapped = lean_magic.cached_map(model.encode, batch_size=10, quiet=True)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        check(mapped, model)
    assert noted(notes, "load") == []
    assert mapped.last.computed == 200


def test_without_a_configuration_this_process_computes(notes):
    """Unless joblib was told otherwise, everything is computed right here."""
    model = Model(notes)
    check(lean_magic.cached_map(model.encode, batch_size=10, quiet=True), model)
    assert set(noted(notes, "batch")) == {os.getpid()}


def test_each_worker_takes_a_gpu_of_its_own(tmp_path, monkeypatch):
    """Workers of one machine take its GPUs in turn, of those that the user let be seen."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    ticket = parallel.Ticket("token", str(tmp_path / "lent"), gpus=2)
    chosen = []
    for _ in range(3):
        monkeypatch.delenv("LEAN_MAGIC_WORKER_GPU", raising=False)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
        parallel._choose_gpu(ticket)
        chosen.append(os.environ["CUDA_VISIBLE_DEVICES"])
    assert chosen == ["3", "5", "3"]
    parallel._choose_gpu(ticket)  # once it has one, a worker keeps it
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.fixture
def dask(monkeypatch, tmp_path):
    """Yield a client of a real cluster of two processes on this machine."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options, local_directory=str(tmp_path / "dask")) as cluster:
        with distributed.Client(cluster) as client, joblib.parallel_config(backend="dask"):
            yield client


def test_a_dask_cluster(notes, dask):
    """On a cluster of Dask's each process loads the model once and stores what it computes."""
    model = Model(notes)
    mapped = lean_magic.cached_map(model.encode, batch_size=10, quiet=True)
    check(mapped, model)
    workers = set(noted(notes, "batch")) - {os.getpid()}
    assert len(workers) == 2
    assert sorted(noted(notes, "load")) == sorted(workers)
    check(mapped, model, [*TEXTS, "one more"])
    assert (mapped.last.found, mapped.last.computed) == (200, 1)


def test_a_dask_worker_that_dies(notes, dask):
    """A process of the cluster that is killed costs its batch."""
    model = Model(notes)
    check(lean_magic.cached_map(model.deadly, batch_size=10, quiet=True), model)
    assert len(noted(notes, "killed")) == 1


def test_ray(notes):
    """On Ray's joblib backend the same holds."""
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        register_ray()
        model = Model(notes)
        mapped = lean_magic.cached_map(model.encode, batch_size=10, quiet=True)
        with joblib.parallel_config(backend="ray", n_jobs=2):
            check(mapped, model)
        assert mapped.last.computed == 200
        workers = set(noted(notes, "batch")) - {os.getpid()}
        assert workers
        assert sorted(noted(notes, "load")) == sorted(workers)
    finally:
        ray.shutdown()
