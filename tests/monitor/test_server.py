"""The extension in a real Jupyter server, with real kernels that hold memory of the fake driver."""

import json
import time

import pytest

pytest.importorskip("jupyter_server")
pytest.importorskip("pynvml")

GIB = 1 << 30
QUICK = [
    "--LeanMagicServer.interval=0.25",
    "--LeanMagicServer.grace=8",
    "--LeanMagicServer.notice_after=3",
]


@pytest.fixture(scope="module")
def world(nvml_library, tmp_path_factory):
    """Yield a fake driver of two GPUs and a server over it."""
    from a_server import Server
    from driver import Driver

    home = tmp_path_factory.mktemp("server")
    driver = Driver(home / "nvml", nvml_library)
    uuids = [driver.gpu(used=0), driver.gpu(used=0, util=10)]
    driver.write()
    server = Server(home, driver.environ, QUICK).wait()
    yield server, driver, uuids
    server.close()


@pytest.fixture
def server(world):
    """Yield the server, with the driver as it was first."""
    server, driver, _ = world
    driver.rules.clear()
    driver.write()
    return server


@pytest.fixture
def notebooks(server, eventually):
    """Yield a factory of notebooks with kernels; they are shut down with the test."""
    opened = []

    def start(name, **options):
        opened.append(server.notebook(name, **options))
        if options.get("lean", True):
            assert eventually(lambda: server.row(opened[-1].id)["reports"])
        return opened[-1]

    yield start
    for one in opened:
        one.close()
        server.ask(f"api/kernels/{one.id}", method="DELETE")


def test_who_holds_what(server, world, notebooks, eventually):
    """Each notebook's row shows the memory that its kernel holds, on which GPU, and the evidence."""
    _, _, uuids = world
    one, two = notebooks("one.ipynb"), notebooks("deep/two.ipynb", lean=False)
    one.run(f"hold(0, {3 * GIB}, 40)")
    two.run(f"hold(1, {GIB})")
    assert eventually(lambda: server.row(one.id)["gpus"] and server.row(two.id)["gpus"])
    assert eventually(lambda: server.row(one.id)["reports"])
    first, second = server.row(one.id), server.row(two.id)
    assert (first["path"], first["name"]) == ("one.ipynb", "one.ipynb")
    assert (second["path"], second["name"]) == ("deep/two.ipynb", "two.ipynb")
    assert first["gpus"] == [
        {"uuid": uuids[0], "memory_used": 3 * GIB, "utilization": 40.0, "evidence": "pid"}
    ]
    assert second["gpus"][0]["uuid"] == uuids[1]
    assert first["cost_per_hour"] == pytest.approx(3.99 * 3 / 80)
    assert (first["reports"], second["reports"]) == (True, False)


def test_history_comes_once(server, eventually):
    """A client gets the samples that it does not have yet, each with a higher number."""
    assert eventually(lambda: len(server.state()["history"]) > 3)
    state = server.state()
    numbers = [sample["seq"] for sample in state["history"]]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == state["seq"]
    later = server.state(since=state["seq"])
    assert all(sample["seq"] > state["seq"] for sample in later["history"])
    assert eventually(lambda: server.state(since=state["seq"])["gpus"][0]["history"])


def test_shutting_down_frees_the_right_memory(server, notebooks, eventually):
    """The kernel that is shut down is gone, its memory free in the driver, and the other untouched."""
    one, two = notebooks("one.ipynb"), notebooks("two.ipynb")
    one.run(f"hold(0, {3 * GIB})")
    two.run(f"hold(0, {GIB})")
    assert eventually(lambda: server.row(one.id)["gpus"] and server.row(two.id)["gpus"])
    status, told = server.post(one.id, "shutdown")
    assert (status, told["freed"], told["finished"]) == (200, 3 * GIB, True)
    assert told["message"] == "one.ipynb is shut down; 3.0 GiB of GPU memory are free again."
    assert server.row(one.id) is None
    assert server.row(two.id)["gpus"][0]["memory_used"] == GIB
    assert server.state()["gpus"][0]["memory_used"] == GIB
    assert one.id not in {session["kernel"]["id"] for session in server.ask("api/sessions")[1]}
    assert two.run("print(1 + 1)") == "2\n"
    assert server.post(one.id, "shutdown")[0] == 404


