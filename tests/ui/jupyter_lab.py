"""A throw-away JupyterLab on a free port, with homes and settings of its own, and the sidebar as it was built last."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "lean_magic" / "labextension"
HERE = Path(__file__).parent
TOKEN = "a-token-for-tests"
PATIENCE = 90  # seconds; the machine may have much else to do


def free_port():
    """Return the number of a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(look, why, seconds=PATIENCE):
    """Return the first true answer of `look`; fail saying `why` if there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):  # urllib's errors are of this kind too
            if answer := look():
                return answer
        time.sleep(0.1)
    raise TimeoutError(why)


class Lab:
    """A running JupyterLab."""

    def __init__(self, url, root, log):
        self.url, self.root, self.log = url, root, log

    def get(self, path):
        """Return the JSON of a REST route."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def post(self, path, body):
        """Send JSON to a REST route; a token needs no cookie against forgery."""
        headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def page(self):
        """Return the address of the page, with the login, and nothing left from an earlier visit."""
        return f"{self.url}/lab?reset&token={TOKEN}"


def write_json(path, content):
    """Write JSON to a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")


def prepare(home, *, extensions, settings, config):
    """Lay out the folders: which server extensions run, and what a person chose in JupyterLab's settings."""
    server = {"ServerApp": {"jpserver_extensions": extensions}} | config
    write_json(home / "config" / "jupyter_server_config.json", server)
    quiet = {"fetchNews": "false", "checkForUpdates": False}  # news would cover our notices
    chosen = {"@jupyterlab/apputils-extension/notification": quiet} | settings
    for name, content in chosen.items():
        write_json(home / "settings" / f"{name}.jupyterlab-settings", content)
    (home / "labextensions").mkdir()
    (home / "labextensions" / "lean-magic").symlink_to(ASSETS)
    for folder in ("runtime", "root"):
        (home / folder).mkdir()


def environment(home, extra):
    """Return the environment of the server: nothing of the person's own settings gets in."""
    names = {"HOME": "", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
             "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}  # fmt: skip
    ours = {name: str(home / folder) for name, folder in names.items()}
    # otherwise what the environment enables would win over what this test enables
    ours |= {
        "JUPYTER_PREFER_ENV_PATH": "0",
        "PYTHONPATH": str(HERE),
        "LEAN_MAGIC_CACHE_DIR": str(home / "cache"),
    }
    return os.environ | ours | extra


@contextlib.contextmanager
def running(home, *, extensions, settings=None, env=None, config=None):
    """Yield a Lab with the server extensions named, and end it."""
    prepare(home, extensions=extensions, settings=settings or {}, config=config or {})
    url = f"http://127.0.0.1:{free_port()}"
    options = {
        "ServerApp.port": url.rsplit(":", 1)[1],
        "ServerApp.port_retries": "0",
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.root_dir": str(home / "root"),
        "IdentityProvider.token": TOKEN,
        "LabApp.extra_labextensions_path": str(home / "labextensions"),
        "LabApp.expose_app_in_browser": "True",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    log = home / "lab.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=environment(home, env or {}), stdout=out, stderr=out, cwd=home)
        lab = Lab(url, home / "root", log)
        try:
            eventually(
                lambda: server.poll() is not None or lab.get("/api/status"), "JupyterLab does not start"
            )
            assert server.poll() is None, log.read_text("utf-8")
            yield lab
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
