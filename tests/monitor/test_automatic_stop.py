"""The automatic stop, in a real server: an idle holder is ended after a countdown, and nobody else ever."""

import time

import pytest

pytest.importorskip("jupyter_server")
pytest.importorskip("pynvml")

GIB = 1 << 30
GUARDED = [
    "--LeanMagicServer.interval=0.25", "--LeanMagicServer.stop_idle=True", "--LeanMagicServer.notice_after=2",
    "--LeanMagicServer.stop_after=8", "--LeanMagicServer.countdown=5", "--LeanMagicServer.grace=5",
]  # fmt: skip


def test_only_idle_holders_are_stopped(driver, tmp_path, eventually):
    """With the guard on, who holds a GPU idly gets a countdown and is ended; busy, snoozed and small ones are not."""
    from a_server import Server

    driver.gpu(used=0)
    driver.write()
    server = Server(tmp_path, driver.environ, GUARDED).wait()
    try:
        names = ["idle", "called off", "busy", "snoozed", "small"]
        one = {name: server.notebook(f"{name}.ipynb") for name in names}
        for name, kernel in one.items():
            kernel.run(f"hold(0, {GIB // 100 if name == 'small' else 4 * GIB})")
        server.post(one["snoozed"].id, "snooze", seconds=3600)
        one["busy"].begin("import time; time.sleep(300)")
        ids = {kernel.id: name for name, kernel in one.items()}
        began = server.state()
        assert (began["guard"]["stop"], began["countdowns"]) == (True, [])
        counting = eventually(
            lambda: len(server.state()["countdowns"]) == 2 and server.state()["countdowns"], 60
        )
        assert {ids[each["kernel_id"]] for each in counting} == {"idle", "called off"}
        assert all(0 < each["seconds_left"] <= 5 for each in counting)
        server.post(one["called off"].id, "snooze", seconds=60)
        assert [ids[each["kernel_id"]] for each in server.state()["countdowns"]] == ["idle"]
        assert eventually(lambda: server.row(one["idle"].id) is None, 30)
        time.sleep(3)
        left = {ids[row["kernel_id"]] for row in server.state()["kernels"]}
        assert left == {"called off", "busy", "snoozed", "small"}
        assert server.state()["gpus"][0]["memory_used"] == 12 * GIB + GIB // 100
        for kernel in one.values():
            kernel.close()
    finally:
        server.close()
