"""Real kernels for the stories: started in a blink, asked through jupyter_client, with what each cell showed."""

import ast
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

HERE = Path(__file__).parent
SECONDS = 120

# A machine that is slow today must not make a progress bar part of what a cell shows.
SETTINGS = ["--LeanMagic.progress_after=3600"]

# Asked after every cell: the outcome, if this cell had one, and which object it is.
_ASK = (
    "(lambda found: __import__('json').dumps([__import__('builtins').id(found), found.__class__.__name__, "
    "{name: getattr(found, name) for name in found.__slots__} if found is not None else {}]))"
    "(__import__('lean_magic').last_outcome())"
)


@dataclass
class Done:
    """What one cell did, as a front end sees it."""

    source: str
    stdout: str = ""
    stderr: str = ""
    events: list[tuple[str, Any]] = field(default_factory=list)
    value: Any = None
    error: str = ""
    kind: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    status_line: str = ""
    items_line: str = ""

    @property
    def displays(self):
        """The mime bundles of all displays, without the status line."""
        return [event[1] for event in self.events if event[0] in {"display", "update"}]

    @property
    def reason(self):
        """The reasons of a miss or a bypass as one text."""
        return " · ".join(self.figures.get("reasons", [])) or self.figures.get("reason", "")

    def __repr__(self):
        return (
            f"Done({self.source!r}, {self.kind or 'uncached'}, {self.reason or self.error or self.stdout!r})"
        )


