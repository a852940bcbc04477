"""The extension of jupyter-server: wires the parts together."""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_data_dir

from lean_magic.monitor.events import SCHEMA, SCHEMA_ID
from lean_magic.monitor.handlers import routes
from lean_magic.monitor.kernels import Kernels
from lean_magic.monitor.monitor import Monitor
from lean_magic.monitor.settings import LeanMagicServer
from lean_magic.settings import LeanMagic

__all__ = ["load"]


def load(server: Any) -> Monitor:
    """Add the sidebar's routes to a server, and return what answers them."""
    settings = LeanMagicServer(parent=server)
    if settings.save_idle_power:
        os.environ.setdefault("CUDA_DISABLE_PERF_BOOST", "1")  # kernels inherit it
    server.event_logger.register_event_schema(SCHEMA)
    monitor = Monitor(
        settings,
        Kernels(server.kernel_manager, server.session_manager, Path(server.runtime_dir)),
        server.session_manager,
        root=str(server.root_dir),
        choices=Path(jupyter_data_dir()) / "lean_magic" / "sidebar.json",
        ledger=LeanMagic().ledger_file,
        emit=lambda data: server.event_logger.emit(schema_id=SCHEMA_ID, data=data),
    )
    server.web_app.add_handlers(".*$", routes(monitor, server.base_url))
    atexit.register(monitor.sampler.probe.stop)
    if settings.stop_idle:  # a guard watches whether or not somebody looks
        server.io_loop.add_callback(monitor.sampler.wake)
    return monitor


def _load_jupyter_server_extension(server: Any) -> None:
    load(server)
