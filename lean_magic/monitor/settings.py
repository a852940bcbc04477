"""Settings of the server side, as traits: `c.LeanMagicServer.warn_after = 900` in jupyter_server_config.py.

Every trait names its unit and its default.
"""

from __future__ import annotations

from traitlets import Bool, Dict, Float, Int, Union
from traitlets.config import Configurable

from lean_magic.monitor.protocol import Guard

__all__ = ["LeanMagicServer"]


class LeanMagicServer(Configurable):
    """What the GPU sidebar may be told about watching, warning and stopping."""

    interval = Float(2.0, help="Seconds between two samples, while somebody looks.").tag(config=True)
    history = Float(300.0, help="Seconds of samples that are kept for the charts.").tag(config=True)
    notice_after = Float(600.0, help="Seconds of idleness until a kernel that holds a GPU is marked.").tag(
        config=True
    )
    warn_after = Float(1800.0, help="Seconds of idleness until it is warned about.").tag(config=True)
    warn_cost = Float(
        0.5, help="Dollars of idleness until it is warned about, if that is sooner; 0 looks at time only."
    ).tag(config=True)
    stop_idle = Bool(
        False,
        help="Shut idle holders down, after a countdown. Off unless asked for. Never one that is busy, pinned or "
        "snoozed, one whose idleness is not certain, or one with unsaved changes in an open page.",
    ).tag(config=True)
    stop_after = Float(3600.0, help="Seconds of idleness until the countdown, where stop_idle is on.").tag(
        config=True
    )
    countdown = Float(300.0, help="Seconds in which an automatic stop can be called off.").tag(config=True)
    grace = Float(
        10.0, help="Seconds that a kernel has to finish: to leave its cell, and to run its on_shutdown hooks."
    ).tag(config=True)
    hold_bytes = Int(512 << 20, help="Bytes on one GPU from which a kernel counts as a holder.").tag(
        config=True
    )
    hold_share = Float(0.02, help="Part of a GPU, from 0 to 1, from which it counts, if that is more.").tag(
        config=True
    )
    price_per_hour = Union(
        [Float(), Dict()],
        default_value=0.0,
        help='Dollars an hour of a GPU: one number, or one for each model, as {"H100 PCIe": 2.5}. 0: list prices.',
    ).tag(config=True)
    price_per_kwh = Float(
        0.0, help="Dollars a kilowatt hour, for GPUs that are owned: they cost their electricity. 0: rented."
    ).tag(config=True)
    save_idle_power = Bool(
        False,
        help="Start kernels with CUDA_DISABLE_PERF_BOOST=1: one that holds a GPU idly takes less power (driver 580).",
    ).tag(config=True)

    @property
    def guard(self) -> Guard:
        """The rule in force."""
        return Guard(
            notice_seconds=self.notice_after,
            warn_seconds=self.warn_after,
            warn_dollars=self.warn_cost or None,
            stop=self.stop_idle,
            stop_seconds=self.stop_after,
            countdown_seconds=self.countdown,
        )