class Kernel:
    """One kernel; `run` gives a Done."""

    def __init__(self, nursery):
        self._folder = Path(tempfile.mkdtemp(prefix="k"))
        file, _ = write_connection_file(
            str(self._folder / "c.json"), transport="ipc", ip=str(self._folder / "k"),
            shell_port=1, iopub_port=2, stdin_port=3, control_port=4, hb_port=5,
        )  # fmt: skip
        self.pid = nursery.start(["-f", file, "--HistoryManager.hist_file=:memory:", *SETTINGS])
        self.client = BlockingKernelClient(connection_file=file)
        self.client.load_connection_file()
        self.client.start_channels(hb=False)
        self._last = 0
        self._asks = False

    def wait(self):
        """Wait until the kernel answers on both channels."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            asked = self.client.execute("", silent=True, store_history=False)
            with contextlib.suppress(queue.Empty):
                self._collect(asked, lambda _: None, 5)
                return self
        raise TimeoutError("the kernel did not start")

    def prepare(self, folder, environ, lean):
        """Move into a folder, set variables, and load the extension."""
        self._move(folder, environ)
        self._environ = self.ask("dict(__import__('os').environ)")
        if lean:
            self.quietly("get_ipython().run_line_magic('load_ext', 'lean_magic')")
            # On a busy machine storing may take long enough for a bar, which is no output of the cell's.
            self.quietly("get_ipython()._lean_magic.runner.settings.progress_after = 600.0")
            self._asks = True
        return self

    def empty(self, folder, environ):
        """Forget all names, as if nothing had run, and move into a folder."""
        self.quietly("__import__('os').environ.clear(); __import__('os').chdir('/')")
        self.quietly("get_ipython().reset(new_session=True)")
        self._move(folder, {**self._environ, **environ})
        return self

    def _move(self, folder, environ):
        changes = json.dumps({name: str(value) for name, value in environ.items()})
        self.quietly(f"__import__('os').environ.update({changes}); __import__('os').chdir({str(folder)!r})")

    def quietly(self, source):
        """Run code that leaves no trace in the history. Raises RuntimeError if it fails."""
        asked = self.client.execute(source, silent=True, store_history=False)
        reply = self._collect(asked, lambda _: None, SECONDS)
        if reply["status"] != "ok":
            raise RuntimeError("\n".join(reply.get("traceback", [])))

    def run(self, source, seconds=SECONDS):
        """Run one cell as a user would."""
        done = Done(source)
        asks = {"outcome": _ASK} if self._asks else {}
        asked = self.client.execute(source, user_expressions=asks, allow_stdin=False)
        reply = self._collect(asked, lambda message: _note(done, message), seconds)
        if reply["status"] == "ok" and asks:
            self._outcome(done, reply["user_expressions"]["outcome"])
        elif asks:
            self._outcome(done, self._ask(_ASK))
        return done

    def start(self, source):
        """Send a cell and do not wait; `finish` waits."""
        return Done(source), self.client.execute(source, allow_stdin=False)

    def finish(self, begun):
        """Wait for a cell that `start` sent."""
        done, asked = begun
        self._collect(asked, lambda message: _note(done, message), SECONDS)
        self._outcome(done, self._ask(_ASK))
        return done

    def interrupt(self):
        """Press the stop button."""
        os.kill(self.pid, signal.SIGINT)

    def ask(self, expression):
        """Evaluate an expression whose value JSON can carry, leaving no trace."""
        answer = self._ask(f"__import__('json').dumps({expression})")
        if answer["status"] != "ok":
            raise RuntimeError("\n".join(answer["traceback"]))
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def _ask(self, expression):
        asked = self.client.execute("", silent=True, store_history=False, user_expressions={"it": expression})
        return self._collect(asked, lambda _: None, SECONDS)["user_expressions"]["it"]

    def portrait(self):
        """Describe every name of the user, as `story_portraits` does."""
        path = str(HERE / "story_portraits.py")
        code = f"__import__('runpy').run_path({path!r})['portraits'](get_ipython().user_ns)"
        return self.ask(code)

    def _outcome(self, done, answer):
        if answer["status"] != "ok":
            raise RuntimeError("\n".join(answer["traceback"]))
        number, name, figures = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        if number != self._last and name != "NoneType":
            done.kind, done.figures, self._last = name.lower(), figures, number

    def _collect(self, asked, note, seconds):
        """Hand every message about one request to `note`; give the reply once all is said."""
        end = time.monotonic() + seconds
        while True:
            message = self.client.get_iopub_msg(timeout=max(end - time.monotonic(), 0.01))
            if message["parent_header"].get("msg_id") != asked:
                continue
            note(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while True:
            reply = self.client.get_shell_msg(timeout=max(end - time.monotonic(), 0.01))
            if reply["parent_header"].get("msg_id") == asked:
                return reply["content"]

    def stop(self):
        """End the kernel at once."""
        self.client.stop_channels()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)


def _note(done, message):
    kind, content = message["msg_type"], message["content"]
    if kind == "stream":
        setattr(done, content["name"], getattr(done, content["name"]) + content["text"])
        if done.events and done.events[-1][0] == content["name"]:
            done.events[-1] = (content["name"], done.events[-1][1] + content["text"])
        else:
            done.events.append((content["name"], content["text"]))
    elif kind in {"display_data", "update_display_data"}:
        if "lean-magic-status" in content["data"].get("text/html", ""):
            done.status_line = content["data"]["text/plain"]
        elif "lean-magic-items" in content["data"].get("text/html", ""):
            done.items_line = content["data"]["text/plain"]
        else:
            done.events.append(("display" if kind == "display_data" else "update", content["data"]))
    elif kind == "execute_result":
        done.value = content["data"]
        done.events.append(("value", content["data"]))
    elif kind == "clear_output":
        done.events.append(("clear", content["wait"]))
    elif kind == "error":
        done.error = "\n".join(content["traceback"])
        done.events.append(("error", done.error))


_NOISE = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"0[xX][0-9a-fA-F]{6,}"), "0x…"),
    (re.compile(r"\S*ipykernel_\d+/\d+\.py"), "<cell>"),
    (re.compile(r"In\s?\[\d+\]"), "In[n]"),
]


def plain(content):
    """Leave out of a text, or of a structure of texts, what differs between any two kernels."""
    if isinstance(content, str):
        for pattern, instead in _NOISE:
            content = pattern.sub(instead, content)
        return content
    if isinstance(content, dict):
        return {name: plain(item) for name, item in content.items()}
    return [plain(item) for item in content] if isinstance(content, (list, tuple)) else content


class Nursery:
    """One process that kernels are forked from, with a hash seed of its own."""

    def __init__(self, seed, home, libraries):
        environ = {
            **os.environ,
            "PYTHONHASHSEED": str(seed),
            "IPYTHONDIR": str(home),
            "MPLCONFIGDIR": str(home),
        }
        for name in list(environ):
            # ipykernel captures less of the output where it believes itself to be tested.
            if name.startswith(("LEAN_MAGIC_", "PYTEST_")):
                del environ[name]
        command = [sys.executable, "-Xfrozen_modules=off", str(HERE / "kernel_nursery.py"), *libraries]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        )

    def start(self, arguments):
        """Fork one kernel; gives its process id."""
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self):
        """End the process; kernels that still live see it and end too."""
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


class Pool:
    """Kernels that are started ahead of being asked for, of two hash seeds in turn."""

    AHEAD = 2

    def __init__(self, home, libraries=()):
        self._nurseries = [Nursery(seed, home, libraries) for seed in (1, 2)]
        self._ready = [[], []]
        self._refill()

    def _refill(self):
        for nursery, ready in zip(self._nurseries, self._ready, strict=True):
            while len(ready) < self.AHEAD:
                ready.append(Kernel(nursery))

    def take(self, turn):
        """Give a fresh kernel of one of the two seeds."""
        kernel = self._ready[turn % 2].pop(0)
        self._refill()
        return kernel.wait()

    def close(self):
        """End all."""
        for ready in self._ready:
            for kernel in ready:
                kernel.stop()
        for nursery in self._nurseries:
            nursery.close()
