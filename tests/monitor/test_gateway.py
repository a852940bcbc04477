"""Kernels on another machine: a server whose kernels run behind a gateway, here a second server."""

import pytest

pytest.importorskip("jupyter_server")
pytest.importorskip("pynvml")


@pytest.fixture
def servers(driver, tmp_path):
    """Yield a server with a GPU whose kernels all run in another server, and that other."""
    from a_server import TOKEN, Server

    driver.gpu()
    driver.write()
    far = Server(tmp_path / "far", options=["--ServerApp.disable_check_xsrf=True"]).wait()
    gateway = [f"--GatewayClient.url={far.url}", f"--GatewayClient.auth_token={TOKEN}"]
    near = Server(tmp_path / "near", driver.environ, gateway).wait()
    yield near, far
    near.close()
    far.close()


def test_a_kernel_elsewhere_is_named_and_never_accused(servers):
    """A kernel behind a gateway is marked as one, is said nothing of that is not known, and can be shut down."""
    near, far = servers
    (near.root / "far.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    body = {"path": "far.ipynb", "name": "far", "type": "notebook", "kernel": {"name": "python3"}}
    status, session = near.ask("api/sessions", body)
    assert status == 201, session
    kernel = session["kernel"]["id"]
    row = near.row(kernel)
    assert (row["path"], row["remote"], row["verdict"], row["gpus"]) == ("far.ipynb", True, "keep", [])
    assert row["reason"] == "runs on another machine; what it holds there is not known"
    assert (row["cost_per_hour"], row["releasable_bytes"]) == (None, None)
    assert near.post(kernel, "release")[0] == 400
    assert near.post(kernel, "shutdown")[0] == 200
    assert near.row(kernel) is None
    assert far.ask("api/kernels")[1] == []
