"""A Jupyter server extension that answers the sidebar's routes from a file: any state of the world, at will.

The file is named by LEAN_MAGIC_FIXTURE and read anew for each request, so a test changes the world by writing it.
What the sidebar asks for is appended to the file's neighbour `<file>.posts`, one line of JSON each.
"""

import json
import os
from pathlib import Path

import tornado.web
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join

ROOT = "lean-magic/api"


def fixture():
    """Return the file that holds the state of the world."""
    return Path(os.environ["LEAN_MAGIC_FIXTURE"])


class StateHandler(APIHandler):
    """What `GET lean-magic/api/state` answers."""

    @tornado.web.authenticated
    def get(self):
        """Answer with the file; `{"http": 503}` stands for a server that cannot."""
        state = json.loads(fixture().read_text("utf-8"))
        if "http" in state:
            raise tornado.web.HTTPError(state["http"])
        self.finish(state)


class VerbHandler(APIHandler):
    """What `POST lean-magic/api/kernels/<id>/<verb>` answers."""

    @tornado.web.authenticated
    def post(self, kernel_id, verb):
        """Note what was asked for, and say that it was done."""
        asked = {"kernel_id": kernel_id, "verb": verb, "body": self.get_json_body()}
        with Path(f"{fixture()}.posts").open("a", encoding="utf-8") as posts:
            posts.write(json.dumps(asked) + "\n")
        freed = 23408410624 if verb == "shutdown" else 9985589248 if verb == "release" else None
        answer = {"version": 1, "message": f"{verb}: done.", "freed": freed, "asked": True, "finished": True}
        self.finish(answer)


def _jupyter_server_extension_points():
    return [{"module": "fixture_server"}]


def _load_jupyter_server_extension(server):
    base = server.web_app.settings["base_url"]
    handlers = [
        (url_path_join(base, ROOT, "state"), StateHandler),
        (url_path_join(base, ROOT, "kernels", "([^/]+)", "([a-z]+)"), VerbHandler),
    ]
    server.web_app.add_handlers(".*$", handlers)
