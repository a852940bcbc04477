"""Several kernels reach one missing key: one computes, the others take its result."""

import os
import signal

SLOW = "%%cached\nimport time, os\nprint('begun', flush=True)\ntime.sleep({})\nx = os.getpid()\nprint('done')"


def begun(kernel, cell):
    """Start a cell and wait until it has written its first letter."""
    handle = kernel.start(cell)
    while not kernel_wrote(kernel, "stream"):
        pass
    return handle


def kernel_wrote(kernel, kind):
    """Return whether the next message of a kernel is of a kind."""
    return kernel.client.get_iopub_msg(timeout=60)["msg_type"] == kind


def test_second_kernel_waits_and_takes_the_result(kernels):
    """While one kernel computes, another that reaches the same cell shows for whom it waits, and then hits."""
    cell = SLOW.format(3)
    one, other = kernels(), kernels()
    first = begun(one, cell)
    second = other.run(cell)
    assert second.kind == "hit"
    assert any("waiting for" in str(data) and f"process {one.pid}" in str(data) for data in second.displays)
    assert second.stdout == "begun\ndone\n"
    assert one.finish(first).kind == "miss"
    assert other.ask("x") == one.pid


def test_kernel_that_dies_is_not_waited_for(kernels, work):
    """If the kernel that computes is killed, the one that waits computes, at once."""
    cell = SLOW.format("300 if os.path.exists('first') else 0")
    (work / "first").touch()
    one, other = kernels(), kernels()
    begun(one, cell)
    (work / "first").unlink()
    waiting = other.start(cell)
    while not kernel_wrote(other, "display_data"):
        pass
    os.kill(one.pid, signal.SIGKILL)
    done = other.finish(waiting)
    assert done.kind == "miss"
    assert done.stdout == "begun\ndone\n"
    assert other.ask("x") == other.pid


def test_waiting_can_be_interrupted(kernels):
    """Who does not want to wait presses stop: the cell has not run, and the other kernel goes on."""
    cell = SLOW.format(3)
    one, other = kernels(), kernels()
    first = begun(one, cell)
    waiting = other.start(cell)
    while not kernel_wrote(other, "display_data"):
        pass
    other.interrupt()
    assert "KeyboardInterrupt" in other.finish(waiting).error
    assert not other.ask("'x' in globals()")
    assert one.finish(first).kind == "miss"


def test_failing_cell_lets_the_next_one_try(kernels):
    """A cell that raises gives its lease back, and nobody gets its result."""
    one, other = kernels(), kernels()
    cell = "%%cached\nimport os\nx = 1 / int(os.environ['STORY'])"
    one.run("import os; os.environ['STORY'] = '0'")
    assert "ZeroDivisionError" in one.run(cell).error
    other.run("import os; os.environ['STORY'] = '1'")
    assert other.run(cell).kind == "miss"