def test_a_kernel_finishes_what_it_registered(server, notebooks, tmp_path):
    """Before the kernel ends its hooks run, the last first; one that fails does not stop the others."""
    one = notebooks("hooks.ipynb")
    one.run(
        "import lean_magic, pathlib\n"
        f"told = pathlib.Path({str(tmp_path / 'told')!r})\n"
        "lean_magic.on_shutdown(lambda: told.write_text(told.read_text() + 'first'))\n"
        "lean_magic.on_shutdown(lambda: 1 / 0)\n"
        "lean_magic.on_shutdown(lambda: told.write_text('last '))"
    )
    status, told = server.post(one.id, "shutdown")
    assert (status, told["asked"], told["finished"]) == (200, True, True)
    assert (tmp_path / "told").read_text() == "last first"


def test_a_busy_kernel_is_named_and_confirmed(server, notebooks, tmp_path, eventually):
    """A busy kernel is refused at first; when that is confirmed its cell is interrupted and its hooks run."""
    one = notebooks("busy.ipynb")
    file = tmp_path / "told"
    one.run(
        f"import lean_magic, pathlib, time; lean_magic.on_shutdown(lambda: pathlib.Path({str(file)!r}).touch())"
    )
    one.begin("time.sleep(300)")
    assert eventually(lambda: server.row(one.id)["execution_state"] == "busy")
    status, told = server.post(one.id, "shutdown")
    assert (status, told["error"]) == (409, "busy")
    assert "busy.ipynb is busy" in told["message"]
    assert server.row(one.id) is not None
    status, told = server.post(one.id, "shutdown", busy_too=True)
    assert (status, told["finished"]) == (200, True)
    assert file.exists()


def test_a_kernel_that_does_not_answer_is_ended_all_the_same(server, notebooks, eventually):
    """A kernel that takes too long to finish is shut down when its time is over."""
    one = notebooks("slow.ipynb")
    one.run("import lean_magic, time; lean_magic.on_shutdown(lambda: time.sleep(100))")
    began = time.monotonic()
    status, told = server.post(one.id, "shutdown")
    assert (status, told["asked"], told["finished"]) == (200, True, False)
    assert time.monotonic() - began < 40
    assert server.row(one.id) is None


def test_giving_back_cache(server, notebooks):
    """A kernel is asked to give back its cache; one without lean_magic, or at work, cannot be."""
    one, two = notebooks("one.ipynb"), notebooks("two.ipynb", lean=False)
    status, told = server.post(one.id, "release")
    assert (status, told["finished"]) == (200, True)
    status, told = server.post(two.id, "release")
    assert (status, told["error"]) == (400, "bad_request")
    one.begin("import time; time.sleep(3)")
    time.sleep(0.5)
    assert server.post(one.id, "release")[0] == 409


TORCH = """
import sys, types
class cuda:
    reserved, allocated = [{reserved}, {allocated}]
    is_initialized = is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    memory_reserved = staticmethod(lambda index: cuda.reserved)
    memory_allocated = staticmethod(lambda index: cuda.allocated)
    get_device_properties = staticmethod(lambda index: types.SimpleNamespace(uuid="{uuid}"))
    @staticmethod
    def empty_cache():
        cuda.reserved = cuda.allocated
        hold(0, cuda.reserved)
sys.modules["torch"] = types.SimpleNamespace(cuda=cuda)
hold(0, cuda.reserved)
"""


def test_what_is_given_back_is_read_from_the_driver(server, world, notebooks, eventually):
    """Cache that can be given back stands in the row; afterwards it is free in the driver, and the kernel goes on."""
    _, _, uuids = world
    one = notebooks("cache.ipynb")
    one.run(TORCH.format(reserved=5 * GIB, allocated=2 * GIB, uuid=uuids[0].removeprefix("GPU-")))
    one.run("kept = 'as it was'")
    assert eventually(lambda: server.row(one.id)["releasable_bytes"] == 3 * GIB)
    assert eventually(lambda: [held["memory_used"] for held in server.row(one.id)["gpus"]] == [5 * GIB])
    status, told = server.post(one.id, "release")
    assert (status, told["freed"], told["message"]) == (
        200, 3 * GIB, "cache.ipynb gave back its cache; 3.0 GiB of GPU memory are free again."
    )  # fmt: skip
    assert eventually(lambda: server.row(one.id)["releasable_bytes"] == 0)
    assert server.row(one.id)["gpus"][0]["memory_used"] == 2 * GIB
    assert one.run("print(kept)") == "as it was\n"


