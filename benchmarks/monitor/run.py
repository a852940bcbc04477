"""What the GPU sidebar costs the server, beside jupyterlab-nvdashboard on one fake driver; nothing is asserted.

    python benchmarks/monitor/run.py                 print the table (about five minutes)
    python benchmarks/monitor/run.py --seconds 20    measure each for longer
    python benchmarks/monitor/run.py --write         write benchmarks/monitor/RESULTS.md too

The peer is measured where it is installed. It needs a C compiler, for the driver library that both read.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "monitor"), str(ROOT / "tests" / "fake_nvml")]

from a_server import TOKEN, Server  # noqa: E402
from driver import Driver, build  # noqa: E402

PEER = "jupyterlab_nvdashboard"
CHARTS = ("gpu_utilization", "gpu_usage", "gpu_resource", "pci_stats")
TICKS = os.sysconf("SC_CLK_TCK")


def children(pid):
    """Return the processes that a process started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def cpu(pid):
    """Return a process's own seconds of processor time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Ours:
    """Clients that poll the state every two seconds, as the sidebar does."""

    name = "lean_magic"
    options = ()

    def __init__(self, server, clients):
        self.received = 0
        self._server = server
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._poll, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _poll(self):
        since = ""
        while not self._ended.is_set():
            url = f"{self._server.url}/lean-magic/api/state?since={since}"
            request = urllib.request.Request(url, headers={"Authorization": f"token {TOKEN}"})
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
            since = json.loads(text)["seq"]
            self.received += len(text)
            self._ended.wait(2.0)


class Peer:
    """Clients with four charts of the peer open, at one message a second each."""

    name = "jupyterlab-nvdashboard"
    options = (f"--ServerApp.jpserver_extensions={PEER}=True",)

    def __init__(self, server, clients):
        self.received = 0
        self._server = server
        self._clients = clients
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        self._thread.join()

    async def _listen(self):
        tasks = [asyncio.create_task(self._chart(chart)) for chart in CHARTS for _ in range(self._clients)]
        while not self._ended.is_set():  # noqa: ASYNC110 - another thread ends it
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()

    async def _chart(self, chart):
        url = f"{self._server.url.replace('http', 'ws')}/nvdashboard/{chart}"
        socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {TOKEN}"}))
        await socket.write_message(json.dumps({"updateFrequency": 1000, "isPaused": False}))
        while (text := await socket.read_message()) is not None:
            self.received += len(text)


class Alone:
    """A server without any of this: what its answers take is the machine's doing."""

    name = "a server alone, in the same seconds"
    options = ("--ServerApp.jpserver_extensions=lean_magic=False",)


def started(kind, folder, library, gpus):
    """Start a server over a driver of so many GPUs; return both."""
    driver = Driver(folder / "nvml", library, log=True)
    for _ in range(gpus):
        driver.gpu(util=50, power=300_000)
    driver.write()
    return Server(folder, driver.environ, kind.options).wait(), driver


def load(kind, server, driver, clients, seconds):
    """Return processor time of the server and of what it started, in per cent, bytes and driver calls, a second."""
    with kind(server, clients) as reading:
        time.sleep(3.0)
        pids = [server.process.pid, *children(server.process.pid)]
        before, calls, received = [cpu(pid) for pid in pids], len(driver.calls()), reading.received
        began = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        spent = [100 * (cpu(pid) - was) / took for pid, was in zip(pids, before, strict=True)]
        return {
            "server": spent[0], "probe": sum(spent[1:]), "bytes": (reading.received - received) / took,
            "calls": (len(driver.calls()) - calls) / took, "processes": len(pids) - 1,
        }  # fmt: skip


def answer(server):
    """Return the milliseconds that one `GET /api` takes."""
    began = time.monotonic()
    urllib.request.urlopen(f"{server.url}/api", timeout=300).read()
    return 1000 * (time.monotonic() - began)


def latency(kind, server, alone, driver, delay, seconds):
    """Return what `GET /api` takes, here and `alone` by turns, while samples of the driver take `delay` seconds."""
    driver.rules.clear()
    driver.write()
    waits = {server: [], alone: []}
    with kind(server, 1):
        time.sleep(3.0)
        if delay:
            driver.delay("nvmlDeviceGetUtilizationRates", delay)
            driver.write()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for one, taken in waits.items():
                taken.append(answer(one))
                time.sleep(0.02)
        driver.rules.clear()
        driver.write()
    return [
        (statistics.median(taken), sorted(taken)[len(taken) * 99 // 100], max(taken))
        for taken in waits.values()
    ]


def javascript(folder):
    """Return the kilobytes of JavaScript below a folder of an extension of JupyterLab, as they are sent."""
    return sum(file.stat().st_size for file in Path(folder).rglob("*.js")) / 1000


def measured(kind, library, seconds):
    """Yield the lines of one kind's tables."""
    for gpus in (1, 8):
        with tempfile.TemporaryDirectory() as folder:
            server, driver = started(kind, Path(folder), library, gpus)
            try:
                for clients in (0, 1, 3):
                    told = load(kind, server, driver, clients, seconds)
                    yield "load", [
                        kind.name, gpus, clients, f"{told['server']:.2f} %", f"{told['probe']:.2f} %",
                        f"{told['bytes']:.0f}", f"{told['calls']:.1f}", told["processes"],
                    ]  # fmt: skip
                    time.sleep(18 if kind is Ours and not clients else 0)
            finally:
                server.close()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        server, driver = started(kind, Path(folder), library, 1)
        alone, _ = started(Alone, Path(empty), library, 0)
        try:
            for delay, during, word in (
                (0, seconds, "answers at once"),
                (0.5, seconds, "takes 0.5 s"),
                (30, 35, "hangs 30 s"),
            ):
                for name, figures in zip(
                    (kind.name, Alone.name), latency(kind, server, alone, driver, delay, during), strict=True
                ):
                    yield "latency", [name, word, *(f"{figure:.1f} ms" for figure in figures)]
        finally:
            server.close()
            alone.close()
    extensions = Path(sys.prefix) / "share" / "jupyter" / "labextensions"
    places = {Ours: [ROOT / "lean_magic" / "labextension"], Peer: extensions.glob("*nvdashboard*")}
    yield "size", [kind.name, f"{sum(map(javascript, places[kind])):.0f} kB"]


HEADS = {
    "load": [
        "", "GPUs", "clients", "processor, server", "processor, what it started", "bytes/s", "driver calls/s",
        "processes started",
    ],
    "latency": ["", "a driver call", "`GET /api`, median", "99 of 100 within", "slowest"],
    "size": ["", "JavaScript"],
}  # fmt: skip


def table(head, rows):
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load is measured")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md")
    options = parser.parse_args()
    kinds = [Ours] + [Peer] * (importlib.util.find_spec(PEER) is not None)
    rows = {name: [] for name in HEADS}
    with tempfile.TemporaryDirectory() as folder:
        library = build(folder)
        for kind in kinds:
            for name, row in measured(kind, library, options.seconds):
                rows[name].append(row)
                print(*row, sep="  ", flush=True)
    text = "\n\n".join(table(HEADS[name], rows[name]) for name in HEADS)
    print("\n" + text)
    if options.write:
        title = "# The GPU sidebar and the server\n\nOne run of `benchmarks/monitor/run.py`, on a fake driver.\n\n"
        (Path(__file__).parent / "RESULTS.md").write_text(title + text + "\n", "utf-8")


if __name__ == "__main__":
    main()
