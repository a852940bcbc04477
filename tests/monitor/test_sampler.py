"""The sampler: what it costs, when it runs, and what it says of a driver that fails."""

import asyncio
import contextlib
import threading
import time

import pytest

pytest.importorskip("jupyter_server")
pytest.importorskip("pynvml")

GIB = 1 << 30


class NoKernels:
    """A kernel manager, and a session manager, of a server without kernels."""

    cull_idle_timeout = 0

    def list_kernel_ids(self):
        """Return no kernels."""
        return []

    async def list_sessions(self):
        """Return no sessions."""
        return []


@pytest.fixture
def monitor(driver, tmp_path, monkeypatch):
    """Yield a factory of monitors without kernels over the fake driver."""
    from lean_magic.monitor.kernels import Kernels
    from lean_magic.monitor.monitor import Monitor
    from lean_magic.monitor.settings import LeanMagicServer

    made = []

    def make(**settings):
        for name, value in driver.environ.items():
            monkeypatch.setenv(name, value)
        driver.write()
        made.append(
            Monitor(
                LeanMagicServer(**({"interval": 0.1} | settings)),
                Kernels(NoKernels(), NoKernels(), tmp_path),
                NoKernels(),
                root="/notebooks",
                choices=tmp_path / "sidebar.json",
                ledger=tmp_path / "ledger.jsonl",
                emit=lambda data: None,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.sampler.probe.stop()


async def until(sampler, status, seconds=15, **options):
    """Look until the driver has a status; return the state."""
    end = time.monotonic() + seconds
    while True:
        state = await sampler.state(**options)
        if state.status.state == status or time.monotonic() > end:
            assert state.status.state == status, state.status
            return state
        await asyncio.sleep(0.05)


def test_the_first_answer_has_figures(driver, monitor):
    """Who looks first gets figures, not the news that somebody is being asked; nor those of hours ago."""
    driver.gpu(util=33)
    sampler = monitor().sampler

    async def look():
        first = await sampler.state()
        sampler.close()
        await asyncio.sleep(0.3)
        driver.gpus[0]["util"] = 44
        driver.write()
        again = await sampler.state()
        sampler.close()
        return first, again

    states = asyncio.run(look())
    first, again = ([gpu.utilization for gpu in state.gpus] for state in states)
    # on a machine with much else to do the probe may still be starting, which is true as well
    assert first in ([33], [])
    assert again in ([44], [])


def test_calls_do_not_grow_with_readers(driver, monitor):
    """The driver is asked as often for twenty readers as for one."""
    driver.gpu()
    driver.log = True
    sampler = monitor().sampler

    async def count(readers, seconds=1.5):
        await until(sampler, "ok")
        before, end = len(driver.calls()), time.monotonic() + seconds
        while time.monotonic() < end:
            await asyncio.gather(*(sampler.state() for _ in range(readers)))
            await asyncio.sleep(0.02)
        return len(driver.calls()) - before

    async def main():
        one, many = await count(1), await count(20)
        sampler.close()
        return one, many

    one, many = asyncio.run(main())
    assert 0 < many <= one * 2


def test_nothing_runs_when_nobody_looks(driver, monitor):
    """The probe starts with the first look and ends when the looks stop; the next look starts it again."""
    driver.gpu()
    sampler = monitor().sampler

    async def main():
        assert not sampler.awake
        assert not sampler.probe.running
        await until(sampler, "ok", looks=0.5)
        assert sampler.awake
        await asyncio.sleep(1.2)
        assert (sampler.awake, sampler.probe.running) == (False, False)
        state = await until(sampler, "ok", looks=0.5)
        assert len(state.gpus) == 1
        sampler.close()

    asyncio.run(main())


def test_a_guard_keeps_watching(driver, monitor):
    """With the automatic stop on, samples are taken whether or not somebody looks."""
    driver.gpu()
    sampler = monitor(stop_idle=True).sampler

    async def main():
        sampler.wake(0.0)
        await asyncio.sleep(0.8)
        assert (sampler.awake, sampler.probe.running) == (True, True)
        sampler.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error", "state", "word"),
    [
        ("driver_not_loaded", "driver_not_loaded", "not loaded"),
        ("mismatch", "driver_mismatch", "upgraded"),
        ("no_permission", "no_permission", "may not ask"),
        ("unknown", "probe_failed", "could not be asked"),
    ],
)
def test_each_failure_has_its_sentence(driver, monitor, error, state, word):
    """Why there are no figures is told in a sentence of its own for each cause."""
    driver.fail("nvmlInitWithFlags", error)
    sampler = monitor().sampler

    async def main():
        told = await until(sampler, state)
        sampler.close()
        return told

    told = asyncio.run(main())
    assert word in told.status.message
    assert told.gpus == []


def test_no_gpu(monitor):
    """A driver without GPUs is told apart from a driver that is missing."""
    sampler = monitor().sampler

    async def main():
        told = await until(sampler, "no_gpu")
        sampler.close()
        return told

    assert "no NVIDIA GPU" in asyncio.run(main()).status.message


def test_a_number_from_before_a_restart_gets_everything(driver, monitor):
    """A client whose last sample is newer than any here gets all there are."""
    driver.gpu()
    sampler = monitor().sampler

    async def main():
        await until(sampler, "ok")
        await asyncio.sleep(0.5)
        state = await sampler.state(since=10**12)
        sampler.close()
        return state

    assert len(asyncio.run(main()).history) >= 2


def test_others_and_energy(driver, monitor, sleepers):
    """Memory that no kernel holds is told as other, and energy grows."""
    uuid = driver.gpu(used=0, power=500_000, energy=0)
    driver.process(sleepers().pid, 5 * GIB)
    sampler = monitor().sampler

    async def main():
        await until(sampler, "ok")
        await asyncio.sleep(0.6)
        state = await sampler.state()
        sampler.close()
        return state

    state = asyncio.run(main())
    assert [(one.uuid, one.memory_used) for one in state.other] == [(uuid, 5 * GIB)]
    assert 20 < state.gpus[0].energy < 2000


def test_the_loop_is_never_held_up(driver, monitor):
    """With a driver that hangs, no turn of the event loop waits for it."""
    driver.gpu()
    driver.delay("*", 30)
    driver.delay("nvmlInitWithFlags", 30)
    sampler = monitor().sampler
    waits = []

    async def watch():
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            waits.append(time.perf_counter() - began - 0.01)

    async def main():
        watcher = asyncio.create_task(watch())
        await until(sampler, "driver_hanging")
        watcher.cancel()
        sampler.close()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher

    asyncio.run(main())
    assert sorted(waits)[len(waits) * 99 // 100] < 0.5


def test_files_that_hang_hold_nobody_up(driver, monitor, monkeypatch):
    """While /proc hangs on a process that sits in the driver, looks are answered, and nothing is held for certain."""
    from lean_magic.monitor.holders import NOBODY, Holders

    driver.gpu(util=21)
    freed, asked = threading.Event(), []

    def hangs(self, gpus, kernels):
        asked.append(1)
        freed.wait(60)
        return NOBODY

    monkeypatch.setattr(Holders, "find", hangs)
    sampler = monitor().sampler

    async def main():
        state = await until(sampler, "ok", looks=60.0)
        for _ in range(5):
            state = await sampler.again()
        freed.set()
        sampler.close()
        return state

    assert [gpu.utilization for gpu in asyncio.run(main()).gpus] == [21]
    assert len(asked) == 1
