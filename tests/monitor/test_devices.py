"""What the real binding reads from the fake driver, and what becomes of every way it can refuse."""

import pytest

GIB = 1 << 30
MIB = 1 << 20


class Clock:
    """A clock that tests set."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        """Return the time that it is."""
        return self.now


@pytest.fixture
def clock():
    """Yield a clock at 1000 s."""
    return Clock()


@pytest.fixture
def devices(driver, nvml, clock, tmp_path):
    """Yield a factory of opened devices over what the driver was told."""
    from lean_magic.monitor.devices import Devices

    opened = []

    def open_them():
        driver.write()
        opened.append(Devices(nvml, clock, tmp_path / "sys"))
        opened[-1].open()
        return opened[-1]

    yield open_them
    for one in opened:
        one.close()


def test_all_figures_of_a_gpu(driver, devices):
    """Each figure arrives in its unit: bytes, watts, per cent, degrees, joules."""
    uuid = driver.gpu(
        name="NVIDIA H200", total=141 * GIB, used=3 * GIB, util=87, power=412_300, temp=62, energy=5000
    )
    (gpu,) = devices().sample()
    assert gpu == {
        "uuid": uuid, "index": 0, "name": "NVIDIA H200", "state": "ok", "utilization": 87, "memory_used": 3 * GIB,
        "memory_total": 141 * GIB, "power": 412.3, "power_limit": 700.0, "temperature": 62, "energy": 5.0,
        "unified": False, "mig": None, "processes": [], "loads": {},
    }  # fmt: skip


def test_processes_hold_memory_while_they_live(driver, devices, sleepers, eventually):
    """A process appears with its bytes and its load, and goes when it ends."""
    child = sleepers()
    uuid = driver.gpu(used=0)
    driver.process(child.pid, 2 * GIB, sm=40)
    opened = devices()
    (gpu,) = opened.sample()
    assert gpu["processes"] == [{"uuid": uuid, "pid": child.pid, "memory_used": 2 * GIB}]
    assert gpu["loads"] == {child.pid: 40}
    assert gpu["memory_used"] == 2 * GIB
    child.kill()
    child.wait()
    assert opened.sample()[0]["processes"] == []
    assert opened.sample()[0]["memory_used"] == 0


@pytest.mark.parametrize(
    ("function", "figure"),
    [
        ("nvmlDeviceGetUtilizationRates", "utilization"),
        ("nvmlDeviceGetPowerUsage", "power"),
        ("nvmlDeviceGetEnforcedPowerLimit", "power_limit"),
        ("nvmlDeviceGetTotalEnergyConsumption", "energy"),
        ("nvmlDeviceGetProcessUtilization", "loads"),
    ],
)
def test_a_figure_that_is_not_told_is_none(driver, devices, clock, function, figure):
    """What the driver refuses is None, the rest stays, and it is not asked again for ten minutes."""
    driver.gpu()
    driver.fail(function, "not_supported")
    driver.log = True
    opened = devices()
    (gpu,) = opened.sample()
    assert gpu[figure] is None
    assert gpu["memory_used"] == 500 * MIB
    asked = driver.calls().count(function)
    clock.now += 599
    opened.sample()
    assert driver.calls().count(function) == asked
    driver.rules.clear()
    driver.write()
    clock.now += 2
    assert opened.sample()[0][figure] is not None


@pytest.mark.parametrize(
    "function", ["nvmlSystemGetDriverVersion", "nvmlDeviceGetName", "nvmlDeviceGetPciInfo_v3"]
)
def test_what_is_only_shown_may_be_missing(driver, devices, function):
    """A driver that does not tell its version, or a GPU's name or place, is watched all the same."""
    driver.gpu(util=12)
    driver.fail(function, "function_not_found")
    assert [gpu["utilization"] for gpu in devices().sample()] == [12]


def test_an_older_driver_is_asked_the_older_way(driver, devices):
    """Memory and temperature are asked by the functions that older drivers have."""
    driver.gpu(temp=50, reserved=0)
    driver.fail("nvmlDeviceGetTemperatureV", "function_not_found")
    driver.fail("nvmlDeviceGetMemoryInfo_v2", "function_not_found")
    (gpu,) = devices().sample()
    assert gpu["temperature"] == 50
    assert gpu["memory_used"] == 500 * MIB


def test_one_memory_for_machine_and_gpu(driver, devices):
    """Where the GPU has no memory of its own, the machine's is told, and marked so."""
    driver.gpu(name="NVIDIA GB10")
    driver.fail("nvmlDeviceGetMemoryInfo", "not_supported")
    driver.fail("nvmlDeviceGetMemoryInfo_v2", "not_supported")
    (gpu,) = devices().sample()
    assert gpu["unified"]
    assert 0 < gpu["memory_used"] < gpu["memory_total"]


