"""What `glean worker` is told, as one frozen value."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from glean.broker.broker_url import BrokerUrl
from glean.service.runs.leases import LEASE_S

METRICS_HOST = "127.0.0.1"
"""Whoever scrapes is asked for no token: only this machine's unless it is said otherwise."""


def default_name() -> str:
    """Make a name that no other worker has: the machine's and the process's number."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker is set up.

    Parameters
    ----------
    database : str
        SQLAlchemy's URL of the service's database.
    results : Path
        Absolute folder of the run folders: the service's own, unless runs go through a storage.
    name : str
        By which it is known.
    lease_s : float
        How long a run stays its own while it can't say anything.
    broker : BrokerUrl, optional
        Where it hears of runs; None where it looks for them in the database.
    storage : str
        URL of the store by which runs come and go; "" where the results are the service's own.
    metrics_port : int, optional
        Where Prometheus reads how it is; None: nowhere.
    metrics_host : str
        Address to listen at for that.
    """

    database: str
    results: Path
    name: str = field(default_factory=default_name)
    lease_s: float = LEASE_S
    broker: BrokerUrl | None = None
    storage: str = ""
    metrics_port: int | None = None
    metrics_host: str = METRICS_HOST

    @property
    def requests(self) -> Path:
        """Folder of the attempts, each within the folder of its request."""
        return self.results / ".service" / "requests"
