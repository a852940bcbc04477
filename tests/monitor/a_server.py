"""A real Jupyter server in a process of its own, over the fake driver, and clients of it."""

import contextlib
import http.cookiejar
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

TOKEN = "let-me-in"

# What a test's kernel runs to hold memory of the fake driver while it lives. The open file is the proof that drivers of
# containers are asked for.
HOLD = """
import os, pathlib
def hold(gpu, size, sm=0, gi=-1):
    file = pathlib.Path(os.environ["FAKE_NVML"] + ".d", f"{os.getpid()}-{gpu}")
    file.parent.mkdir(exist_ok=True)
    file.with_name("." + file.name).write_text(f"proc gpu={gpu} pid={os.getpid()} mem={size} sm={sm} gi={gi}\\n")
    os.replace(file.with_name("." + file.name), file)
"""


def free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server."""

    def __init__(self, home, environ=None, options=()):
        self.home = Path(home)
        self.root = self.home / "notebooks"
        self.root.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{free_port()}"
        folders = {name: str(self.home / name) for name in ("config", "data", "run")}
        self.runtime = Path(folders["run"])
        self.environ = {
            **os.environ, "HOME": str(self.home), "JUPYTER_CONFIG_DIR": folders["config"],
            "JUPYTER_DATA_DIR": folders["data"], "JUPYTER_RUNTIME_DIR": folders["run"], "IPYTHONDIR": str(self.home / "ipython"),
            "LEAN_MAGIC_CACHE_DIR": str(self.home / "cache"), **(environ or {}),
        }  # fmt: skip
        self.log = self.home / "server.log"
        command = [
            sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ip=127.0.0.1",
            f"--port={self.url.rpartition(':')[2]}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.root}", "--ServerApp.allow_unauthenticated_access=False",
            "--ServerApp.jpserver_extensions=lean_magic=True", *options,
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, seconds=60):
        """Wait until it answers."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.ask("api/status")
                return self
            time.sleep(0.1)
        raise RuntimeError(self.log.read_text())

    def ask(self, path, body=None, method=None, headers=None):
        """Send a request; return the status and the JSON or text of the answer."""
        headers = {"Authorization": f"token {TOKEN}"} if headers is None else headers
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, _content(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _content(error.read())

    def browser(self):
        """Return an opener that is logged in by cookie, as a browser is."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        browser.open(f"{self.url}/api/status?token={TOKEN}", timeout=30).read()
        return browser

    def state(self, since=None):
        """Return the state."""
        status, state = self.ask("lean-magic/api/state" + (f"?since={since}" if since is not None else ""))
        assert status == 200, state
        return state

    def row(self, kernel_id):
        """Return a kernel's row; None if it has none."""
        return next((row for row in self.state()["kernels"] if row["kernel_id"] == kernel_id), None)

    def post(self, kernel_id, action, **body):
        """Do something to a kernel."""
        return self.ask(f"lean-magic/api/kernels/{kernel_id}/{action}", body)

    def notebook(self, name, lean=True):
        """Open a notebook with a kernel, and return a client of it."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
        body = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        status, session = self.ask("api/sessions", body)
        assert status == 201, session
        return Kernel(self, session["kernel"]["id"], lean)

    def close(self):
        """End the server and what belongs to it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Kernel:
    """A client of a kernel, as a notebook would be."""

    def __init__(self, server, kernel_id, lean=True):
        from jupyter_client import BlockingKernelClient

        self.id = kernel_id
        self.client = BlockingKernelClient(connection_file=str(server.runtime / f"kernel-{kernel_id}.json"))
        self.client.load_connection_file()
        self.client.start_channels()
        self._wait()
        self.run(HOLD)
        if lean:
            self.run("%load_ext lean_magic")

    def _wait(self, seconds=90):
        # On a busy machine a kernel that starts misses a heartbeat, and the client takes it for dead.
        end = time.monotonic() + seconds
        while True:
            try:
                return self.client.wait_for_ready(timeout=30)
            except RuntimeError:
                if time.monotonic() > end:
                    raise

    def run(self, code):
        """Run a cell to its end, and return what it printed."""
        printed = []

        def hear(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, timeout=90, output_hook=hear)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed)

    def begin(self, code):
        """Begin to run a cell."""
        return self.client.execute(code)

    def close(self):
        """Leave the kernel."""
        self.client.stop_channels()


def _content(text):
    try:
        return json.loads(text)
    except ValueError:
        return text.decode()
