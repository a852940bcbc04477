"""The routes, for whoever is logged in; no decisions.

    GET  lean-magic/api/state?since=SEQ             the state, with the samples after SEQ
    GET  lean-magic/metrics                         the same as Prometheus text
    POST lean-magic/api/kernels/ID/shutdown         {"busy_too": false}; 409 if it is busy and that is not so
    POST lean-magic/api/kernels/ID/release          {}; 409 if it is busy
    POST lean-magic/api/kernels/ID/snooze           {"seconds": 3600}; 0 ends it
    POST lean-magic/api/kernels/ID/pin              {"pinned": true}

A POST answers {"version", "message", "freed", "asked", "finished"}: a sentence for the screen, bytes that the driver
shows as freed or null, whether the kernel was asked to finish, and whether it did. An error answers
{"version", "error", "message"} with error "busy", "not_found" or "bad_request".
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado.web import authenticated

from lean_magic.errors import UsageError
from lean_magic.monitor.culler import Busy, Outcome
from lean_magic.monitor.metrics import to_text
from lean_magic.monitor.monitor import Monitor
from lean_magic.monitor.protocol import VERSION, to_wire

__all__ = ["KernelHandler", "MetricsHandler", "StateHandler", "routes"]

_SCRAPES = 90.0  # seconds between two scrapes of Prometheus, at most
_MONTH = 31 * 86400.0  # seconds: nobody means to snooze for longer


class _Handler(APIHandler):
    """What the routes share; `monitor` does the work."""

    def initialize(self, monitor: Monitor) -> None:
        """Take what the route was made with."""
        self.monitor = monitor

    def skip_check_origin(self) -> bool:
        """Check the origin of who sends a token, too: a page elsewhere is let in by `allow_origin` alone.

        Behind a proxy that changes the host the origin looks foreign; there the browser says that it is not.
        """
        vouched = self.request.headers.get("Sec-Fetch-Site") == "same-origin"
        return vouched and bool(super().skip_check_origin())


class StateHandler(_Handler):
    """The state."""

    @authenticated
    async def get(self) -> None:
        """Answer with the state as JSON."""
        since = self.get_query_argument("since", "")
        number = int(since) if re.fullmatch(r"[0-9]{1,15}", since) else None
        state = await self.monitor.sampler.state(number)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(to_wire(state), separators=(",", ":")))


class MetricsHandler(_Handler):
    """The state as metrics."""

    @authenticated
    async def get(self) -> None:
        """Answer with the state as text."""
        state = await self.monitor.sampler.state(looks=_SCRAPES)
        self.finish(to_text(state), set_content_type="text/plain; version=0.0.4; charset=utf-8")


class KernelHandler(_Handler):
    """What can be done to one kernel."""

    @authenticated
    async def post(self, kernel_id: str, action: str) -> None:
        """Do it, and answer with what became of it."""
        try:
            outcome = await self._do(kernel_id, action, self._body())
        except KeyError:
            self._refuse(404, "not_found", "There is no such kernel any more.")
        except Busy as error:
            self._refuse(409, "busy", str(error))
        except UsageError as error:
            self._refuse(400, "bad_request", str(error))
        else:
            self.finish(json.dumps({"version": VERSION, **asdict(outcome)}))

    async def _do(self, kernel_id: str, action: str, body: dict[str, Any]) -> Outcome:
        if kernel_id not in self.monitor.kernels.manager:
            raise KeyError(kernel_id)
        if action == "shutdown":
            return await self.monitor.culler.shut_down(kernel_id, busy_too=body.get("busy_too") is True)
        if action == "release":
            return await self.monitor.culler.release(kernel_id)
        if action == "pin":
            return await self.monitor.pin(kernel_id, body.get("pinned") is not False)
        return await self.monitor.snooze(kernel_id, _seconds(body.get("seconds", 3600.0)))

    def _body(self) -> dict[str, Any]:
        try:
            body = json.loads(self.request.body or b"{}")
        except ValueError:
            raise UsageError("the request is not JSON") from None
        if not isinstance(body, dict):
            raise UsageError("the request is not a JSON object")
        return body

    def _refuse(self, status: int, error: str, message: str) -> None:
        self.set_status(status)
        self.finish(json.dumps({"version": VERSION, "error": error, "message": message}))


def routes(monitor: Monitor, base: str) -> list[tuple[str, type[_Handler], dict[str, Monitor]]]:
    """Return the routes under the server's `base`, for its web application."""
    made_with = {"monitor": monitor}
    kernel = r"([\w-]+)/(shutdown|release|snooze|pin)"
    return [
        (f"{base}lean-magic/api/state", StateHandler, made_with),
        (f"{base}lean-magic/api/kernels/{kernel}", KernelHandler, made_with),
        (f"{base}lean-magic/metrics", MetricsHandler, made_with),
    ]


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MONTH:
        raise UsageError("`seconds` is not a number of seconds from 0 to those of a month")
    return float(value)