@pytest.mark.parametrize("error", ["no_permission", "function_not_found"])
def test_memory_that_is_refused_is_not_known(driver, devices, clock, error):
    """Where the driver only refuses to tell, the machine's memory is not passed off as the GPU's, not even later."""
    driver.gpu()
    driver.fail("nvmlDeviceGetMemoryInfo", error)
    driver.fail("nvmlDeviceGetMemoryInfo_v2", error)
    opened = devices()
    for _ in range(2):
        (gpu,) = opened.sample()
        assert (gpu["memory_used"], gpu["memory_total"], gpu["unified"]) == (None, None, False)
        clock.now += 2


@pytest.mark.parametrize(
    ("error", "state"), [("gpu_is_lost", "lost"), ("reset_required", "reset_required"), ("unknown", "failed")]
)
def test_a_lost_gpu_leaves_the_others(driver, devices, clock, error, state):
    """A GPU that falls off is marked and left alone for a minute, and the others go on."""
    driver.gpu()
    driver.gpu(util=50)
    opened = devices()
    driver.fail("*", error, gpu=0)
    driver.write()
    first, second = opened.sample()
    assert (first["state"], first["memory_used"]) == (state, None)
    assert (second["state"], second["utilization"]) == ("ok", 50)
    driver.rules.clear()
    driver.write()
    assert opened.sample()[0]["state"] == state
    clock.now += 61
    assert opened.sample()[0]["state"] == "ok"


def test_a_gpu_that_comes_makes_all_stale(driver, devices):
    """When the number of GPUs changes, the handles are not trusted any more."""
    from lean_magic.monitor.devices import Stale

    driver.gpu()
    opened = devices()
    driver.gpu()
    driver.write()
    with pytest.raises(Stale):
        opened.sample()


def test_slices_tell_their_load_where_the_gpu_can(driver, devices):
    """From Hopper on each instance tells its own load, from the second sample on; an older GPU's are not known."""
    driver.gpu(name="NVIDIA H100 80GB HBM3", mig=1, gpm=1)
    driver.gpu(name="NVIDIA A100-SXM4-80GB", mig=1)
    for gpu in (0, 1):
        driver.slice(gpu=gpu, gi=7, util=61)
        driver.slice(gpu=gpu, gi=3)
    opened = devices()
    loads = [[one["utilization"] for gpu in opened.sample() for one in gpu["mig"]] for _ in range(3)]
    assert loads == [[None] * 4, [61, 0, None, None], [61, 0, None, None]]
    driver.fail("nvmlGpmMigSampleGet", "not_supported")
    driver.write()
    assert [one["utilization"] for one in opened.sample()[0]["mig"]] == [None, None]
    driver.log = True
    driver.write()
    opened.close()
    assert driver.calls().count("nvmlGpmSampleFree") == 2


def test_slices(driver, devices, sleepers):
    """Of a cut GPU each instance tells its memory and its processes; the whole tells no load."""
    child = sleepers()
    driver.gpu(mig=1, used=0)
    uuids = [driver.slice(gi=7), driver.slice(gi=3, shares=2)]
    driver.process(child.pid, GIB, gi=3)
    (gpu,) = devices().sample()
    assert [one["uuid"] for one in gpu["mig"]] == uuids
    assert [one["name"] for one in gpu["mig"]] == ["1g.10gb", "1g.10gb"]
    assert [one["share"] for one in gpu["mig"]] == [1 / 7, 2 / 7]
    assert gpu["mig"][1]["memory_used"] == GIB + 20 * MIB
    assert gpu["processes"] == [{"uuid": uuids[1], "pid": child.pid, "memory_used": GIB}]
    assert gpu["utilization"] is None
    assert gpu["loads"] is None


@pytest.mark.parametrize(
    ("regime", "listed", "memory", "sampled"),
    [("all", 1000, GIB, 1000), ("zero", 0, None, 1000), ("mixed", 0, GIB, 1000), ("own", 0, GIB, 0)],
)
def test_the_four_ways_to_number_processes(driver, devices, sleepers, regime, listed, memory, sampled):
    """Each behaviour of drivers in containers is read as it is; 0 bytes are not known bytes."""
    child = sleepers()
    driver.gpu()
    driver.regime, driver.offset = regime, 1000
    driver.process(child.pid, GIB, sm=10)
    (gpu,) = devices().sample()
    assert [(one["pid"] - child.pid, one["memory_used"]) for one in gpu["processes"]] == [(listed, memory)]
    assert gpu["loads"] == {child.pid + sampled: 10}


def test_a_sleeping_gpu_is_not_woken(driver, devices, tmp_path):
    """While the system has powered a GPU down, nothing is asked of it."""
    driver.gpu()
    file = tmp_path / "sys/bus/pci/devices/0000:10:00.0/power/runtime_status"
    file.parent.mkdir(parents=True)
    file.write_text("suspended\n")
    driver.log = True
    (gpu,) = devices().sample()
    assert (gpu["state"], gpu["power"]) == ("asleep", None)
    assert "nvmlDeviceGetPowerUsage" not in driver.calls()