def test_a_restart_keeps_the_row(server, notebooks, eventually):
    """After a restart a kernel's row tells of the new process alone: nothing held, nothing reported."""
    one = notebooks("again.ipynb")
    one.run(f"hold(0, {GIB})")
    assert eventually(lambda: server.row(one.id)["gpus"])
    assert server.ask(f"api/kernels/{one.id}/restart", {})[0] == 200
    assert eventually(lambda: not server.row(one.id)["gpus"] and not server.row(one.id)["reports"])


def test_a_report_goes_with_its_kernel(server, notebooks, eventually):
    """Unloaded, or ended in the ordinary way, a kernel leaves no file behind."""
    one, two = notebooks("one.ipynb"), notebooks("two.ipynb")
    files = [server.runtime / f"lean-magic-{kernel.id}.json" for kernel in (one, two)]
    assert all(file.exists() for file in files)
    one.run("%unload_ext lean_magic")
    assert not files[0].exists()
    assert eventually(lambda: not server.row(one.id)["reports"])
    server.ask(f"api/kernels/{two.id}", method="DELETE")
    assert eventually(lambda: not files[1].exists())


def test_a_kernel_without_a_notebook(server, eventually):
    """A kernel that was started by itself has a row with its own name, and can be shut down."""
    status, kernel = server.ask("api/kernels", {"name": "python3"})
    assert status == 201
    assert eventually(lambda: server.row(kernel["id"]))
    row = server.row(kernel["id"])
    assert (row["path"], row["name"]) == (None, "Python 3 (ipykernel)")
    assert server.post(kernel["id"], "shutdown")[0] == 200
    assert server.row(kernel["id"]) is None


def test_a_console_that_shares_a_kernel(server, notebooks):
    """A kernel that a console was opened for is still known by its notebook, and is shut down with both."""
    one = notebooks("shared.ipynb")
    body = {"path": "console-1", "name": "Console 1", "type": "console", "kernel": {"id": one.id}}
    assert server.ask("api/sessions", body)[0] == 201
    assert (server.row(one.id)["path"], server.row(one.id)["name"]) == ("shared.ipynb", "shared.ipynb")
    assert server.post(one.id, "shutdown")[0] == 200
    assert one.id not in {session["kernel"]["id"] for session in server.ask("api/sessions")[1]}


def test_pin_and_snooze(server, notebooks):
    """Pinned and snoozed notebooks say so in their row, and are free again when that is taken back."""
    one = notebooks("one.ipynb")
    assert server.post(one.id, "pin", pinned=True)[0] == 200
    assert server.row(one.id)["pinned"]
    server.post(one.id, "pin", pinned=False)
    assert not server.row(one.id)["pinned"]
    server.post(one.id, "snooze", seconds=3600)
    assert server.row(one.id)["snoozed_until"] > time.time() + 3500
    server.post(one.id, "snooze", seconds=0)
    assert server.row(one.id)["snoozed_until"] is None


@pytest.mark.parametrize("body", [{"seconds": -1}, {"seconds": "1"}, {"seconds": True}, {"seconds": 1e9}, []])
def test_nonsense_is_refused(server, notebooks, body):
    """A body that cannot be understood is a bad request."""
    one = notebooks("one.ipynb")
    assert server.ask(f"lean-magic/api/kernels/{one.id}/snooze", body)[0] == 400


def test_an_idle_holder_is_noticed(server, notebooks, eventually):
    """A kernel that holds a GPU and does nothing gets its notice, with a sentence."""
    one = notebooks("idle.ipynb")
    one.run(f"hold(0, {3 * GIB})")
    assert eventually(lambda: server.row(one.id)["verdict"] == "notice")
    assert "holds 3.0 GiB and has been idle for" in server.row(one.id)["reason"]


