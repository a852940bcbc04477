"""A server that nobody looked at for hours: what the first look, or the first click, finds out about its kernels."""

import time

import pytest

pytest.importorskip("jupyter_server")
pytest.importorskip("pynvml")


@pytest.fixture
def server(driver, tmp_path):
    """Yield a server that was not looked at yet."""
    from a_server import Server

    driver.gpu(used=0)
    driver.write()
    server = Server(tmp_path, driver.environ, ["--LeanMagicServer.interval=0.25"]).wait()
    yield server
    server.close()


def begin_unheard(kernel, file):
    """Let a kernel run a cell for minutes, and let Jupyter take it for idle: the last message that it saw was another."""
    kernel.begin(f"import pathlib, time; pathlib.Path({str(file)!r}).touch(); time.sleep(300)")
    message = kernel.client.session.msg("create_subshell_request")
    kernel.client.control_channel.send(message)
    kernel.client.get_control_msg(timeout=60)


def told(server, kernel, what="execution_state"):
    """Return what Jupyter itself says of a kernel."""
    return server.ask(f"api/kernels/{kernel.id}")[1][what]


def settled(server, kernel):
    """Return a kernel's last activity, once what it has just published has reached the server."""
    moment = None
    while moment != (moment := told(server, kernel, "last_activity")):
        time.sleep(1.5)
    return moment


def test_what_began_before_anybody_looked_is_busy(server, eventually, tmp_path):
    """A cell that began unseen is seen to run, whatever Jupyter says; a kernel that runs nothing is idle."""
    busy, idle = server.notebook("busy.ipynb"), server.notebook("idle.ipynb")
    begin_unheard(busy, tmp_path / "began")
    assert eventually((tmp_path / "began").exists)
    assert eventually(lambda: told(server, busy) == "idle")
    status, answer = server.post(busy.id, "shutdown")
    assert (status, answer["error"]) == (409, "busy")
    assert eventually(lambda: server.row(busy.id)["execution_state"] == "busy")
    assert server.row(busy.id)["idle_seconds"] is None
    assert server.row(idle.id)["execution_state"] == "idle"
    server.ask(f"api/kernels/{busy.id}/restart", {})
    assert eventually(lambda: server.row(busy.id)["execution_state"] == "idle")
    for kernel in (busy, idle):
        kernel.close()


def test_a_look_is_no_activity(server, eventually):
    """Being looked at does not count as activity, so Jupyter's own culling goes on as if nobody had."""
    one = server.notebook("one.ipynb")
    before = settled(server, one)
    assert eventually(lambda: server.row(one.id)["idle_seconds"] is not None)
    time.sleep(2.0)
    assert told(server, one, "last_activity") == before
    one.close()