ROUTES = [
    ("lean-magic/api/state", None), ("lean-magic/metrics", None),
    *((f"lean-magic/api/kernels/x/{action}", {}) for action in ("shutdown", "release", "snooze", "pin")),
]  # fmt: skip


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_every_route_asks_who_is_there(server, route, body):
    """Without a token each route refuses."""
    status, answer = server.ask(route, body, headers={})
    assert status == 403
    assert "gpus" not in json.dumps(answer)


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_another_origin_is_refused(server, route, body):
    """A page of another origin, even with the cookie of somebody logged in, gets nothing."""
    from urllib.error import HTTPError
    from urllib.request import Request

    data = None if body is None else b"{}"
    headers = {"Origin": "http://elsewhere.example", "X-XSRFToken": "guessed"}
    with pytest.raises(HTTPError) as refused:
        server.browser().open(Request(f"{server.url}/{route}", data=data, headers=headers), timeout=30)
    assert refused.value.code in {403, 404}  # Jupyter's way to refuse
    assert b"gpus" not in refused.value.read()


@pytest.mark.parametrize(("route", "body"), ROUTES)
def test_another_origin_is_refused_with_a_token_too(server, route, body):
    """A page of another origin that has got hold of the token gets nothing either; one of this origin is answered."""
    token = {"Authorization": "token let-me-in"}
    status, answer = server.ask(route, body, headers=token | {"Origin": "http://elsewhere.example"})
    assert status in {403, 404}
    assert "gpus" not in json.dumps(answer)
    assert "no such kernel" not in json.dumps(answer)
    same = {"Origin": "http://behind-a-proxy.example", "Sec-Fetch-Site": "same-origin"}
    for ours in ({"Origin": server.url}, same):
        status, answer = server.ask(route, body, headers=token | ours)
        assert status == 200 or "no such kernel" in answer["message"]
    assert server.ask(route, body, headers=same)[0] in {403, 404}


def test_a_post_without_the_forgery_guard_is_refused(server):
    """Who is logged in by cookie alone must send Jupyter's token against forged requests."""
    from urllib.error import HTTPError
    from urllib.request import Request

    browser = server.browser()
    url = f"{server.url}/lean-magic/api/kernels/x/pin"
    assert browser.open(f"{server.url}/lean-magic/api/state", timeout=30).status == 200
    with pytest.raises(HTTPError) as refused:
        browser.open(Request(url, data=b"{}"), timeout=30)
    assert refused.value.code == 403


def test_metrics(server, notebooks, eventually):
    """Prometheus gets a line for each figure that is known, with kernel and notebook."""
    one = notebooks("metrics.ipynb")
    one.run(f"hold(1, {GIB})")
    assert eventually(lambda: server.row(one.id)["gpus"])
    status, text = server.ask("lean-magic/metrics")
    assert status == 200
    assert f'lean_magic_kernel_gpu_memory_bytes{{kernel="{one.id}",notebook="metrics.ipynb",' in text
    assert "lean_magic_driver_up 1\n" in text


def test_a_hanging_driver_holds_nothing_up(server, world, notebooks, eventually):
    """While the driver hangs the state says so, shows what was known, and each answer takes milliseconds."""
    _, driver, _ = world
    one = notebooks("hang.ipynb")
    one.run(f"hold(0, {GIB})")
    assert eventually(lambda: server.row(one.id)["gpus"])
    driver.delay("*", 600)
    driver.write()
    waits, states, end = [], set(), time.monotonic() + 8
    while time.monotonic() < end:
        began = time.monotonic()
        state = server.state(since=0)
        waits.append(time.monotonic() - began)
        states.add(state["status"]["state"])
        time.sleep(0.02)
    assert "driver_hanging" in states or eventually(
        lambda: server.state()["status"]["state"] == "driver_hanging"
    )
    assert state["gpus"][0]["memory_total"] == 80 * GIB
    assert server.row(one.id)["gpus"][0]["memory_used"] == GIB
    # One call of the driver takes ten minutes; what is left is the load of the machine that tests run on.
    assert max(waits) < 2.0
    assert sorted(waits)[len(waits) // 2] < 0.2
    driver.rules.clear()
    driver.write()
    assert eventually(lambda: server.state()["status"]["state"] == "ok", 30)


def test_a_lost_gpu_is_shown_beside_the_others(server, world, eventually):
    """A GPU that falls off the bus keeps its place and says what is wrong; the other goes on."""
    _, driver, _ = world
    driver.fail("*", "gpu_is_lost", gpu=0)
    driver.write()
    assert eventually(lambda: server.state()["gpus"][0]["state"] == "lost")
    gpus = server.state()["gpus"]
    assert gpus[0]["memory_used"] is None
    assert gpus[0]["message"] == "This GPU has fallen off the bus; the machine needs a restart."
    assert gpus[1]["utilization"] == 10
